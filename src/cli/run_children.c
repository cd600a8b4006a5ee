/* SPDX-License-Identifier: BSD-2-Clause */
/* --follow: the processes that the program has forked. */
#include <string.h>

#include "cli/run.h"
#include "collect/collect.h"

void run_children_event(struct run *r, const struct event *e)
{
	struct follow_proc *p = follow_event(&r->follow, e);
	bool fork = event_kind(e) == KIND_FORK;

	r->seen.events[KIND_FORK] += fork;
	if (p || fork)
		run_stream_child(&r->stream, p, e);
	follow_done(&r->follow);
}

/* What it has mapped, by whom: as far as that is known. */
static int look_at(struct follow_proc *p, struct report *out)
{
	struct collect_opts co = { 0 };
	int r;

	if (!p->m || memsrc_alive(p->m))
		return -ESRCH;
	if (p->has_book && (mapbook_settle(&p->book, NULL) || mapbook_give(&p->book, &co)))
		co = (struct collect_opts){ 0 };
	memsrc_flush(p->m);
	r = collect_report(p->m, &co, out, NULL);
	if (r)
		report_free(out);
	return r;
}

size_t run_children_reports(struct run *r, struct report **out)
{
	struct report *v = calloc(r->follow.v.n + 1, sizeof(*v)); /* + 1: 0 is none */
	size_t n = 0;

	for (size_t i = 0; v && i < r->follow.v.n; i++)
		if (!look_at(r->follow.v.v[i], &v[n]))
			n++;
	*out = v;
	return n;
}
