/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope report: one look at each target. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "collect/collect.h"
#include "out/json.h"

/* ---- printing; also for capture */

struct printer {
	const struct report_opts *o;
	struct json_stream json;
	unsigned int n;
};

static void printer_begin(struct printer *p, const struct report_opts *o)
{
	*p = (struct printer){ .o = o };
	json_begin(&p->json, stdout, cli_version());
}

/* 0 or -errno of the write. */
static int printer_put(struct printer *p, const struct report *r)
{
	struct text_style s = cli_style(&p->o->print);
	_text_ struct text t = { 0 };
	int rc;

	p->n++;
	if (p->o->print.json)
		return json_report(&p->json, r);
	rc = p->n > 1 ? text_add(&t, "\n", 1) : 0;
	if (!rc)
		rc = text_report(r, &s, &t);
	return rc ? rc : cli_put(t.p, t.n);
}

static int printer_end(struct printer *p)
{
	int rc = p->o->print.json ? json_end(&p->json) : 0;

	return rc ? rc : cli_put("", 0);
}

/* Looks and prints. CLI_OK, CLI_PARTIAL, or the code of what failed. *stop: standard output takes
 * no more. */
static int look(struct printer *p, struct memsrc *m, struct go_cache *cache, bool *stop)
{
	const struct collect_opts co = { .pss = p->o->pss,
					 .sites = p->o->top ? p->o->top : COLLECT_SITES,
					 .all_sites = p->o->top != 0 };
	struct report r;
	struct err e = { 0 };
	int rc = collect_once(m, cache, &co, &r, &e), code = CLI_OK;

	if (rc) {
		code = cli_fail(rc, &e);
	} else {
		if (r.partial)
			code = CLI_PARTIAL;
		rc = printer_put(p, &r);
		*stop = rc;
		if (rc)
			code = cli_put_code(rc);
	}
	report_free(&r);
	return code;
}

int cli_print_report(const struct report *r, const struct report_opts *o)
{
	struct printer p;
	int code;

	printer_begin(&p, o);
	code = cli_put_code(printer_put(&p, r));
	if (!code)
		code = cli_put_code(printer_end(&p));
	return code ? code : r->partial ? CLI_PARTIAL : CLI_OK;
}

/* ---- the command */

struct args {
	struct cli_help help;
	struct cli_targets targets;
	struct report_opts o;
	struct cli_cache cache;
	bool schema;
};

enum { KEY_PSS = 256, KEY_SCHEMA, KEY_TOP, TOP_MAX = 1000 };

static const struct argp_option options[] = {
	{ "pss", KEY_PSS, NULL, 0, "Also print proportional sizes (reads smaps: slower)", 0 },
	{ "top", KEY_TOP, "N", 0,
	  "N allocation sites and groups of goroutines of each kind of memory (default: 3 of what "
	  "is a quarter of RSS)",
	  0 },
	{ "json-schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of --json and exit", 0 },
	{ 0 },
};

static unsigned int parse_top(const char *arg, struct argp_state *st)
{
	uint64_t n;

	if (!text_parse_u64(arg, &n) || !n || n > TOP_MAX)
		argp_error(st, "--top takes a number from 1 to %d", TOP_MAX);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case ARGP_KEY_INIT:
		st->child_inputs[0] = &a->targets;
		st->child_inputs[1] = &a->o.print;
		st->child_inputs[2] = &a->cache;
		st->child_inputs[3] = &a->help;
		return 0;
	case KEY_PSS:
		a->o.pss = true;
		return 0;
	case KEY_TOP:
		a->o.top = parse_top(arg, st);
		return 0;
	case KEY_SCHEMA:
		a->schema = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID|FILE...",
	.doc = "Explain where a process's resident memory is, to the byte, from one snapshot "
	       "without probes. FILE is a capture or an ELF core. One report per target.\v"
	       "Examples:\n"
	       "  rsscope report 4242\n"
	       "  rsscope report --name prometheus --bytes\n"
	       "  rsscope report 4242 --top 10\n"
	       "  rsscope report --cgroup /system.slice/etcd.service --json\n"
	       "  rsscope report saved.rsscap\n"
	       "\n"
	       "Exit: 0 done, 1 failed, 3 no such target, 4 not permitted, 5 partial.",
	.children = (const struct argp_child[]){ { &cli_target_argp, 0, NULL, 0 },
						 { &cli_print_argp, 0, NULL, 0 },
						 { &cli_cache_argp, 0, NULL, 0 },
						 { &cli_help_argp, 0, NULL, 0 },
						 { 0 } },
};

static int report_all(const struct args *a)
{
	int first = CLI_OK, printed = 0, code;
	bool stop = false, partial = false;
	struct printer p;

	printer_begin(&p, &a->o);
	for (size_t i = 0; i < a->targets.t.v.n && !stop; i++) {
		const struct target *t = &a->targets.t.v.v[i];
		struct memsrc *m = NULL;
		struct err e = { 0 };
		int rc = target_open(t, &m, &e);

		if (rc && t->listed && cli_exit_code(rc) == CLI_GONE) {
			log_debug("%s", e.text); /* ended since, or a kernel thread */
			continue;
		}
		if (!rc && i + 1 == a->targets.t.v.n)
			cli_shed_opened(m, 0);
		code = rc ? cli_fail(rc, &e) : look(&p, m, a->cache.store.go, &stop);
		memsrc_close(m);
		if (stop)
			return code;
		printed += code == CLI_OK || code == CLI_PARTIAL;
		partial |= code == CLI_PARTIAL;
		if (code && code != CLI_PARTIAL && !first)
			first = code;
	}
	if (!printed)
		return first ? first
			     : cli_targets_check(&(struct cli_targets){ .asked = true }, "");
	code = cli_put_code(printer_end(&p));
	return code ? code : first || partial ? CLI_PARTIAL : CLI_OK;
}

int cmd_report(int argc, char **argv)
{
	struct args a = { 0 };
	int code;

	if (!cli_parse(&argp, argc, argv, &a, &a.help, &code))
		goto out;
	if (a.schema)
		code = cli_put_code(cli_put(json_schema(), strlen(json_schema())));
	else
		code = cli_targets_check(&a.targets, "report");
	if (!code && !a.schema) {
		cli_cache_open(&a.cache);
		cli_shed(0);
		code = report_all(&a);
		cli_cache_close(&a.cache);
	}
out:
	targets_free(&a.targets.t);
	return code;
}
