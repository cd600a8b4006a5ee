/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap's pages, and all of it taken together; the spans are spans.c. Sources: mpagealloc.go
 * (pallocData: 512 alloc bits and 512 scavenged bits for each 4 MiB chunk), mpagecache.go.
 */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"
#include "goruntime/spans.h"

enum {
	MAX_RANGES = 1 << 20,
	ADDR_BITS = 48,	       /* malloc.go, heapAddrBits */
	CHUNK_BYTES = 4 << 20, /* pallocChunkBytes */
	CHUNK_PAGES = 512,
	MAX_PS = 1 << 16,
	P_IDLE = 0, /* runtime2.go, _Pidle */
};

/* Of addresses that the heap has taken, ever: more than that is no heap, and would take long. */
#define MAX_INUSE (1ULL << 44)

static int inuse_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	uint64_t at = rt->g.mheap + rt->l->f[GO_MHEAP_PAGES] + rt->l->f[GO_PAGEALLOC_INUSE] +
		      rt->l->f[GO_ADDRRANGES_RANGES];
	uint64_t prev = 0, sum = 0;
	struct go_slice s;
	int r = rd_slice(rt, pass, at, &s);

	if (r)
		return r;
	if (s.len > MAX_RANGES)
		return -EINVAL;
	for (uint64_t i = 0; i < s.len; i++) {
		uint64_t a[2]; /* addrRange{base, limit offAddr}: mranges.go */

		r = rd(rt, pass, s.ptr + 16 * i, a, sizeof(a));
		if (r)
			return r;
		if (a[0] >= a[1] || a[0] < prev || a[0] % GO_PAGE_SIZE || a[1] % GO_PAGE_SIZE ||
		    a[1] > 1ULL << ADDR_BITS)
			return -EINVAL;
		prev = a[1];
		sum += a[1] - a[0];
		if (sum > MAX_INUSE)
			return -EINVAL;
		if (range_append(&h->inuse, a[0], a[1], 0))
			return -ENOMEM;
	}
	return 0;
}

static inline bool bit(const uint8_t *bits, unsigned int i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/*
 * Appends the runs of free pages of one 4 MiB chunk, within [lo, hi). Allocated and scavenged at
 * once is what never becomes a span: the padding before a random heap base counts as released
 * (markRandomPaddingPages in mpagealloc.go, Go 1.26); any other allocation clears the second bit.
 */
static int chunk_add(struct go_heap *h, const uint8_t d[128], uint64_t base, uint64_t lo,
		     uint64_t hi)
{
	/* 64 GiB of which every other page is free: what tells of more is no heap of Go's */
	enum { RUNS_MAX = 1 << 22 };
	static const uint8_t none[64];
	static const uint8_t full[64] = { [0 ... 63] = 0xff };

	if (!memcmp(d, full, 64) && !memcmp(d + 64, none, 64))
		return 0;
	if (h->pages.n > RUNS_MAX)
		return -EINVAL;
	if (base >= lo && base + CHUNK_BYTES <= hi && !memcmp(d, none, 64) &&
	    !memcmp(d + 64, none, 64))
		return range_append(&h->pages, base, base + CHUNK_BYTES, GO_PAGES_FREE);
	for (unsigned int i = 0; i < CHUNK_PAGES; i++) {
		uint64_t a = base + (uint64_t)i * GO_PAGE_SIZE;
		bool released = bit(d + 64, i);

		if ((bit(d, i) && !released) || a < lo || a >= hi)
			continue;
		if (range_append(&h->pages, a, a + GO_PAGE_SIZE,
				 released ? GO_PAGES_RELEASED : GO_PAGES_FREE))
			return -ENOMEM;
	}
	return 0;
}

static int bitmaps_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	const struct go_layout *l = rt->l;
	uint64_t chunks = rt->g.mheap + l->f[GO_MHEAP_PAGES] + l->f[GO_PAGEALLOC_CHUNKS];
	uint64_t l2bits = l->f[GO_CONST_PALLOCCHUNKS_L2BITS], l1, have = UINT64_MAX, l2 = 0;
	uint64_t offset = l->f[GO_CONST_ARENABASEOFFSET];
	enum { GROUP = 64 };
	uint8_t d[GROUP * 128];

	for (size_t i = 0; i < h->inuse.n; i++) {
		uint64_t lo = h->inuse.v[i].start, hi = h->inuse.v[i].end;

		for (uint64_t a = lo & ~(uint64_t)(CHUNK_BYTES - 1); a < hi;) {
			uint64_t ci = (a - offset) / CHUNK_BYTES, left, n;
			int r;

			l1 = ci >> l2bits;
			left = (1ULL << l2bits) - (ci & ((1ULL << l2bits) - 1));
			n = (hi - a + CHUNK_BYTES - 1) / CHUNK_BYTES;
			n = n < left ? n : left;
			n = n < GROUP ? n : GROUP;
			if (l1 != have) {
				r = rd_u64(rt, pass, chunks + 8 * l1, &l2);
				if (r)
					return r;
				have = l1;
			}
			r = rd(rt, pass, l2 + (ci & ((1ULL << l2bits) - 1)) * 128, d, n * 128);
			if (r && r != -ENODATA)
				return r;
			for (uint64_t k = 0; k < n; k++, a += CHUNK_BYTES)
				if (chunk_add(h, d + k * 128, a, lo, hi))
					return -ENOMEM;
		}
	}
	return 0;
}

