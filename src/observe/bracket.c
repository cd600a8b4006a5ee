/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/bracket.h"

#include "base/log.h"
#include "model/findings/findings.h"
#include "model/report/diff.h"

static void close_session(struct bracket *b)
{
	session_close(&b->session);
	memsrc_close(b->m);
	b->m = NULL;
}

void bracket_first(struct bracket *b, pid_t pid, struct shelf *shelf, struct go_cache *c)
{
	const struct collect_opts co = { 0 };
	struct err e = { 0 };
	int r = memsrc_open_live(pid, &b->m, &e);

	if (!r)
		r = session_open(b->m, shelf, c, &b->session, &e);
	if (!r) {
		r = collect_report(&b->session, &co, &b->first, &e);
		if (r)
			report_free(&b->first);
	}
	if (r) {
		log_debug("no snapshot at the beginning: %s", e.text);
		close_session(b);
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

int bracket_last(struct bracket *b, struct memsrc *m, struct go_cache *c,
		 const struct collect_opts *co, struct report *out, struct err *e)
{
	/* an exec has ended the session */
	int r = b->m && !memsrc_alive(b->m) ? collect_report(&b->session, co, out, e)
					    : collect_once(m, c, co, out, e);

	return r || !b->has ? r : compare(b, out);
}

void bracket_free(struct bracket *b)
{
	if (b->has)
		report_free(&b->first);
	close_session(b);
	b->has = false;
}
