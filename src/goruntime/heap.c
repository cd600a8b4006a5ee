/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap's spans and pages. Sources: runtime/mheap.go (mspan, allspans), mpagealloc.go
 * (pallocData: 512 alloc bits and 512 scavenged bits for each 4 MiB chunk), mpagecache.go.
 *
 * mspans are cut from 16 KiB blocks, so the pointers of allspans, sorted, are read in runs.
 */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"

enum {
	MAX_SPANS = 1 << 26,
	MAX_RANGES = 1 << 20,
	RUN_GAP = 16384, /* mspans nearer than this are read in one go */
	RUN_MAX = 1 << 20,
	CHUNK_BYTES = 4 << 20, /* pallocChunkBytes */
	CHUNK_PAGES = 512,
	STATE_DEAD = 0,
	STATE_INUSE = 1,
	STATE_MANUAL = 2,
};

static uint64_t span_end(const struct go_span *s)
{
	return s->start + (uint64_t)s->npages * GO_PAGE_SIZE;
}

/* mheap.go, mspan.sweepgen: −2 needs sweeping, −1 is being swept, +1 was cached before the sweep
 * began and needs it; 0 and +3 (cached since) are swept. */
static bool is_unswept(uint32_t span, uint32_t heap)
{
	return span == heap - 2 || span == heap - 1 || span == heap + 1;
}

static int span_decode(const struct go_layout *l, const uint8_t *p, uint32_t sweepgen,
		       struct go_heap *h)
{
	size_t n = l->f[GO_SIZE_MSPAN];
	uint8_t state = get_u8(l, GO_MSPAN_STATE, p, n);
	uint64_t pages = get_u64(l, GO_MSPAN_NPAGES, p, n);
	struct go_span s = {
		.start = get_u64(l, GO_MSPAN_STARTADDR, p, n),
		.elemsize = get_u64(l, GO_MSPAN_ELEMSIZE, p, n),
		.npages = pages,
		.nelems = get_uint(l, GO_MSPAN_NELEMS, GO_MSPAN_NELEMS_WIDTH, p, n),
		.freeindex = get_uint(l, GO_MSPAN_FREEINDEX, GO_MSPAN_FREEINDEX_WIDTH, p, n),
		.spanclass = get_u8(l, GO_MSPAN_SPANCLASS, p, n),
	};
	uint64_t count;

	memcpy(&s.alloccount, p + l->f[GO_MSPAN_ALLOCCOUNT], 2);
	if (state == STATE_DEAD)
		return 0;
	if (state > STATE_MANUAL || !pages || pages >> 31 || !s.start || s.start % GO_PAGE_SIZE ||
	    s.start + pages * GO_PAGE_SIZE < s.start) {
		h->bad++;
		return 0;
	}
	if (state == STATE_MANUAL) {
		s.kind = s.elemsize ? GO_SPAN_STACK : GO_SPAN_MANUAL;
		s.nelems = s.freeindex = s.alloccount = 0;
		return vec_push(&h->spans, s);
	}
	count = s.nelems;
	if (go_has(l, GO_MSPAN_USERARENA) && get_u8(l, GO_MSPAN_USERARENA, p, n)) {
		s.kind = GO_SPAN_USERARENA;
	} else if (!count || !s.elemsize || count * s.elemsize > pages * GO_PAGE_SIZE ||
		   s.freeindex > count || s.alloccount > count) {
		h->bad++;
		s.nelems = 0; /* all of it counts as in use */
	} else {
		s.allocbits = get_u64(l, GO_MSPAN_ALLOCBITS, p, n);
		s.markbits = get_u64(l, GO_MSPAN_GCMARKBITS, p, n);
		s.unswept = is_unswept(get_u32(l, GO_MSPAN_SWEEPGEN, p, n), sweepgen);
	}
	return vec_push(&h->spans, s);
}

/* Reads the mspans ptr[0..n). In order of allocation neighbours in the table are neighbours in
 * memory, mostly; each run of them is one read. */
static int spans_decode(const struct go_runtime *rt, enum memsrc_pass pass, const uint64_t *ptr,
			size_t n, struct go_heap *h)
{
	size_t size = rt->l->f[GO_SIZE_MSPAN];
	_free_ uint8_t *buf = malloc(RUN_MAX + size);
	uint32_t sweepgen;
	int r;

	if (!buf)
		return -ENOMEM;
	r = rd(rt, pass, rt->g.mheap + rt->l->f[GO_MHEAP_SWEEPGEN], &sweepgen, 4);
	if (r)
		return r;
	for (size_t i = 0, j; i < n; i = j) {

		for (j = i + 1; j < n && ptr[j] > ptr[j - 1] && ptr[j] - ptr[j - 1] <= RUN_GAP &&
				ptr[j] - ptr[i] < RUN_MAX;)
			j++;
		r = rd(rt, pass, ptr[i], buf, ptr[j - 1] + size - ptr[i]);
		if (r == -EFAULT) {
			h->bad += j - i;
			continue;
		}
		if (r && r != -ENODATA)
			return r;
		for (size_t k = i; k < j; k++)
			if (span_decode(rt->l, buf + (ptr[k] - ptr[i]), sweepgen, h))
				return -ENOMEM;
	}
	return 0;
}

