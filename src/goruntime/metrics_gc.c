/* SPDX-License-Identifier: BSD-2-Clause */
/* The collector's figures. Source: mgcpacer.go (heapGoalInternal, memoryLimitHeapGoal). */
#include "goruntime/metrics.h"

enum { MIN_TRIGGER_DISTANCE = 64 << 10, RING = 256 };

/* mgcpacer.go: memoryLimitHeapGoal */
static uint64_t limit_goal(const struct snap *s)
{
	uint64_t limit = snap_gcc(s, GO_GCC_MEMORYLIMIT);
	uint64_t mapped = snap_gcc(s, GO_GCC_MAPPEDREADY);
	uint64_t marked = snap_gcc(s, GO_GCC_HEAPMARKED);
	uint64_t nonheap = mapped - snap_gcc(s, GO_GCC_HEAPFREE) -
			   (snap_gcc(s, GO_GCC_TOTALALLOC) - snap_gcc(s, GO_GCC_TOTALFREE));
	uint64_t over = mapped > limit ? mapped - limit : 0, goal, head;

	if (nonheap + over >= limit)
		return marked;
	goal = limit - (nonheap + over);
	head = go_has(s->l, GO_CONST_GOAL_HEADROOM) ? s->l->f[GO_CONST_GOAL_HEADROOM] : 1 << 20;
	if (go_has(s->l, GO_CONST_GOAL_HEADROOM_PERCENT)) {
		uint64_t h = goal / 100 * s->l->f[GO_CONST_GOAL_HEADROOM_PERCENT];

		head = h > head ? h : head;
	}
	goal = goal < head || goal - head < head ? head : goal - head;
	return goal > marked ? goal : marked;
}

/* mgcpacer.go: heapGoalInternal; the releases before keep the result. */
static uint64_t heap_goal(const struct snap *s)
{
	uint64_t goal, x;

	if (go_has(s->l, GO_MSTATS_NEXT_GC))
		return snap_mstats(s, GO_MSTATS_NEXT_GC);
	if (go_has(s->l, GO_GCC_HEAPGOAL))
		return snap_gcc(s, GO_GCC_HEAPGOAL);
	goal = snap_gcc(s, GO_GCC_GCPERCENTHEAPGOAL);
	if (snap_gcc(s, GO_GCC_MEMORYLIMIT) != INT64_MAX) {
		x = limit_goal(s);
		if (x < goal)
			return x;
	}
	x = snap_gcc(s, GO_GCC_SWEEPDISTMINTRIGGER);
	if (x > goal)
		goal = x;
	x = snap_gcc(s, GO_GCC_TRIGGERED);
	if (x != UINT64_MAX && goal < x + MIN_TRIGGER_DISTANCE)
		goal = x + MIN_TRIGGER_DISTANCE;
	return goal;
}

/* The last pause, of a ring of 256, and the sum of all. */
static void read_pauses(struct go_metrics *g, const struct snap *s, uint32_t cycles)
{
	uint64_t o = s->l->f[GO_MSTATS_PAUSE_NS] + 8 * ((cycles + RING - 1ULL) % RING);

	if (!cycles || o + 8 > s->nmstats)
		return;
	g->has_pause = true;
	g->last_pause_ns = load_u64(s->mstats + o);
	g->last_gc_unix_ns = snap_mstats(s, GO_MSTATS_LAST_GC_UNIX);
}

static int put_cycles(struct go_metrics *g, const struct snap *s)
{
	uint32_t cycles = get_u32(s->l, GO_MSTATS_NUMGC, s->mstats, s->nmstats);
	uint32_t forced = get_u32(s->l, GO_MSTATS_NUMFORCEDGC, s->mstats, s->nmstats);

	g->gc_cycles = cycles;
	read_pauses(g, s, cycles);
	/* MemStats.PauseTotalNs; the runtime's own /gc/pauses:seconds is a histogram */
	return metrics_add(g, "/gc/pauses:nanoseconds", snap_mstats(s, GO_MSTATS_PAUSE_TOTAL_NS)) |
	       metrics_add(g, "/gc/cycles/automatic:gc-cycles", cycles - forced) |
	       metrics_add(g, "/gc/cycles/forced:gc-cycles", forced) |
	       metrics_add(g, "/gc/cycles/total:gc-cycles", cycles);
}

/* "No goal" (GOGC=off without a limit) and "no limit" are no figures. */
static int put_goal(struct go_metrics *g, const struct go_runtime *rt, const struct snap *s)
{
	int r = 0;

	if (!go_has(s->l, GO_MSTATS_NEXT_GC) && !s->gcc)
		return 0;
	g->goal = heap_goal(s);
	g->has_goal = g->goal != UINT64_MAX;
	g->live = go_has(s->l, GO_MSTATS_HEAP_MARKED) ? snap_mstats(s, GO_MSTATS_HEAP_MARKED)
						      : snap_gcc(s, GO_GCC_HEAPMARKED);
	/* before 1.19 nothing in the pacer repeats it, only what the cycle left in `work` */
	g->has_live = go_has(s->l, GO_GCC_GCPERCENTHEAPGOAL) || !g->gc_cycles || rt->g.work;
	if (g->has_goal)
		r |= metrics_add(g, "/gc/heap/goal:bytes", g->goal);
	if (g->has_live)
		r |= metrics_add(g, "/gc/heap/live:bytes", g->live);
	else
		metrics_absent(g, "/gc/heap/live:bytes");
	return r;
}

