/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime's own figures under the names of package runtime/metrics.
 *
 * Sources: runtime/metrics.go (which class is which sum), mstats.go (heapStatsDelta). The process
 * goes on while we read, so a read is taken only when the sums that must hold do, else it is thrown
 * away and done again.
 */
#include "goruntime/metrics.h"

#include <stdio.h>

enum {
	RETRIES = 32,
	LARGE_OBJECT = 32 << 10,
	SMALLEST_PAGE = 4096,
	TINY_BLOCK = 16, /* malloc.go: as many objects of a byte share one */
};

static void snap_free(struct snap *s)
{
	free(s->mstats);
	free(s->gcc);
}

static uint64_t fix(const struct snap *s, const uint8_t *f, enum go_field field)
{
	return get_u64(s->l, field, f, s->nfix);
}

int metrics_add(struct go_metrics *g, const char *name, uint64_t v)
{
	return vec_push(&g->v, (struct go_metric){ name, v });
}

static void add_name(char *list, size_t size, const char *name)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, "%s%s", n ? ", " : "", name);
}

void metrics_absent(struct go_metrics *g, const char *name)
{
	add_name(g->absent, sizeof(g->absent), name);
}

void metrics_never(struct go_metrics *g, const char *name)
{
	add_name(g->never, sizeof(g->never), name);
}

void metrics_early(struct go_metrics *g, const char *name)
{
	add_name(g->early, sizeof(g->early), name);
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

static bool sane(uint64_t x)
{
	return x < (1ULL << 56); /* a negative difference is not */
}

/* Everything that was ever mapped, by who has it. */
static uint64_t total_of(const struct snap *s)
{
	return s->committed + s->released + snap_mstats(s, GO_MSTATS_STACKS_SYS) +
	       snap_mstats(s, GO_MSTATS_MSPAN_SYS) + snap_mstats(s, GO_MSTATS_MCACHE_SYS) +
	       snap_mstats(s, GO_MSTATS_BUCKHASH_SYS) + snap_mstats(s, GO_MSTATS_GC_SYS) +
	       snap_mstats(s, GO_MSTATS_OTHER_SYS);
}

/* Large objects: at least 32 KiB each (sizeclasses.go, maxSmallSize). */
bool metrics_is_large(uint64_t bytes, uint64_t count)
{
	return count ? bytes / count >= LARGE_OBJECT : !bytes;
}

bool metrics_are_sane(const struct go_runtime *rt, const struct snap *s)
{
	uint64_t buckets = snap_mstats(s, GO_MSTATS_BUCKHASH_SYS) - rt->masks_bytes;
	uint64_t table = rt->g.buckhash ? s->l->f[GO_CONST_BUCKHASHSIZE] * 8 : 0;
	uint64_t mspan = fix(s, s->span, GO_FIXALLOC_INUSE);
	uint64_t mcache = fix(s, s->cache, GO_FIXALLOC_INUSE);

	return mspan % s->l->f[GO_SIZE_MSPAN] == 0 &&
	       mspan <= snap_mstats(s, GO_MSTATS_MSPAN_SYS) &&
	       mcache % s->l->f[GO_SIZE_MCACHE] == 0 &&
	       mcache <= snap_mstats(s, GO_MSTATS_MCACHE_SYS) &&
	       snap_mstats(s, GO_MSTATS_STACKS_SYS) % SMALLEST_PAGE == 0 &&
	       s->tiny / TINY_BLOCK <= s->alloc_objects &&
	       (!rt->masks_bytes || (buckets >= table && sane(buckets) && !(buckets % 8)));
}

/* What the runtime itself asserts when it reads its figures (mstats.go, readmemstats_m): others
 * keep the same sums, gcController from 1.19, mstats from 1.16 to 1.18. */
static bool is_consistent(const struct go_runtime *rt, const struct snap *s)
{
	uint64_t objects = s->alloc_bytes - s->free_bytes;

	if (!sane(s->committed) || !sane(s->released) || !sane(s->inheap) ||
	    !sane(s->committed - snap_used(s)) || !sane(objects) || !sane(s->inheap - objects) ||
	    !sane(s->alloc_objects - s->free_objects) || !metrics_are_sane(rt, s))
		return false;
	if (go_has(s->l, GO_MSTATS_HEAP_INUSE) &&
	    (snap_mstats(s, GO_MSTATS_HEAP_INUSE) != s->inheap ||
	     snap_mstats(s, GO_MSTATS_HEAP_RELEASED) != s->released))
		return false;
	if (!s->gcc || !go_has(s->l, GO_GCC_HEAPINUSE))
		return true;
	return snap_gcc(s, GO_GCC_HEAPINUSE) == s->inheap &&
	       snap_gcc(s, GO_GCC_HEAPRELEASED) == s->released &&
	       snap_gcc(s, GO_GCC_HEAPFREE) == s->committed - snap_used(s) &&
	       snap_gcc(s, GO_GCC_TOTALALLOC) == s->alloc_bytes &&
	       snap_gcc(s, GO_GCC_TOTALFREE) == s->free_bytes;
}

/* mappedReady changes before the kernel is asked, the others after it has answered (mem.go,
 * sysUnused; mgcscavenge.go, scavengeOne). */
static bool is_mapped(const struct snap *s)
{
	return !s->gcc || !go_has(s->l, GO_GCC_MAPPEDREADY) ||
	       snap_gcc(s, GO_GCC_MAPPEDREADY) == total_of(s) - s->released;
}

static int heapstats_sums(const struct go_runtime *rt, struct snap *s)
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
	s->bad = !metrics_is_large(s->alloc_bytes, s->alloc_objects) ||
		 !metrics_is_large(s->free_bytes, s->free_objects);
	for (uint32_t i = 0; i < s->l->nclasses; i++) {
		uint64_t a = delta(s, GO_HEAPDELTA_SMALLALLOCCOUNT, i);
		uint64_t f = delta(s, GO_HEAPDELTA_SMALLFREECOUNT, i);

		s->alloc_objects += a;
		s->free_objects += f;
		s->alloc_bytes += a * s->l->class_size[i];
		s->free_bytes += f * s->l->class_size[i];
	}
	s->bad |= !is_consistent(rt, s);
	s->unmapped = !is_mapped(s);
	return 0;
}

