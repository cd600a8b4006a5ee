/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope run: a program from its first instruction to its end, and a report. */
#include "cli/run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"

enum { KEY_EVENTS = 256 };

static const struct argp_option options[] = {
	{ "user", 'u', "NAME", 0, "Run CMD as this user: a name, UID or UID:GID", 0 },
	{ "output", 'o', "FILE", 0, "The report goes to FILE instead of standard error", 0 },
	{ "interval", 'i', "SEC", 0,
	  "A ledger at least that often, beside those at growth (default 10; 0: none)", 0 },
	{ "follow", 'f', NULL, 0, "Processes that it forks, too, and those that they fork", 0 },
	{ "events", KEY_EVENTS, NULL, 0, "Events as they come, too, before the report", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct run_args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->print;
		st->child_inputs[1] = &a->probes;
		st->child_inputs[2] = &a->cache;
		st->child_inputs[3] = &a->help;
		return 0;
	case 'u':
		a->user = arg;
		return 0;
	case 'o':
		a->output = arg;
		return 0;
	case 'i':
		a->interval = cli_parse_seconds(arg, "interval", st);
		return 0;
	case 'f':
		a->follow = true;
		return 0;
	case KEY_EVENTS:
		a->events = true;
		return 0;
	case ARGP_KEY_ARG: /* the rest is CMD's */
		a->cmd = st->argv + st->next - 1;
		st->next = st->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[--] CMD [ARG...]",
	.doc = "Starts CMD, watches it from its first instruction, and reports at its end: the "
	       "last "
	       "ledger that could be taken, and counters up to the end. SIGUSR1 asks for a report "
	       "at once; all other signals are passed on to CMD, whose standard streams stay its "
	       "own. Needs root, or CAP_BPF and CAP_PERFMON.\v"
	       "Examples:\n"
	       "  rsscope run -- ./server -config prod.yml\n"
	       "  rsscope run -o report.txt -- make test\n"
	       "  rsscope run --user prometheus --json -o report.json -- prometheus\n"
	       "\n"
	       "Exit: CMD's own status, 128+N when signal N ended it; 2 usage; 125 CMD was not\n"
	       "started: it could not be watched; 126 CMD can't be executed; 127 no such CMD.",
	.children = (const struct argp_child[]){ { &cli_print_argp, 0, NULL, 0 },
						 { &cli_probes_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

static int open_output(struct run *r)
{
	r->out = r->a->output ? fopen(r->a->output, "we") : stderr;
	if (r->out)
		return 0;
	log_error("cannot write '%s': %s", r->a->output, strerror(errno));
	return -errno;
}

/* The exit code of what has ended. */
static int status_code(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

static int failed(const struct err *e)
{
	log_error("%s; CMD was not started", e->text);
	return RUN_FAILED;
}

/* Watches and reports. Returns the exit code. */
static int run_forked(struct run *r)
{
	_close_ int program = run_find_program(r->a->cmd[0]);
	struct err e = { 0 };
	int code;

	if (run_look_open(r->child.pid, &r->look, &e) || run_watch_open(r, program, &e))
		return failed(&e);
	code = run_child_exec(&r->child, r->a->cmd);
	if (code)
		return code;
	run_stream_open(&r->stream, r->a, r->out);
	run_watch(r, program);
	run_report(r);
	r->child.pid = 0; /* reaped */
	return status_code(r->seen.wstatus);
}

static int run_one(struct run *r)
{
	struct run_user user = { 0 };
	struct err e = { 0 };
	int code = RUN_FAILED;

	if (r->a->user && run_user_find(r->a->user, &user, &e))
		code = failed(&e);
	else if (open_output(r))
		code = RUN_FAILED;
	else if (run_signals_open(&r->signals, &e) ||
		 run_child_fork(r->a->cmd, r->a->user ? &user : NULL, &r->signals.old_mask,
				&r->signals.old_chld, &r->child, &e))
		code = failed(&e);
	else
		code = run_forked(r);
	run_child_abandon(&r->child);
	run_user_free(&user);
	return code;
}

static void run_free(struct run *r)
{
	run_look_close(&r->look);
	run_book_close(&r->book);
	run_stream_close(&r->stream);
	follow_close(&r->follow);
	ev_close(r->ev);
	run_ledger_free(&r->seen.last);
	run_ledger_free(&r->seen.peak);
	run_signals_close(&r->signals);
	if (r->out && r->out != stderr && fclose(r->out))
		log_error("the report could not be written: %s", strerror(errno));
}

int cmd_run(int argc, char **argv)
{
	struct run_args a = { .probes.groups = EV_ALL, .interval = 10 };
	struct run r = {
		.a = &a,
		.child = { .go = -1, .error = -1 },
		.signals.fd = -1,
		.look.done_fd = -1,
	};
	int code;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		return code;
	if (!a.cmd) {
		log_error("run what? `rsscope run --help` has examples");
		return CLI_USAGE;
	}
	cli_cache_open(&a.cache);
	code = run_one(&r);
	run_free(&r);
	cli_cache_close(&a.cache);
	return code;
}