/* Pages that a P holds in its cache are allocated in the bitmap, yet free. */
static int caches_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	const struct go_layout *l = rt->l;
	struct go_slice allp;
	int r;

	if (!rt->g.allp)
		return 0;
	r = rd_slice(rt, pass, rt->g.allp, &allp);
	if (r)
		return r;
	for (uint64_t i = 0; i < allp.len && i < MAX_PS; i++) {
		uint64_t p, base, cache, scav, at;

		if (rd_u64(rt, pass, allp.ptr + 8 * i, &p))
			continue;
		at = p + l->f[GO_P_PCACHE];
		if (rd_u64(rt, pass, at + l->f[GO_PAGECACHE_BASE], &base) ||
		    rd_u64(rt, pass, at + l->f[GO_PAGECACHE_CACHE], &cache) ||
		    rd_u64(rt, pass, at + l->f[GO_PAGECACHE_SCAV], &scav))
			continue;
		/* 64 aligned pages; of pages in use, scavenged ones are the padding of 1.26 */
		if (base % (64 * GO_PAGE_SIZE) || (cache && !base)) {
			h->bad++;
			continue;
		}
		scav &= cache;
		for (unsigned int k = 0; k < 64; k++) {
			uint64_t a = base + (uint64_t)k * GO_PAGE_SIZE;
			uint32_t f = scav >> k & 1 ? GO_PAGES_RELEASED : GO_PAGES_FREE;

			if ((cache >> k & 1) &&
			    range_append(&h->pages, a, a + GO_PAGE_SIZE, f | GO_PAGES_CACHED))
				return -ENOMEM;
		}
	}
	range_sort(h->pages.v, h->pages.n);
	return 0;
}

bool go_is_idle(const struct go_runtime *rt)
{
	struct go_slice allp;
	uint32_t status;
	uint64_t p;

	if (!rt->g.allp || rd_slice(rt, PASS_AGAIN, rt->g.allp, &allp) || !allp.len ||
	    allp.len > MAX_PS)
		return false;
	for (uint64_t i = 0; i < allp.len; i++)
		if (rd_u64(rt, PASS_AGAIN, allp.ptr + 8 * i, &p) ||
		    rd(rt, PASS_AGAIN, p + rt->l->f[GO_P_STATUS], &status, 4) || status != P_IDLE)
			return false;
	return true;
}

/* Free pages under a span: the two were read at different moments. */
static void conflicts_count(struct go_heap *h)
{
	size_t s = 0;

	for (size_t i = 0; i < h->pages.n; i++) {
		const struct range *p = &h->pages.v[i];

		while (s < h->spans.n && span_end(&h->spans.v[s]) <= p->start)
			s++;
		for (size_t t = s; t < h->spans.n && h->spans.v[t].start < p->end; t++) {
			uint64_t a = h->spans.v[t].start, z = span_end(&h->spans.v[t]);

			a = a > p->start ? a : p->start;
			z = z < p->end ? z : p->end;
			h->conflict += z > a ? z - a : 0;
		}
	}
}

/* From 1.26 the heap begins at a random page of its first 4 MiB: those before look allocated, and
 * count as released (malloc.go, randomizeHeapBase). */
static uint64_t padding(const struct go_heap *h)
{
	uint64_t first = h->spans.n ? h->spans.v[0].start : UINT64_MAX, n;

	if (h->pages.n && h->pages.v[0].start < first)
		first = h->pages.v[0].start;
	n = h->inuse.n && first != UINT64_MAX ? first - h->inuse.v[0].start : 0;
	return n < CHUNK_BYTES ? n : 0;
}