/* Up to 1.16 all of the newest arena counts as released, also what has no pages yet (mheap.go,
 * grow). */
static uint64_t read_unpaged(const struct go_runtime *rt)
{
	uint64_t v[2] = { 0 };

	if (!go_has(rt->l, GO_MSTATS_NEXT_GC) ||
	    rd_vars(rt, PASS_BOOKS, rt->g.mheap + rt->l->f[GO_MHEAP_CURARENA], v, sizeof(v)))
		return 0;
	return v[1] - v[0];
}

static int put_classes(struct go_metrics *g, const struct snap *s)
{
	uint64_t objects = s->alloc_bytes - s->free_bytes;
	uint64_t gcsys = snap_mstats(s, GO_MSTATS_GC_SYS);
	uint64_t mspan = fix(s, s->span, GO_FIXALLOC_INUSE);
	uint64_t mspan_sys = snap_mstats(s, GO_MSTATS_MSPAN_SYS);
	uint64_t mcache = fix(s, s->cache, GO_FIXALLOC_INUSE);
	uint64_t mcache_sys = snap_mstats(s, GO_MSTATS_MCACHE_SYS);
	uint64_t stacks = snap_mstats(s, GO_MSTATS_STACKS_SYS);
	uint64_t buckhash = snap_mstats(s, GO_MSTATS_BUCKHASH_SYS);
	uint64_t other = snap_mstats(s, GO_MSTATS_OTHER_SYS);
	const struct go_metric v[] = {
		{ "/memory/classes/heap/free:bytes", s->committed - snap_used(s) },
		{ "/memory/classes/heap/objects:bytes", objects },
		{ "/memory/classes/heap/released:bytes", s->released },
		{ "/memory/classes/heap/stacks:bytes", s->instacks },
		{ "/memory/classes/heap/unused:bytes", s->inheap - objects },
		{ "/memory/classes/metadata/mcache/free:bytes", mcache_sys - mcache },
		{ "/memory/classes/metadata/mcache/inuse:bytes", mcache },
		{ "/memory/classes/metadata/mspan/free:bytes", mspan_sys - mspan },
		{ "/memory/classes/metadata/mspan/inuse:bytes", mspan },
		{ "/memory/classes/metadata/other:bytes", s->inworkbufs + s->inptrscalar + gcsys },
		{ "/memory/classes/os-stacks:bytes", stacks },
		{ "/memory/classes/other:bytes", other },
		{ "/memory/classes/profiling/buckets:bytes", buckhash },
		{ "/gc/heap/allocs:bytes", s->alloc_bytes },
		{ "/gc/heap/allocs:objects", s->alloc_objects },
		{ "/gc/heap/frees:bytes", s->free_bytes },
		{ "/gc/heap/frees:objects", s->free_objects },
		{ "/gc/heap/objects:objects", s->alloc_objects - s->free_objects },
	};
	int r = 0;

	g->total = total_of(s);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		r |= metrics_add(g, v[i].name, v[i].value);
	r |= metrics_add(g, "/memory/classes/total:bytes", g->total);
	if (go_has(s->l, GO_HEAPDELTA_TINYALLOCCOUNT) || go_has(s->l, GO_MSTATS_TINYALLOCS))
		r |= metrics_add(g, "/gc/heap/tiny/allocs:objects", s->tiny);
	return r;
}

