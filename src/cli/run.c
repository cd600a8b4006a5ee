/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope run: a program from its first instruction to its end, and a report. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
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

static int open_output(struct run_args *a)
{
	a->o.out = a->output ? fopen(a->output, "we") : stderr;
	if (a->o.out)
		return 0;
	log_error("cannot write '%s': %s", a->output, strerror(errno));
	return -errno;
}

static int run(struct run_args *a)
{
	int code;

	if (open_output(a))
		return RUN_FAILED;
	cli_observe(&a->o.o, &a->probes, &a->print, &a->cache, fileno(a->o.out));
	code = run_program(&a->o);
	if (a->o.out != stderr && fclose(a->o.out))
		log_error("the report could not be written: %s", strerror(errno));
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct run_args a = { .probes.groups = EV_ALL, .o.o.interval = 10 };
	int code;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		return code;
	if (!a.o.cmd) {
		log_error("run what? `rsscope run --help` has examples");
		return CLI_USAGE;
	}
	cli_cache_open(&a.cache);
	code = run(&a);
	cli_cache_close(&a.cache);
	return code;
}
