/* SPDX-License-Identifier: BSD-2-Clause */
/* The report at the end of a watch, and what it says because there was a look at the beginning. */
#include "base/log.h"
#include "cli/watch_stream.h"
#include "model/report/diff.h"
#include "model/findings/findings.h"

/* With a source of its own: a look's notes stay with the source. */
void watch_look_first(struct watch_looks *l, pid_t pid, struct go_cache *c)
{
	const struct collect_opts co = { .cache = c };
	struct memsrc *m = NULL;
	struct err e = { 0 };
	int r = memsrc_open_live(pid, &m, &e);

	if (!r) {
		r = collect_report(m, &co, &l->first, &e);
		if (r)
			report_free(&l->first);
	}
	if (r)
		log_debug("no look at the beginning: %s", e.text);
	l->has = !r;
	memsrc_close(m);
}

void watch_look_cycle(struct watch_looks *l, const struct event_gc *g)
{
	if (gc_has(g, GCV_HEAP_MARKED) && gc_has(g, GCV_END))
		trend_add(&l->live, g->v[GCV_END], g->v[GCV_HEAP_MARKED]);
}

static int compare(struct watch_looks *l, struct report *last)
{
	struct diff d;
	int r = diff_make(&l->first, last, &d);

	if (!r)
		r = findings_watch(&d, &l->live, last);
	diff_free(&d);
	return r;
}

/* As collect_report, with the findings of both looks. */
static int look_last(struct watch_looks *l, struct memsrc *m, const struct collect_opts *co,
		     struct report *out, struct err *e)
{
	int r = collect_report(m, co, out, e);

	return r || !l->has ? r : compare(l, out);
}

void watch_look_free(struct watch_looks *l)
{
	if (l->has)
		report_free(&l->first);
	l->has = false;
}

int watch_report(struct watch *w)
{
	struct collect_opts co = { .cache = w->a->cache.go, .pss = w->a->report.pss };
	struct report last;
	struct err e = { 0 };
	int r, code;

	if (w->a->no_report)
		return CLI_OK;
	if (memsrc_alive(w->t.m)) {
		log_warn("no report at the end: the process has ended, and its memory with it");
		return CLI_PARTIAL;
	}
	if (w->has_book && mapbook_give(&w->book, &co.known))
		return cli_fail(-ENOMEM, NULL);
	r = look_last(&w->looks, w->t.m, &co, &last, &e);
	code = r ? cli_fail(r, &e) : cli_print_report(&last, &w->a->report);
	report_free(&last);
	return code;
}

int watch_report_children(struct watch *w)
{
	int worst = CLI_OK;

	for (size_t i = 0; i < w->follow.v.n && !w->a->no_report; i++) {
		struct collect_opts co = { .cache = w->a->cache.go, .pss = w->a->report.pss };
		struct report r;
		int code;

		if (follow_report(w->follow.v.v[i], &co, &r))
			continue;
		code = cli_print_report(&r, &w->a->report);
		worst = code ? code : worst;
		report_free(&r);
	}
	return worst;
}