static int put_settings(struct go_metrics *g, const struct snap *s)
{
	int r = 0;

	if (s->gcc && go_has(s->l, GO_GCC_GCPERCENT)) {
		g->gogc = (int32_t)get_u32(s->l, GO_GCC_GCPERCENT, s->gcc, s->ngcc);
		g->has_gogc = true;
	} else if (go_has(s->l, GO_MSTATS_NEXT_GC) && !g->has_goal) {
		g->gogc = -1; /* 1.15 and 1.16 keep it in a bare number; only this shows */
		g->has_gogc = true;
	}
	if (g->has_gogc && g->gogc >= 0)
		r |= metrics_add(g, "/gc/gogc:percent", g->gogc);
	if (!s->gcc || !go_has(s->l, GO_GCC_MEMORYLIMIT))
		return r;
	g->memory_limit = snap_gcc(s, GO_GCC_MEMORYLIMIT);
	g->has_limit = g->memory_limit != INT64_MAX;
	if (g->has_limit)
		r |= metrics_add(g, "/gc/gomemlimit:bytes", g->memory_limit);
	return r;
}

static int put_scan(struct go_metrics *g, const struct snap *s)
{
	uint64_t heap, stack, globals;

	if (!s->gcc || !go_has(s->l, GO_GCC_LASTSTACKSCAN))
		return 0;
	heap = snap_gcc(s, GO_GCC_HEAPSCAN);
	stack = snap_gcc(s, GO_GCC_LASTSTACKSCAN);
	globals = snap_gcc(s, GO_GCC_GLOBALSSCAN);
	return metrics_add(g, "/gc/scan/globals:bytes", globals) |
	       metrics_add(g, "/gc/scan/heap:bytes", heap) |
	       metrics_add(g, "/gc/scan/stack:bytes", stack) |
	       metrics_add(g, "/gc/scan/total:bytes", globals + heap + stack);
}

/* ---- what must hold among them */

/* The rings' newest entry is the last cycle's; before they come round, the sum is the total. */
static bool does_ring_agree(const struct snap *s)
{
	const struct go_layout *l = s->l;
	uint32_t cycles = get_u32(l, GO_MSTATS_NUMGC, s->mstats, s->nmstats);
	uint32_t forced = get_u32(l, GO_MSTATS_NUMFORCEDGC, s->mstats, s->nmstats);
	uint64_t total = snap_mstats(s, GO_MSTATS_PAUSE_TOTAL_NS), sum = 0;
	uint64_t last = 8 * ((cycles + RING - 1ULL) % RING);
	uint64_t ns = l->f[GO_MSTATS_PAUSE_NS], end = l->f[GO_MSTATS_PAUSE_END];

	if (ns + 8 * RING > s->nmstats || end + 8 * RING > s->nmstats || forced > cycles)
		return false;
	for (int i = 0; i < RING; i++)
		sum += load_u64(s->mstats + ns + 8 * i);
	if (cycles <= RING ? sum != total : sum > total)
		return false;
	return !cycles ||
	       load_u64(s->mstats + end + last) == snap_mstats(s, GO_MSTATS_LAST_GC_UNIX);
}

/* mgcpacer.go, commit: the goal follows from what was marked, stacks and variables included; the
 * variables' size is moduledata's. */
static bool does_pacer_agree(const struct go_runtime *rt, const struct snap *s)
{
	uint64_t marked = snap_gcc(s, GO_GCC_HEAPMARKED), goal = UINT64_MAX;
	uint64_t globals = snap_gcc(s, GO_GCC_GLOBALSSCAN);
	uint64_t least = snap_gcc(s, GO_GCC_HEAPMINIMUM);
	int32_t percent = get_u32(s->l, GO_GCC_GCPERCENT, s->gcc, s->ngcc);

	if (rt->globals_bytes && globals != rt->globals_bytes)
		return false;
	if (go_has(s->l, GO_GCC_LASTHEAPSCAN) &&
	    snap_gcc(s, GO_GCC_HEAPSCAN) < snap_gcc(s, GO_GCC_LASTHEAPSCAN))
		return false;
	if (!go_has(s->l, GO_GCC_GCPERCENTHEAPGOAL) ||
	    !get_u32(s->l, GO_MSTATS_NUMGC, s->mstats, s->nmstats))
		return true;
	if (percent >= 0)
		goal = marked + (marked + snap_gcc(s, GO_GCC_LASTSTACKSCAN) + globals) *
					(uint64_t)percent / 100;
	goal = goal < least ? least : goal;
	return snap_gcc(s, GO_GCC_GCPERCENTHEAPGOAL) == goal;
}

bool metrics_gc_agrees(const struct go_runtime *rt, const struct snap *s)
{
	return does_ring_agree(s) &&
	       (!s->gcc || !go_has(s->l, GO_GCC_GLOBALSSCAN) || does_pacer_agree(rt, s));
}

int metrics_put_gc(struct go_metrics *g, const struct go_runtime *rt, const struct snap *s)
{
	return put_cycles(g, s) | put_goal(g, rt, s) | put_settings(g, s) | put_scan(g, s);
}
