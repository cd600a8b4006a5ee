/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime's own figures under the names of package runtime/metrics.
 *
 * Sources: runtime/metrics.go (which class is which sum), mstats.go (heapStatsDelta),
 * mgcpacer.go (heapGoalInternal, memoryLimitHeapGoal). The process goes on while we read, so a
 * read is taken only when the sums that must hold do, else it is thrown away and done again.
 */
#include "goruntime/goruntime.h"

#include "goruntime/rd.h"

enum { RETRIES = 32, MIN_TRIGGER_DISTANCE = 64 << 10 };

struct snap {
	const struct go_layout *l;
	uint8_t *mstats, *gcc;
	size_t nmstats, ngcc;
	uint8_t span[256], cache[256]; /* the two fixallocs */
	size_t nfix;
	/* heapStats, summed over the three generations */
	uint64_t committed, released, inheap, instacks, inworkbufs, inptrscalar, tiny;
	uint64_t alloc_bytes, free_bytes, alloc_objects, free_objects;
};

static void snap_free(struct snap *s)
{
	free(s->mstats);
	free(s->gcc);
}

static uint64_t ms(const struct snap *s, enum go_field f)
{
	return get_u64(s->l, f, s->mstats, s->nmstats);
}

static uint64_t gcc(const struct snap *s, enum go_field f)
{
	return get_u64(s->l, f, s->gcc, s->ngcc);
}

static uint64_t fix(const struct snap *s, const uint8_t *f, enum go_field field)
{
	return get_u64(s->l, field, f, s->nfix);
}

static int add(struct go_metrics *g, const char *name, uint64_t v)
{
	return vec_push(&g->v, (struct go_metric){ name, v });
}

static int snap_read(const struct go_runtime *rt, struct snap *s)
{
	const struct go_layout *l = rt->l;
	int r;

	s->l = l;
	s->nmstats = l->f[GO_SIZE_MSTATS];
	s->nfix = l->f[GO_SIZE_FIXALLOC];
	if (s->nfix > sizeof(s->span))
		return -EINVAL;
	if (!s->mstats)
		s->mstats = malloc(s->nmstats);
	if (rt->g.gccontroller && !s->gcc) {
		s->ngcc = l->f[GO_SIZE_GCCONTROLLER];
		s->gcc = malloc(s->ngcc);
	}
	if (!s->mstats || (rt->g.gccontroller && !s->gcc))
		return -ENOMEM;
	r = rd_vars(rt, PASS_BOOKS, rt->g.memstats, s->mstats, s->nmstats);
	if (!r)
		r = rd_vars(rt, PASS_BOOKS, rt->g.mheap + l->f[GO_MHEAP_SPANALLOC], s->span,
			    s->nfix);
	if (!r)
		r = rd_vars(rt, PASS_BOOKS, rt->g.mheap + l->f[GO_MHEAP_CACHEALLOC], s->cache,
			    s->nfix);
	if (!r && s->gcc)
		r = rd_vars(rt, PASS_BOOKS, rt->g.gccontroller, s->gcc, s->ngcc);
	return r;
}

static uint64_t delta(const struct snap *s, enum go_field f, unsigned int index)
{
	const struct go_layout *l = s->l;
	uint64_t sum = 0;

	if (!go_has(l, f))
		return 0;
	for (int gen = 0; gen < 3; gen++) {
		uint64_t o = l->f[GO_MSTATS_HEAPSTATS] + l->f[GO_HEAPSTATS_STATS] +
			     gen * l->f[GO_SIZE_HEAPDELTA] + l->f[f] + 8 * index;

		if (o + 8 <= s->nmstats)
			sum += load_u64(s->mstats + o);
	}
	return sum;
}

static void heapstats_sum(struct snap *s)
{
	s->committed = delta(s, GO_HEAPDELTA_COMMITTED, 0);
	s->released = delta(s, GO_HEAPDELTA_RELEASED, 0);
	s->inheap = delta(s, GO_HEAPDELTA_INHEAP, 0);
	s->instacks = delta(s, GO_HEAPDELTA_INSTACKS, 0);
	s->inworkbufs = delta(s, GO_HEAPDELTA_INWORKBUFS, 0);
	s->inptrscalar = delta(s, GO_HEAPDELTA_INPTRSCALARBITS, 0);
	s->tiny = delta(s, GO_HEAPDELTA_TINYALLOCCOUNT, 0);
	s->alloc_bytes = delta(s, GO_HEAPDELTA_LARGEALLOC, 0);
	s->free_bytes = delta(s, GO_HEAPDELTA_LARGEFREE, 0);
	s->alloc_objects = delta(s, GO_HEAPDELTA_LARGEALLOCCOUNT, 0);
	s->free_objects = delta(s, GO_HEAPDELTA_LARGEFREECOUNT, 0);
	for (uint32_t i = 0; i < s->l->nclasses; i++) {
		uint64_t a = delta(s, GO_HEAPDELTA_SMALLALLOCCOUNT, i);
		uint64_t f = delta(s, GO_HEAPDELTA_SMALLFREECOUNT, i);

		s->alloc_objects += a;
		s->free_objects += f;
		s->alloc_bytes += a * s->l->class_size[i];
		s->free_bytes += f * s->l->class_size[i];
	}
}

