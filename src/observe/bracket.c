/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/bracket.h"

#include "base/log.h"
#include "model/findings/findings.h"
#include "model/report/diff.h"

void bracket_first(struct bracket *b, struct session *s)
{
	const struct collect_opts co = { 0 };
	struct err e = { 0 };
	int r = collect_report(s, &co, &b->first, &e);

	if (r) {
		report_free(&b->first);
		log_debug("no snapshot at the beginning: %s", e.text);
	}
	b->has = !r;
}

void bracket_cycle(struct bracket *b, const struct event_gc *g)
{
	if (gc_has(g, GCV_HEAP_MARKED) && gc_has(g, GCV_END))
		trend_add(&b->live, g->v[GCV_END], g->v[GCV_HEAP_MARKED]);
}

static int compare(struct bracket *b, struct report *last)
{
	struct diff d;
	int r = diff_make(&b->first, last, &d);

	if (!r)
		r = findings_watch(&d, &b->live, last);
	diff_free(&d);
	return r;
}

int bracket_last(struct bracket *b, struct session *s, const struct collect_opts *co,
		 struct report *out, struct err *e)
{
	int r = collect_report(s, co, out, e);

	return r || !b->has ? r : compare(b, out);
}

void bracket_free(struct bracket *b)
{
	if (b->has)
		report_free(&b->first);
	b->has = false;
}
