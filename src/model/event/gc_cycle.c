/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/event/gc_cycle.h"

#include <string.h>

/* runtime/proc.go, forcegcperiod */
#define PERIOD_NS (120 * 1000000000ULL)

void gc_track_begin(struct gc_track *t, uint64_t cycle, uint64_t end_ns)
{
	*t = (struct gc_track){ .known = true, .cycle = cycle, .end_ns = end_ns };
}

const char *gc_trigger_name(enum gc_trigger t)
{
	static const char *const name[] = { NULL, "heap", "period", "forced" };

	return name[t];
}

static bool follows(const struct gc_track *t, const struct event_gc *g)
{
	return t->known && gc_has(g, GCV_CYCLE) && g->v[GCV_CYCLE] == t->cycle + 1;
}

/*
 * mgc.go, gcTrigger.test: the period counts from the end of the cycle before, and only sysmon
 * starts a cycle for it. It does so some milliseconds late, or up to a minute when the program is
 * idle (proc.go, sysmon), in which the heap may be first: that makes this an inference. Before the
 * first cycle there is no period.
 */
static enum gc_trigger infer(const struct gc_track *t, const struct event_gc *g)
{
	uint64_t start = g->v[GCV_SWEEP_TERM];

	if (!gc_has(g, GCV_FORCED) || !gc_has(g, GCV_SWEEP_TERM) || !follows(t, g))
		return GC_TRIGGER_UNKNOWN;
	return t->end_ns && start > t->end_ns && start - t->end_ns > PERIOD_NS ? GC_TRIGGER_PERIOD
									       : GC_TRIGGER_HEAP;
}

/* A call of runtime.gcStart for each reason may have come before the cycle, one of which began it:
 * where work.userForced does not tell which, they have to agree. */
static enum gc_trigger asked_for(const struct event_gc *g)
{
	uint32_t asked = g->asked;

	if (gc_has(g, GCV_FORCED))
		asked &= ~(1U << GC_KIND_CYCLE);
	switch (asked) {
	case 1U << GC_KIND_HEAP:
		return GC_TRIGGER_HEAP;
	case 1U << GC_KIND_TIME:
		return GC_TRIGGER_PERIOD;
	case 1U << GC_KIND_CYCLE:
		return GC_TRIGGER_FORCED;
	default:
		return GC_TRIGGER_UNKNOWN;
	}
}

static void look_at_trigger(const struct gc_track *t, const struct event_gc *g, struct gc_cycle *c)
{
	if (gc_has(g, GCV_FORCED) && g->v[GCV_FORCED]) {
		c->trigger = GC_TRIGGER_FORCED;
		c->witness = GC_BY_FORCED;
		return;
	}
	c->trigger = asked_for(g);
	c->witness = c->trigger ? GC_BY_START : GC_BY_NOTHING;
	if (c->trigger || g->asked & ~(1U << GC_KIND_CYCLE))
		return;
	c->trigger = infer(t, g);
	c->witness = c->trigger ? GC_BY_INTERVAL : GC_BY_NOTHING;
}

const char *gc_witness_name(enum gc_witness w)
{
	static const char *const name[] = { NULL, "gcStart", "work.userForced", "interval" };

	return name[w];
}

bool gc_frees(const struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].func && (!strcmp(f[i].func, "runtime/debug.FreeOSMemory") ||
				  !strcmp(f[i].func, "runtime/debug.freeOSMemory")))
			return true;
	return false;
}

static void look_at_rate(const struct gc_track *t, const struct event_gc *g, struct gc_cycle *c)
{
	uint64_t now = g->v[GCV_MARK_TERM], heap = g->v[GCV_HEAP_END];

	if (!follows(t, g) || !t->marked.has || !t->mark_term_ns.has || !gc_has(g, GCV_HEAP_END) ||
	    !gc_has(g, GCV_MARK_TERM) || now <= t->mark_term_ns.v || heap < t->marked.v)
		return;
	c->allocated = OPT(heap - t->marked.v);
	c->over_ns = OPT(now - t->mark_term_ns.v);
	c->rate = OPT((double)c->allocated.v * 1e9 / c->over_ns.v);
}

static struct opt_u64 figure(const struct event_gc *g, enum gc_value v)
{
	return gc_has(g, v) && g->v[v] <= INT64_MAX ? OPT(g->v[v]) : (struct opt_u64){ 0 };
}

static void look_at_cpu(const struct event_gc *g, struct gc_cycle *c)
{
	uint64_t from = g->v[GCV_MARK], to = g->v[GCV_MARK_TERM], procs = g->v[GCV_MAXPROCS];
	double had;

	c->assist_ns = figure(g, GCV_ASSIST);
	c->dedicated_ns = figure(g, GCV_DEDICATED);
	c->fractional_ns = figure(g, GCV_FRACTIONAL);
	c->idle_ns = figure(g, GCV_IDLE);
	if (!c->assist_ns.has || !gc_has(g, GCV_MARK) || !gc_has(g, GCV_MARK_TERM) ||
	    !gc_has(g, GCV_MAXPROCS) || to <= from || !procs)
		return;
	had = (double)(to - from) * procs;
	/* They go on until the world has stopped, a little after the end of marking is noted. */
	c->assist_permille = OPT(c->assist_ns.v < had ? c->assist_ns.v * 1000.0 / had + 0.5 : 1000);
}

void gc_track_next(struct gc_track *t, const struct event_gc *g, struct gc_cycle *out)
{
	*out = (struct gc_cycle){ 0 };
	look_at_trigger(t, g, out);
	if (follows(t, g) && t->end_ns && gc_has(g, GCV_SWEEP_TERM) &&
	    g->v[GCV_SWEEP_TERM] >= t->end_ns)
		out->interval_ns = OPT(g->v[GCV_SWEEP_TERM] - t->end_ns);
	look_at_rate(t, g, out);
	look_at_cpu(g, out);
	*t = (struct gc_track){
		.known = gc_has(g, GCV_CYCLE) && gc_has(g, GCV_END),
		.cycle = g->v[GCV_CYCLE],
		.end_ns = g->v[GCV_END],
		.marked = figure(g, GCV_HEAP_MARKED),
		.mark_term_ns = figure(g, GCV_MARK_TERM),
	};
}
