/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope watch: events of a process as they come, a report at the end. */
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "observe/watch.h"
#include "out/watch.h"

struct watch_args {
	struct cli_help help;
	struct cli_targets targets;
	struct cli_print print;
	struct cli_probes probes;
	struct cli_cache cache;
	struct watch_opts o;
	bool schema;
};

enum { KEY_EVENTS = 256, KEY_NO_REPORT, KEY_LIVE, KEY_GCTRACE, KEY_SCHEMA };

#define EVENT_NAMES "mappings, madvise, rss, gc, threads"

static const struct argp_option options[] = {
	{ "duration", 'd', "SEC", 0, "Stop after SEC seconds (default: at exit or ^C)", 0 },
	{ "interval", 'i', "SEC", 0, "Interval between samples (default 10; 0: none)", 0 },
	{ "events", KEY_EVENTS, "LIST", 0, "Print only these events, one per line: " EVENT_NAMES,
	  0 },
	{ "follow", 'f', NULL, 0, "Also follow child processes", 0 },
	{ "gctrace", KEY_GCTRACE, NULL, 0, "GC cycles only, in the format of gctrace=1", 0 },
	{ "no-report", KEY_NO_REPORT, NULL, 0, "No report at the end", 0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and exit", 0 },
	{ "live", KEY_LIVE, NULL, OPTION_HIDDEN, "With --json: the mappings as events left them",
	  0 },
	{ 0 },
};

static void parse_events(struct watch_args *a, char *list, struct argp_state *st)
{
	char *save = NULL;

	a->probes.groups = 0;
	a->o.each = true;
	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < WATCH_GROUPS && strcmp(watch_groups[i].name, w))
			i++;
		if (i == WATCH_GROUPS)
			argp_error(st, "unknown events '%s'; known: " EVENT_NAMES, w);
		else
			a->probes.groups |= watch_groups[i].group;
	}
	if (!a->probes.groups)
		argp_error(st, "--events needs a list of " EVENT_NAMES);
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct watch_args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->print;
		st->child_inputs[2] = &a->probes;
		st->child_inputs[3] = &a->cache;
		st->child_inputs[4] = &a->help;
		return 0;
	case 'd':
		a->o.duration = cli_parse_seconds(arg, "duration", st);
		return 0;
	case 'i':
		a->o.o.interval = cli_parse_seconds(arg, "interval", st);
		return 0;
	case 'f':
		a->o.o.follow = true;
		return 0;
	case KEY_EVENTS:
		parse_events(a, arg, st);
		return 0;
	case KEY_NO_REPORT:
		a->o.no_report = true;
		return 0;
	case KEY_GCTRACE:
		a->o.gctrace = a->o.no_report = true;
		a->probes.groups = EV_GC;
		a->o.o.interval = 0;
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	case KEY_LIVE:
		a->o.live = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Print what happens to a process's memory: GC cycles, mapping calls with their "
	       "callers, RSS steps, threads. Stops when the process exits, after --duration or at "
	       "^C, and prints a report. Needs root, or CAP_BPF and CAP_PERFMON.\v"
	       "Examples:\n"
	       "  rsscope watch 4242\n"
	       "  rsscope watch 4242 --duration 60 --json >events.jsonl\n"
	       "  rsscope watch --name etcd --events gc,rss\n"
	       "  rsscope watch 4242 --no-mappings\n"
	       "\n"
	       "Exit: 0 done, also when the process ends (no report then), 1 failed, 3 no such\n"
	       "process, 4 not permitted, 5 partial (a part could not be watched).",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_probes_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

static int watch_one(struct watch_args *a, struct memsrc *m)
{
	struct watch_result res;
	struct err e = { 0 };
	int r;

	a->o.fd = STDOUT_FILENO;
	if (!cli_observe(&a->o.o, &a->probes, &a->print, &a->cache, STDOUT_FILENO))
		return CLI_FAILED;
	r = watch_process(m, &a->o, &res, &e);
	if (res.write_rc)
		return cli_put_code(res.write_rc);
	if (r)
		return cli_fail(r, &e);
	return res.partial ? CLI_PARTIAL : CLI_OK;
}

int cmd_watch(int argc, char **argv)
{
	struct watch_args a = { .targets.live_only = true,
				.probes.groups = EV_ALL,
				.o.o.interval = 10 };
	struct memsrc *m = NULL;
	struct err e = { 0 };
	int code, r;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		goto out;
	if (a.schema) {
		code = cli_put_code(cli_put(watch_json_schema(), strlen(watch_json_schema())));
		goto out;
	}
	if (a.o.o.follow)
		a.probes.groups |= EV_THREADS;
	code = cli_targets_check(&a.targets, "watch");
	if (code)
		goto out;
	if (a.targets.t.v.n > 1) {
		log_error("watch takes one process, %zu match; give a PID", a.targets.t.v.n);
		code = CLI_USAGE;
		goto out;
	}
	cli_cache_open(&a.cache);
	r = target_open(&a.targets.t.v.v[0], &m, &e);
	code = r ? cli_fail(r, &e) : watch_one(&a, m);
	memsrc_close(m);
	cli_cache_close(&a.cache);
out:
	targets_free(&a.targets.t);
	return code;
}