/* Radix sort by start address: a heap of 4 GiB can have half a million spans, twice a look. */
static int spans_sort(struct go_heap *h)
{
	enum { DIGIT = 11, BUCKETS = 1 << DIGIT };
	uint64_t min = UINT64_MAX, max = 0;
	struct go_span *from = h->spans.v, *to;
	size_t n = h->spans.n, count[BUCKETS];
	bool sorted = true;

	for (size_t i = 0; i < n; i++) {
		min = from[i].start < min ? from[i].start : min;
		max = from[i].start > max ? from[i].start : max;
		sorted &= !i || from[i - 1].start <= from[i].start;
	}
	if (sorted)
		return 0;
	to = malloc(n * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (unsigned int shift = 13; (max - min) >> shift; shift += DIGIT) {
		struct go_span *t = from;
		size_t at = 0;

		memset(count, 0, sizeof(count));
		for (size_t i = 0; i < n; i++)
			count[(from[i].start - min) >> shift & (BUCKETS - 1)]++;
		for (size_t i = 0; i < BUCKETS; i++) {
			size_t c = count[i];

			count[i] = at;
			at += c;
		}
		for (size_t i = 0; i < n; i++)
			to[count[(from[i].start - min) >> shift & (BUCKETS - 1)]++] = from[i];
		from = to;
		to = t;
	}
	free(to);
	h->spans.v = from;
	h->spans.cap = n;
	return 0;
}

/* Spans never overlap at rest; of a torn pair the later in address order loses. */
static void spans_separate(struct go_heap *h)
{
	size_t k = 0;

	for (size_t i = 0; i < h->spans.n; i++) {
		if (k && h->spans.v[i].start < span_end(&h->spans.v[k - 1]))
			h->bad++;
		else
			h->spans.v[k++] = h->spans.v[i];
	}
	h->spans.n = k;
}

static int spans_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	_free_ uint64_t *ptr = NULL;
	struct go_slice all;
	size_t n = 0;
	int r = rd_slice(rt, pass, rt->g.mheap + rt->l->f[GO_MHEAP_ALLSPANS], &all);

	if (r)
		return r;
	if (all.len > MAX_SPANS)
		return -EINVAL;
	ptr = malloc(all.len * 8 + 8);
	if (!ptr)
		return -ENOMEM;
	r = rd(rt, pass, all.ptr, ptr, all.len * 8);
	if (r && r != -ENODATA)
		return r;
	for (size_t i = 0; i < all.len; i++)
		if (ptr[i])
			ptr[n++] = ptr[i];
	h->nspans = n;
	r = vec_reserve(&h->spans, n);
	if (!r)
		r = spans_decode(rt, pass, ptr, n, h);
	if (!r)
		r = spans_sort(h);
	if (!r)
		spans_separate(h);
	return r;
}

static int inuse_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	uint64_t at = rt->g.mheap + rt->l->f[GO_MHEAP_PAGES] + rt->l->f[GO_PAGEALLOC_INUSE] +
		      rt->l->f[GO_ADDRRANGES_RANGES];
	uint64_t prev = 0;
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
		    a[1] - a[0] > (1ULL << 46))
			return -EINVAL;
		prev = a[1];
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
	static const uint8_t none[64];
	static const uint8_t full[64] = { [0 ... 63] = 0xff };

	if (!memcmp(d, full, 64) && !memcmp(d + 64, none, 64))
		return 0;
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
	for (uint64_t i = 0; i < allp.len && i < 65536; i++) {
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

int go_heap_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *out,
		 struct err *e)
{
	const char *what = "the span table";
	int r;

	*out = (struct go_heap){ 0 };
	r = spans_read(rt, pass, out);
	if (!r) {
		what = "the page allocator's ranges";
		r = inuse_read(rt, pass, out);
	}
	if (!r) {
		what = "the page bitmaps";
		r = bitmaps_read(rt, pass, out);
	}
	if (!r) {
		what = "the page caches";
		r = caches_read(rt, pass, out);
	}
	if (r) {
		go_heap_free(out);
		return err_set(e, r, "reading %s of the Go heap: %s", what, strerror(-r));
	}
	conflicts_count(out);
	sum_up(out);
	return 0;
}

void go_heap_free(struct go_heap *h)
{
	vec_free(&h->spans);
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