static int snap_take(const struct go_runtime *rt, struct snap *s)
{
	int r = snap_read(rt, s);

	if (!r)
		r = go_has(rt->l, GO_MSTATS_HEAPSTATS) ? heapstats_sums(rt, s)
						       : metrics_old_sums(rt, s);
	s->unpaged = r ? 0 : read_unpaged(rt);
	return r;
}

static uint64_t snap_hash(const struct snap *s)
{
	return hash_bytes(hash_bytes(0, s->mstats, s->nmstats), s->gcc, s->gcc ? s->ngcc : 0);
}

/* In a process that never stops giving memory back `unmapped` is of no weight; in one that stands
 * still it is. */
static int read_consistent(const struct go_runtime *rt, struct snap *s, struct go_metrics *out)
{
	uint64_t first = 0;
	bool moves = false;

	for (;; rd_again(rt, ++out->retries)) {
		int r = snap_take(rt, s);

		if (r)
			return r;
		out->torn = s->bad || s->unmapped || !metrics_gc_agrees(rt, s);
		if (!out->torn)
			return 0;
		if (!out->retries)
			first = snap_hash(s);
		moves |= snap_hash(s) != first;
		if (out->retries == RETRIES)
			break;
	}
	out->torn = s->bad || !moves || !metrics_gc_agrees(rt, s);
	return 0;
}

/* What put_classes gives, too. */
static struct go_sums sums_of(const struct snap *s)
{
	return (struct go_sums){ s->inheap,
				 s->instacks,
				 s->inworkbufs + s->inptrscalar,
				 s->committed - snap_used(s),
				 s->released - s->unpaged,
				 s->used };
}

int go_sums_read(const struct go_runtime *rt, struct go_sums *out)
{
	_cleanup_(snap_free) struct snap s = { 0 };
	int r = snap_take(rt, &s);

	if (r)
		return r;
	*out = sums_of(&s);
	return s.bad ? -EAGAIN : 0;
}

static int read_metrics(const struct go_runtime *rt, bool walk, struct go_metrics *out,
			struct err *e)
{
	_cleanup_(snap_free) struct snap s = { 0 };
	int r;

	*out = (struct go_metrics){ 0 };
	r = read_consistent(rt, &s, out);
	if (r)
		return err_set(e, r, "the runtime's figures: reading memstats: %s", strerror(-r));
	out->sums = sums_of(&s);
	r = put_classes(out, &s) | metrics_put_gc(out, rt, &s);
	r |= metrics_put_sched(out, rt, walk); /* after the number of cycles is known */
	if (r) {
		go_metrics_free(out);
		return err_set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

int go_metrics_read(const struct go_runtime *rt, struct go_metrics *out, struct err *e)
{
	return read_metrics(rt, true, out, e);
}

int go_counters_read(const struct go_runtime *rt, struct go_metrics *out, struct err *e)
{
	return read_metrics(rt, false, out, e);
}

void go_metrics_free(struct go_metrics *g)
{
	vec_free(&g->v);
}
