/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which calls of runtime.gcStart belong to a GC cycle: those between the end of the one before and
 * its own beginning, work.tSweepTerm, which gcStart notes once it has decided (runtime/mgc.go). Who
 * comes later finds the cycle under way and begins nothing.
 */
#include <string.h>

#include "event/stream.h"

enum { STARTS_MAX = 256 };

static void drop(struct ev *s, size_t i)
{
	memmove(&s->starts.v[i], &s->starts.v[i + 1], (--s->starts.n - i) * sizeof(s->starts.v[0]));
}

void gc_start_keep(struct ev *s, const struct ev_gc_start *g)
{
	if (s->starts.n == STARTS_MAX)
		drop(s, 0);
	/* without memory for it nobody is seen to begin the cycle */
	(void)vec_push(&s->starts, *g);
}

static void take(const struct ev_gc_start *g, struct event_gc *out)
{
	if (g->kind >= GC_KIND_COUNT)
		return;
	out->asked |= 1U << g->kind;
	if (g->kind != GC_KIND_CYCLE)
		return;
	out->nstack = g->nstack;
	memcpy(out->stack, g->stack, sizeof(out->stack));
}

void gc_start_join(struct ev *s, struct event *e)
{
	bool known = gc_has(&e->gc, GCV_SWEEP_TERM);
	uint64_t began = known ? e->gc.v[GCV_SWEEP_TERM] : 0;
	uint64_t over = gc_has(&e->gc, GCV_END) ? e->gc.v[GCV_END] : e->exit_ns;

	for (size_t i = 0; i < s->starts.n;) {
		const struct ev_gc_start *g = &s->starts.v[i];

		if (g->tgid != e->tgid || g->ns > over) {
			i++;
			continue;
		}
		if (known && g->ns <= began)
			take(g, &e->gc);
		drop(s, i);
	}
}

void gc_start_forget(struct ev *s, uint32_t tgid)
{
	for (size_t i = s->starts.n; i--;)
		if (s->starts.v[i].tgid == tgid)
			drop(s, i);
}