static void sum_up(struct go_heap *h)
{
	struct go_sums *s = &h->sums;

	s->released = padding(h);
	for (size_t i = 0; i < h->spans.n; i++) {
		uint64_t bytes = (uint64_t)h->spans.v[i].npages * GO_PAGE_SIZE;

		switch ((enum go_span_kind)h->spans.v[i].kind) {
		case GO_SPAN_STACK:
			s->stacks += bytes;
			break;
		case GO_SPAN_MANUAL:
			s->manual += bytes;
			break;
		default:
			s->objects += bytes;
			s->used += h->spans.v[i].alloccount * h->spans.v[i].elemsize;
		}
	}
	for (size_t i = 0; i < h->pages.n; i++) {
		uint64_t bytes = h->pages.v[i].end - h->pages.v[i].start;

		*(h->pages.v[i].flags & GO_PAGES_RELEASED ? &s->released : &s->free) += bytes;
	}
}

uint64_t go_sums_differ(const struct go_sums *a, const struct go_sums *b, const char **what)
{
	const struct {
		const char *name;
		uint64_t a, b;
	} v[] = {
		{ "spans of objects", a->objects, b->objects },
		{ "stacks", a->stacks, b->stacks },
		{ "free pages", a->free, b->free },
		{ "released pages", a->released, b->released },
		{ "objects", a->used, a->used && b->used ? b->used : a->used },
		{ "work buffers", a->manual, a->manual && b->manual ? b->manual : a->manual },
	};
	uint64_t most = 0;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint64_t d = v[i].a > v[i].b ? v[i].a - v[i].b : v[i].b - v[i].a;

		if (d > most)
			*what = v[i].name;
		most = d > most ? d : most;
	}
	return most;
}

static int pages_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *out,
		      const char **what)
{
	static const struct {
		const char *what;
		int (*read)(const struct go_runtime *, enum memsrc_pass, struct go_heap *);
	} parts[] = {
		{ "the page allocator's ranges", inuse_read },
		{ "the page bitmaps", bitmaps_read },
		{ "the page caches", caches_read },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts) && !r; i++) {
		*what = parts[i].what;
		r = parts[i].read(rt, pass, out);
	}
	return r;
}

int go_heap_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *out,
		 struct err *e)
{
	const char *what = "the span table";
	int r;

	*out = (struct go_heap){ 0 };
	r = spans_read(rt, pass, out);
	if (!r)
		r = pages_read(rt, pass, out, &what);
	if (r) {
		go_heap_free(out);
		return err_set(e, r, "reading %s of the Go heap: %s", what, strerror(-r));
	}
	conflicts_count(out);
	sum_up(out);
	return 0;
}

static bool same_ranges(const range_vec *a, const range_vec *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->v[i].start != b->v[i].start || a->v[i].end != b->v[i].end ||
		    a->v[i].flags != b->v[i].flags)
			return false;
	return a->n == b->n;
}

int go_heap_again(const struct go_runtime *rt, const struct go_heap *first, struct go_heap *out,
		  struct err *e)
{
	const char *what = "the span table";
	bool moved = false;
	uint64_t used = 0;
	int r;

	if (first->bad)
		return go_heap_read(rt, PASS_AGAIN, out, e);
	*out = (struct go_heap){ 0 };
	r = spans_again(rt, PASS_AGAIN, first, out, &moved, &used);
	if (!r)
		r = pages_read(rt, PASS_AGAIN, out, &what);
	if (!r && !moved) {
		out->same = same_ranges(&first->pages, &out->pages) &&
			    same_ranges(&first->inuse, &out->inuse);
		for (size_t i = 0; i < first->spans.n && !out->same && !r; i++)
			r = vec_push(&out->spans, first->spans.v[i]);
	}
	if (r) {
		go_heap_free(out);
		return err_set(e, r, "reading %s of the Go heap: %s", what, strerror(-r));
	}
	if (out->same)
		out->sums = first->sums;
	else
		sum_up(out);
	out->sums.used = used;
	return 0;
}

void go_heap_free(struct go_heap *h)
{
	vec_free(&h->spans);
	vec_free(&h->keys);
	vec_free(&h->large);
	vec_free(&h->inuse);
	vec_free(&h->pages);
}

const struct go_span *go_heap_span(const struct go_heap *h, uint64_t addr)
{
	size_t lo = 0, hi = h->spans.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct go_span *s = &h->spans.v[mid];

		if (addr < s->start)
			hi = mid;
		else if (addr >= span_end(s))
			lo = mid + 1;
		else
			return s;
	}
	return NULL;
}
