/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope capture: one look, and all that it read in a file. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "collect/collect.h"
#include "source/capture.h"

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct report_opts o;
	const char *file;
	bool report, no_profiles;
};

enum { KEY_PSS = 256, KEY_REPORT, KEY_NO_PROFILES };

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the capture to FILE (replaced if it exists)", 0 },
	{ "report", KEY_REPORT, NULL, 0, "Also print the report of this snapshot", 0 },
	{ "no-profiles", KEY_NO_PROFILES, NULL, 0,
	  "Leave out what `rsscope profile` reads (a million goroutines: seconds, 20 MB)", 0 },
	{ "pss", KEY_PSS, NULL, 0, "Also save proportional sizes (reads smaps: slower)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		a->targets.live_only = true;
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->o.print;
		st->child_inputs[2] = &a->help;
		return 0;
	case 'o':
		a->file = arg;
		return 0;
	case KEY_REPORT:
		a->report = true;
		return 0;
	case KEY_NO_PROFILES:
		a->no_profiles = true;
		return 0;
	case KEY_PSS:
		a->o.pss = true;
		return 0;
	case ARGP_KEY_END:
		if (!a->help.shown && (!a->file || !*a->file))
			argp_error(st, "no output file; give -o FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Save everything that a report reads: mappings, page map, the runtime's "
	       "structures, cgroup files; of a Go program also what heap and goroutine profiles "
	       "read; no contents of objects. `rsscope report FILE` prints the same report, byte "
	       "for byte, `rsscope profile FILE` the profiles, on any machine, without privileges "
	       "and without the program's file.\v"
	       "Examples:\n"
	       "  rsscope capture 4242 -o now.rsscap\n"
	       "  rsscope capture --name etcd -o etcd.rsscap --report\n"
	       "  rsscope report etcd.rsscap --json\n"
	       "  rsscope profile etcd.rsscap --type goroutine\n"
	       "\n"
	       "FILE is created only when complete.\n"
	       "Exit: 0 done, 1 failed, 3 no such target, 4 not permitted, 5 partial.",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

/* Not to be torn by ^C: between the file's temporary and its final name. */
static int commit(struct capture_writer *w, struct err *e)
{
	sigset_t block, before;
	int rc;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, &before);
	rc = capture_commit(w, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int save(const struct args *a, struct memsrc *m, struct report *r, struct err *e)
{
	const struct collect_opts co = { .pss = a->o.pss, .profiles = !a->no_profiles };
	struct capture_writer *w = NULL;
	int rc = capture_create(a->file, &w, e);

	if (rc) /* a folder that is not there is no missing target */
		return rc == -ENOENT ? -EIO : rc;
	memsrc_tee(m, w);
	rc = collect_once(m, NULL, &co, r, e);
	memsrc_tee(m, NULL);
	if (rc) {
		capture_abort(w);
		return rc;
	}
	rc = commit(w, e);
	return rc == -ENOENT ? -EIO : rc;
}

static int capture(const struct args *a)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };
	struct report r;
	int rc, code;

	if (a->targets.t.v.n > 1) {
		log_error("%zu processes match; a capture holds one: give its PID",
			  a->targets.t.v.n);
		return CLI_USAGE;
	}
	report_init(&r);
	cli_shed(RIGHTS_SAVE);
	rc = target_open(&a->targets.t.v.v[0], &m, &e);
	if (!rc) {
		cli_shed_opened(m, RIGHTS_SAVE);
		rc = save(a, m, &r, &e);
	}
	if (rc)
		code = cli_fail(rc, &e);
	else if (a->report)
		code = cli_print_report(&r, &a->o);
	else
		code = r.partial ? CLI_PARTIAL : CLI_OK;
	report_free(&r);
	memsrc_close(m);
	return code;
}

int cmd_capture(int argc, char **argv)
{
	struct args a = { 0 };
	int code;

	if (cli_parse(&argp, argc, argv, &a, &a.help, &code)) {
		code = cli_targets_check(&a.targets, "capture");
		if (!code)
			code = capture(&a);
	}
	targets_free(&a.targets.t);
	return code;
}
