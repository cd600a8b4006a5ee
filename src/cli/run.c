/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope run: a program from its first instruction to its end, and a report. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "observe/run.h"

struct run_args {
	struct cli_help help;
	const char *output;
	struct cli_print print;
	struct cli_probes probes;
	struct cli_cache cache;
	struct run_opts o;
};

enum { KEY_EVENTS = 256 };

static const struct argp_option options[] = {
	{ "user", 'u', "NAME", 0, "Run CMD as this user: name, UID or UID:GID", 0 },
	{ "output", 'o', "FILE", 0, "Write the report to FILE instead of stderr", 0 },
	{ "interval", 'i', "SEC", 0,
	  "Maximum time between snapshots (default 10; 0: only when RSS grows)", 0 },
	{ "follow", 'f', NULL, 0, "Also follow child processes", 0 },
	{ "events", KEY_EVENTS, NULL, 0, "Print events as they happen, before the report", 0 },
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
		a->o.user = arg;
		return 0;
	case 'o':
		a->output = arg;
		return 0;
	case 'i':
		a->o.o.interval = cli_parse_seconds(arg, "interval", st);
		return 0;
	case 'f':
		a->o.o.follow = true;
		return 0;
	case KEY_EVENTS:
		a->o.events = true;
		return 0;
	case ARGP_KEY_ARG: /* the rest is CMD's */
		a->o.cmd = st->argv + st->next - 1;
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
	.doc = "Start CMD, watch it from its first instruction, and report when it exits: the "
	       "last snapshot before exit, plus counters up to exit. SIGUSR1 requests a "
	       "report at once; all other signals are passed on to CMD, which keeps its standard "
	       "streams. Needs root, or CAP_BPF and CAP_PERFMON.\v"
	       "Examples:\n"
	       "  rsscope run -- ./server -config prod.yml\n"
	       "  rsscope run -o report.txt -- make test\n"
	       "  rsscope run --user prometheus --json -o report.json -- prometheus\n"
	       "\n"
	       "Exit: CMD's status, 128+N if signal N killed it; 2 usage; 125 CMD not started\n"
	       "because it cannot be watched; 126 CMD cannot be executed; 127 CMD not found.",
	.children = (const struct argp_child[]){ { &cli_print_argp, 0, NULL, 0 },
						 { &cli_probes_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

static int run(struct run_args *a)
{
	int code;

	a->o.fd = STDERR_FILENO;
	if (a->output)
		a->o.fd = open(a->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (a->o.fd < 0) {
		log_error("cannot write '%s': %s", a->output, strerror(errno));
		return RUN_FAILED;
	}
	if (!cli_observe(&a->o.o, &a->probes, &a->print, &a->cache, a->o.fd))
		return RUN_FAILED;
	code = run_program(&a->o);
	if (a->output && close(a->o.fd))
		log_error("cannot write the report: %s", strerror(errno));
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct run_args a = { .probes.groups = EV_ALL, .o.o.interval = 10 };
	int code;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		return code;
	if (!a.o.cmd) {
		log_error("no command to run; `rsscope run --help` has examples");
		return CLI_USAGE;
	}
	cli_cache_open(&a.cache);
	code = run(&a);
	cli_cache_close(&a.cache);
	return code;
}
