/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Go 1.15: the heap's sums before there were heapStats. Objects are counted where they are cut
 * (mcentral.nmalloc, mheap_.largealloc) and freed (mheap_, mcaches); spans in the mcaches count as
 * full until they are given back. Source: mstats.go of 1.15, updatememstats and purgecachedstats,
 * which flush the mcaches first; the same is subtracted here.
 */
#include "goruntime/metrics.h"

enum { MAX_CLASSES = GO_MAX_SIZECLASS, MAX_PS = 1 << 16 };

struct old {
	const struct go_runtime *rt;
	const struct go_layout *l;
	struct snap *s;
	uint8_t *mspan;
};

static uint64_t at_u64(const struct old *o, uint64_t addr)
{
	uint64_t v = 0;

	if (rd_vars(o->rt, PASS_BOOKS, addr, &v, 8))
		o->s->bad = true;
	return v;
}

/* nmalloc of each of the two span classes of every size class */
static void add_centrals(const struct old *o)
{
	uint64_t n = 2 * o->l->nclasses, stride = o->l->f[GO_MHEAP_CENTRAL_WIDTH] / n;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t c = at_u64(o, o->rt->g.mheap + o->l->f[GO_MHEAP_CENTRAL] + i * stride +
					       o->l->f[GO_MCENTRAL_NMALLOC]);

		o->s->alloc_objects += c;
		o->s->alloc_bytes += c * o->l->class_size[i / 2];
	}
}

static void add_frees(const struct old *o, uint64_t small, uint64_t nlarge, uint64_t large)
{
	uint64_t n[MAX_CLASSES] = { 0 };

	if (rd_vars(o->rt, PASS_BOOKS, small, n, o->l->nclasses * 8))
		o->s->bad = true;
	for (uint32_t i = 1; i < o->l->nclasses; i++) {
		o->s->free_objects += n[i];
		o->s->free_bytes += n[i] * o->l->class_size[i];
	}
	o->s->free_objects += at_u64(o, nlarge);
	o->s->free_bytes += at_u64(o, large);
}

/* What is not cut yet of a cached span was counted when it was cached. */
static void subtract_cached(const struct old *o, uint64_t span)
{
	const struct go_layout *l = o->l;
	size_t n = l->f[GO_SIZE_MSPAN];
	uint64_t nelems, left;
	uint16_t used;

	if (!span || rd_vars(o->rt, PASS_BOOKS, span, o->mspan, n)) {
		o->s->bad = true;
		return;
	}
	nelems = get_uint(l, GO_MSPAN_NELEMS, GO_MSPAN_NELEMS_WIDTH, o->mspan, n);
	memcpy(&used, o->mspan + l->f[GO_MSPAN_ALLOCCOUNT], 2);
	left = nelems > used ? nelems - used : 0;
	o->s->alloc_objects -= left;
	o->s->alloc_bytes -= left * get_u64(l, GO_MSPAN_ELEMSIZE, o->mspan, n);
}

static void add_mcache(const struct old *o, uint64_t c)
{
	const struct go_layout *l = o->l;
	uint64_t span[2 * MAX_CLASSES];

	o->s->tiny += at_u64(o, c + l->f[GO_MCACHE_TINYALLOCS]);
	add_frees(o, c + l->f[GO_MCACHE_NSMALLFREE], c + l->f[GO_MCACHE_NLARGEFREE],
		  c + l->f[GO_MCACHE_LARGEFREE]);
	if (rd_vars(o->rt, PASS_BOOKS, c + l->f[GO_MCACHE_ALLOC], span, 16 * l->nclasses)) {
		o->s->bad = true;
		return;
	}
	for (uint32_t i = 2; i < 2 * l->nclasses; i++)
		subtract_cached(o, span[i]);
}

static int add_mcaches(const struct old *o)
{
	struct go_slice allp;
	int r;

	if (!o->rt->g.allp)
		return -ENOENT;
	r = rd_slice(o->rt, PASS_BOOKS, o->rt->g.allp, &allp);
	for (uint64_t i = 0; !r && i < allp.len && i < MAX_PS; i++) {
		uint64_t p = at_u64(o, allp.ptr + 8 * i);
		uint64_t c = p ? at_u64(o, p + o->l->f[GO_P_MCACHE]) : 0;

		if (c)
			add_mcache(o, c);
	}
	return r;
}

int metrics_old_sums(const struct go_runtime *rt, struct snap *s)
{
	const struct go_layout *l = rt->l;
	struct old o = { .rt = rt, .l = l, .s = s, .mspan = malloc(l->f[GO_SIZE_MSPAN]) };
	uint64_t mheap = rt->g.mheap, sys = snap_mstats(s, GO_MSTATS_HEAP_SYS), objects;
	int r = o.mspan ? 0 : -ENOMEM;

	s->inheap = snap_mstats(s, GO_MSTATS_HEAP_INUSE);
	s->released = snap_mstats(s, GO_MSTATS_HEAP_RELEASED);
	s->instacks = snap_mstats(s, GO_MSTATS_STACKS_INUSE);
	s->committed = sys - s->released + s->instacks; /* heap_sys leaves stacks out */
	s->inworkbufs = s->inptrscalar = 0;		/* in gc_sys */
	s->tiny = snap_mstats(s, GO_MSTATS_TINYALLOCS);
	s->alloc_objects = at_u64(&o, mheap + l->f[GO_MHEAP_NLARGEALLOC]);
	s->alloc_bytes = at_u64(&o, mheap + l->f[GO_MHEAP_LARGEALLOC]);
	s->free_objects = s->free_bytes = 0;
	s->bad = !metrics_is_large(s->alloc_bytes, s->alloc_objects) ||
		 s->alloc_bytes % GO_PAGE_SIZE;
	if (!r) {
		add_centrals(&o);
		add_frees(&o, mheap + l->f[GO_MHEAP_NSMALLFREE], mheap + l->f[GO_MHEAP_NLARGEFREE],
			  mheap + l->f[GO_MHEAP_LARGEFREE]);
		r = add_mcaches(&o);
	}
	free(o.mspan);
	s->used = s->alloc_bytes - s->free_bytes;
	objects = s->alloc_bytes - s->free_bytes;
	s->bad |= sys != s->inheap + snap_mstats(s, GO_MSTATS_HEAP_IDLE) || s->released > sys ||
		  s->alloc_bytes < s->free_bytes || objects > s->inheap || !metrics_are_sane(rt, s);
	return r;
}