static bool sane(uint64_t x)
{
	return x < (1ULL << 56); /* a negative difference is not */
}

/* What the runtime itself asserts in readmemstats_m, plus gcController's copy of the sums. */
static bool consistent(const struct snap *s)
{
	uint64_t used = s->inheap + s->instacks + s->inworkbufs + s->inptrscalar;

	if (!sane(s->committed) || !sane(s->released) || !sane(s->inheap) ||
	    !sane(s->committed - used) || !sane(s->alloc_bytes - s->free_bytes) ||
	    !sane(s->inheap - (s->alloc_bytes - s->free_bytes)))
		return false;
	if (!s->gcc)
		return true;
	return gcc(s, GO_GCC_HEAPINUSE) == s->inheap &&
	       gcc(s, GO_GCC_HEAPRELEASED) == s->released &&
	       gcc(s, GO_GCC_HEAPFREE) == s->committed - used;
}

/* mgcpacer.go: memoryLimitHeapGoal */
static uint64_t limit_goal(const struct snap *s)
{
	uint64_t limit = gcc(s, GO_GCC_MEMORYLIMIT), mapped = gcc(s, GO_GCC_MAPPEDREADY);
	uint64_t marked = gcc(s, GO_GCC_HEAPMARKED);
	uint64_t nonheap = mapped - gcc(s, GO_GCC_HEAPFREE) -
			   (gcc(s, GO_GCC_TOTALALLOC) - gcc(s, GO_GCC_TOTALFREE));
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

/* mgcpacer.go: heapGoalInternal */
static uint64_t heap_goal(const struct snap *s)
{
	uint64_t goal = gcc(s, GO_GCC_GCPERCENTHEAPGOAL), x;

	if (gcc(s, GO_GCC_MEMORYLIMIT) != INT64_MAX) {
		x = limit_goal(s);
		if (x < goal)
			return x;
	}
	x = gcc(s, GO_GCC_SWEEPDISTMINTRIGGER);
	if (x > goal)
		goal = x;
	x = gcc(s, GO_GCC_TRIGGERED);
	if (x != UINT64_MAX && goal < x + MIN_TRIGGER_DISTANCE)
		goal = x + MIN_TRIGGER_DISTANCE;
	return goal;
}

static int put_classes(struct go_metrics *g, const struct snap *s)
{
	uint64_t objects = s->alloc_bytes - s->free_bytes, gcsys = ms(s, GO_MSTATS_GC_SYS);
	uint64_t used = s->inheap + s->instacks + s->inworkbufs + s->inptrscalar;
	uint64_t mspan = fix(s, s->span, GO_FIXALLOC_INUSE), mspan_sys = ms(s, GO_MSTATS_MSPAN_SYS);
	uint64_t mcache = fix(s, s->cache, GO_FIXALLOC_INUSE);
	uint64_t mcache_sys = ms(s, GO_MSTATS_MCACHE_SYS);
	int r = 0;

	g->total = s->committed + s->released + ms(s, GO_MSTATS_STACKS_SYS) + mspan_sys +
		   mcache_sys + ms(s, GO_MSTATS_BUCKHASH_SYS) + gcsys + ms(s, GO_MSTATS_OTHER_SYS);
	r |= add(g, "/memory/classes/heap/free:bytes", s->committed - used);
	r |= add(g, "/memory/classes/heap/objects:bytes", objects);
	r |= add(g, "/memory/classes/heap/released:bytes", s->released);
	r |= add(g, "/memory/classes/heap/stacks:bytes", s->instacks);
	r |= add(g, "/memory/classes/heap/unused:bytes", s->inheap - objects);
	r |= add(g, "/memory/classes/metadata/mcache/free:bytes", mcache_sys - mcache);
	r |= add(g, "/memory/classes/metadata/mcache/inuse:bytes", mcache);
	r |= add(g, "/memory/classes/metadata/mspan/free:bytes", mspan_sys - mspan);
	r |= add(g, "/memory/classes/metadata/mspan/inuse:bytes", mspan);
	r |= add(g, "/memory/classes/metadata/other:bytes", s->inworkbufs + s->inptrscalar + gcsys);
	r |= add(g, "/memory/classes/os-stacks:bytes", ms(s, GO_MSTATS_STACKS_SYS));
	r |= add(g, "/memory/classes/other:bytes", ms(s, GO_MSTATS_OTHER_SYS));
	r |= add(g, "/memory/classes/profiling/buckets:bytes", ms(s, GO_MSTATS_BUCKHASH_SYS));
	r |= add(g, "/memory/classes/total:bytes", g->total);
	r |= add(g, "/gc/heap/allocs:bytes", s->alloc_bytes);
	r |= add(g, "/gc/heap/allocs:objects", s->alloc_objects);
	r |= add(g, "/gc/heap/frees:bytes", s->free_bytes);
	r |= add(g, "/gc/heap/frees:objects", s->free_objects);
	r |= add(g, "/gc/heap/objects:objects", s->alloc_objects - s->free_objects);
	if (go_has(s->l, GO_HEAPDELTA_TINYALLOCCOUNT))
		r |= add(g, "/gc/heap/tiny/allocs:objects", s->tiny);
	return r;
}

static int put_gc(struct go_metrics *g, const struct snap *s)
{
	uint32_t cycles = get_u32(s->l, GO_MSTATS_NUMGC, s->mstats, s->nmstats);
	uint64_t o = s->l->f[GO_MSTATS_PAUSE_NS] + 8 * ((cycles + 255) % 256);
	int r = 0;

	g->gc_cycles = cycles;
	g->last_gc_unix_ns = ms(s, GO_MSTATS_LAST_GC_UNIX);
	if (cycles && o + 8 <= s->nmstats) {
		g->has_pause = true;
		g->last_pause_ns = load_u64(s->mstats + o);
	}
	r |= add(g, "/gc/cycles/forced:gc-cycles",
		 get_u32(s->l, GO_MSTATS_NUMFORCEDGC, s->mstats, s->nmstats));
	r |= add(g, "/gc/cycles/total:gc-cycles", cycles);
	if (!s->gcc)
		return r;
	g->has_live = g->has_goal = g->has_gogc = true;
	g->live = gcc(s, GO_GCC_HEAPMARKED);
	g->goal = heap_goal(s);
	g->gogc = (int32_t)get_u32(s->l, GO_GCC_GCPERCENT, s->gcc, s->ngcc);
	g->memory_limit = gcc(s, GO_GCC_MEMORYLIMIT);
	g->has_limit = g->memory_limit != INT64_MAX;
	r |= add(g, "/gc/heap/goal:bytes", g->goal);
	r |= add(g, "/gc/heap/live:bytes", g->live);
	if (g->gogc >= 0)
		r |= add(g, "/gc/gogc:percent", g->gogc);
	if (g->has_limit)
		r |= add(g, "/gc/gomemlimit:bytes", g->memory_limit);
	if (go_has(s->l, GO_GCC_LASTSTACKSCAN)) {
		uint64_t heap = gcc(s, GO_GCC_HEAPSCAN), stack = gcc(s, GO_GCC_LASTSTACKSCAN);
		uint64_t globals = gcc(s, GO_GCC_GLOBALSSCAN);

		r |= add(g, "/gc/scan/globals:bytes", globals);
		r |= add(g, "/gc/scan/heap:bytes", heap);
		r |= add(g, "/gc/scan/stack:bytes", stack);
		r |= add(g, "/gc/scan/total:bytes", globals + heap + stack);
	}
	return r;
}

int go_metrics_read(const struct go_runtime *rt, struct go_metrics *out, struct err *e)
{
	_cleanup_(snap_free) struct snap s = { 0 };
	int r;

	*out = (struct go_metrics){ 0 };
	if (!go_has(rt->l, GO_MSTATS_HEAPSTATS))
		return err_set(e, -ENOTSUP,
			       "the runtime's figures of %s are not read yet: releases "
			       "before 1.16 keep them elsewhere",
			       rt->layout);
	for (;; out->retries++) {
		r = snap_read(rt, &s);
		if (r)
			return err_set(e, r, "the runtime's figures: reading memstats: %s",
				       strerror(-r));
		heapstats_sum(&s);
		if (consistent(&s))
			break;
		if (out->retries == RETRIES) {
			out->torn = true;
			break;
		}
		memsrc_flush(rt->m);
	}
	r = put_classes(out, &s) | put_gc(out, &s);
	if (r) {
		go_metrics_free(out);
		return err_set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

void go_metrics_free(struct go_metrics *g)
{
	vec_free(&g->v);
}
