/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/gc_cycle.h"

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
 * mgc.go, gcTrigger.test: the period counts from the end of the cycle before, and only sysmon, some
 * milliseconds late at most, starts a cycle for it. Before the first there is none.
 */
static enum gc_trigger trigger_of(const struct gc_track *t, const struct event_gc *g)
{
	uint64_t start = g->v[GCV_SWEEP_TERM];

	if (gc_has(g, GCV_FORCED) && g->v[GCV_FORCED])
		return GC_TRIGGER_FORCED;
	if (!gc_has(g, GCV_FORCED) || !gc_has(g, GCV_SWEEP_TERM) || !follows(t, g))
		return GC_TRIGGER_UNKNOWN;
	return t->end_ns && start > t->end_ns && start - t->end_ns > PERIOD_NS ? GC_TRIGGER_PERIOD
									       : GC_TRIGGER_HEAP;
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
	*out = (struct gc_cycle){ .trigger = trigger_of(t, g) };
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
