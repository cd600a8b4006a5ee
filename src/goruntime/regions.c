/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime's memory outside the heap: what sysAlloc and persistentalloc gave it.
 *
 * Sources: runtime/malloc.go (arenas, persistentalloc), mpagealloc_64bit.go (summaries),
 * mgcscavenge.go (index), mheap.go (allspans, gcBitsArenas). The profile's buckets: buckets.c.
 */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"
#include "goruntime/regions.h"
#include "goruntime/spans.h"

enum {
	MAX_ARENAS = 1 << 22,
	MAX_LIST = 1 << 20,
	TRIES = 8,
	MAX_BLOCK = 64 << 10 /* persistentalloc takes more straight from sysAlloc */
};

const char *go_region_name(enum go_region_kind k)
{
	static const char *const name[GO_REGION_COUNT] = {
		[GO_REGION_PERSISTENT] = "persistentalloc",
		[GO_REGION_ARENA_INDEX] = "arena index",
		[GO_REGION_HEAP_ARENA] = "arena metadata",
		[GO_REGION_PAGE_SUMMARY] = "page summaries",
		[GO_REGION_PAGE_BITMAP] = "page bitmaps",
		[GO_REGION_SCAV_INDEX] = "scavenge index",
		[GO_REGION_ALLSPANS] = "span table",
		[GO_REGION_GCBITS] = "mark and alloc bits",
		[GO_REGION_BUCKHASH] = "profile hash table",
		[GO_REGION_MARK_QUEUE] = "mark queues",
		[GO_REGION_GETRANDOM] = "getrandom states",
		[GO_REGION_ARENA] = "arena, not yet in use",
		[GO_REGION_MSPAN] = "mspan structures",
		[GO_REGION_MCACHE] = "mcache structures",
		[GO_REGION_BUCKET] = "profile buckets",
	};

	return k < GO_REGION_COUNT && name[k] ? name[k] : "?";
}

int region_put(go_region_vec *out, uint64_t start, uint64_t end, enum go_region_kind kind)
{
	/* mspans and buckets come by the hundred thousand, most of them side by side */
	if (out->n && out->v[out->n - 1].end == start && out->v[out->n - 1].kind == kind &&
	    kind >= GO_REGION_MSPAN) {
		out->v[out->n - 1].end = end;
		return 0;
	}
	return start < end ? vec_push(out, (struct go_region){ start, end, kind }) : 0;
}

int region_put_pages(const struct go_runtime *rt, go_region_vec *out, uint64_t start, uint64_t size,
		     enum go_region_kind kind)
{
	if (!start || !size || start + size < start || size > (1ULL << 46))
		return 0;
	return region_put(out, page_down(rt, start), page_up(rt, start + size), kind);
}

/* A list whose elements hold the next one's address at `next`. */
static int put_list(const struct go_runtime *rt, go_region_vec *out, uint64_t head, int64_t next,
		    uint64_t size, enum go_region_kind kind)
{
	for (unsigned int i = 0; head; i++) {
		int r;

		if (i == MAX_LIST)
			return -ELOOP;
		r = region_put_pages(rt, out, head, size, kind);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, head + next, &head);
		if (r)
			return r;
	}
	return 0;
}

static int arenas_read(const struct go_runtime *rt, go_region_vec *out)
{
	const struct go_layout *l = rt->l;
	uint64_t l2, size = l->f[GO_SIZE_HEAPARENA], bytes = l->f[GO_CONST_HEAPARENABYTES];
	struct go_slice all;
	int r = rd_u64(rt, PASS_BOOKS, rt->g.mheap + l->f[GO_MHEAP_ARENAS], &l2);

	if (!r)
		r = rd_slice(rt, PASS_BOOKS, rt->g.mheap + l->f[GO_MHEAP_ALLARENAS], &all);
	if (r)
		return r;
	if (all.len > MAX_ARENAS)
		return -EINVAL;
	/* 48 bits of address, 64 MiB arenas, one L1 entry (malloc.go: linux/amd64 and arm64) */
	r = region_put_pages(rt, out, l2, (1ULL << 48) / bytes * 8, GO_REGION_ARENA_INDEX);
	for (uint64_t i = 0; i < all.len && !r; i++) {
		uint64_t idx = 0, ha;

		/* arenaIdx is a uint */
		if (rd_u64(rt, PASS_BOOKS, all.ptr + 8 * i, &idx) || idx >= MAX_ARENAS ||
		    rd_u64(rt, PASS_BOOKS, l2 + 8 * idx, &ha))
			continue;
		r = region_put_pages(rt, out, ha, size, GO_REGION_HEAP_ARENA);
		if (!r) {
			uint64_t base = idx * bytes + l->f[GO_CONST_ARENABASEOFFSET];

			r = region_put(out, base, base + bytes, GO_REGION_ARENA);
		}
	}
	if (all.cap * 8 > MAX_BLOCK && !r) /* else it lies in a persistent chunk */
		r = region_put_pages(rt, out, all.ptr, all.cap * 8, GO_REGION_ARENA_INDEX);
	return r;
}

/* chunks [1 << L1]*[1 << L2]pallocData; L1 is an array inside mheap_ */
static int bitmaps_read(const struct go_runtime *rt, uint64_t pages, go_region_vec *out)
{
	const struct go_layout *l = rt->l;
	uint64_t n = 1ULL << l->f[GO_CONST_PALLOCCHUNKS_L1BITS];
	uint64_t size = (1ULL << l->f[GO_CONST_PALLOCCHUNKS_L2BITS]) * l->f[GO_SIZE_PALLOCDATA];
	_free_ uint64_t *l1 = n <= 65536 ? calloc(n, 8) : NULL;
	int r;

	if (!l1)
		return -ENOMEM;
	r = rd_vars(rt, PASS_BOOKS, pages + l->f[GO_PAGEALLOC_CHUNKS], l1, n * 8);
	for (uint64_t i = 0; i < n && !r; i++)
		r = region_put_pages(rt, out, l1[i], size, GO_REGION_PAGE_BITMAP);
	return r;
}

static int pagealloc_read(const struct go_runtime *rt, go_region_vec *out)
{
	const struct go_layout *l = rt->l;
	uint64_t pages = rt->g.mheap + l->f[GO_MHEAP_PAGES], at;
	struct go_slice s;
	int r = 0;

	for (int i = 0; i < l->f[GO_CONST_SUMMARYLEVELS] && !r; i++) {
		r = rd_slice(rt, PASS_BOOKS, pages + l->f[GO_PAGEALLOC_SUMMARY] + 24 * i, &s);
		if (!r) /* pallocSum is a uint64 */
			r = region_put_pages(rt, out, s.ptr, s.cap * 8, GO_REGION_PAGE_SUMMARY);
	}
	if (!r)
		r = bitmaps_read(rt, pages, out);
	if (!r && go_has(l, GO_PAGEALLOC_SCAVINDEX) && go_has(l, GO_SCAVINDEX_CHUNKS)) {
		uint64_t elem = go_has(l, GO_SIZE_SCAVCHUNK) ? l->f[GO_SIZE_SCAVCHUNK] : 1;

		at = pages + l->f[GO_PAGEALLOC_SCAVINDEX] + l->f[GO_SCAVINDEX_CHUNKS];
		r = rd_slice(rt, PASS_BOOKS, at, &s);
		if (!r)
			r = region_put_pages(rt, out, s.ptr, s.cap * elem, GO_REGION_SCAV_INDEX);
	}
	return r;
}

static int mspans_read(const struct go_runtime *rt, go_region_vec *out)
{
	const struct go_layout *l = rt->l;
	_free_ uint64_t *ptr = NULL;
	struct go_slice s;
	size_t n;
	int r = rd_slice(rt, PASS_BOOKS, rt->g.mheap + l->f[GO_MHEAP_ALLSPANS], &s);

	if (r)
		return r;
	r = region_put_pages(rt, out, s.ptr, s.cap * 8, GO_REGION_ALLSPANS);
	if (!r)
		r = spans_table(rt, PASS_BOOKS, &s, &ptr, &n);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		if (ptr[i] &&
		    region_put(out, ptr[i], ptr[i] + l->f[GO_SIZE_MSPAN], GO_REGION_MSPAN))
			return -ENOMEM;
	return 0;
}

static int mcaches_read(const struct go_runtime *rt, go_region_vec *out)
{
	struct go_slice allp;
	int r;

	if (!rt->g.allp)
		return 0;
	r = rd_slice(rt, PASS_BOOKS, rt->g.allp, &allp);
	for (uint64_t i = 0; !r && i < allp.len && i < 65536; i++) {
		uint64_t p, c;

		if (rd_u64(rt, PASS_BOOKS, allp.ptr + 8 * i, &p) ||
		    rd_u64(rt, PASS_BOOKS, p + rt->l->f[GO_P_MCACHE], &c) || !c)
			continue;
		if (region_put(out, c, c + rt->l->f[GO_SIZE_MCACHE], GO_REGION_MCACHE))
			return -ENOMEM;
	}
	return r;
}

/*
 * A ring for each P that has marked, on one list (mgcmark_greenteagc.go, newSpanSPMC), as many as
 * their allocator has given out: else -ERANGE.
 */
static int mark_queues_read(const struct go_runtime *rt, go_region_vec *out, uint64_t *moment)
{
	const struct go_layout *l = rt->l;
	uint64_t at, ring, bytes = 0, used;
	uint32_t n;
	int r;

	if (!rt->g.work || !go_has(l, GO_WORK_SPMCS) || !go_has(l, GO_SIZE_SPMC))
		return 0;
	r = rd_vars(rt, PASS_BOOKS, rt->g.work + l->f[GO_WORK_SPMCS], &at, 8);
	for (unsigned int i = 0; !r && at; i++, bytes += l->f[GO_SIZE_SPMC]) {
		r = i == MAX_LIST ? -ELOOP : rd(rt, PASS_BOOKS, at + l->f[GO_SPMC_CAP], &n, 4);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, at + l->f[GO_SPMC_RING], &ring);
		if (!r && (!n || n * 8ULL % memsrc_page_size(rt->m) || !ring ||
			   ring % memsrc_page_size(rt->m)))
			r = -ERANGE;
		if (!r)
			r = region_put_pages(rt, out, ring, n * 8ULL, GO_REGION_MARK_QUEUE);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, at + l->f[GO_SPMC_NEXT], &at);
	}
	if (!r)
		r = rd_vars(rt, PASS_BOOKS,
			    rt->g.mheap + l->f[GO_MHEAP_SPMCALLOC] + l->f[GO_FIXALLOC_INUSE], &used,
			    8);
	*moment = r ? 0 : used + bytes;
	if (r == -ENODATA && !rt->swapped) /* the list is as old as the variable */
		r = -ERANGE;
	return !r && used != bytes ? -ERANGE : r;
}

/* The state that each M has from the kernel's vDSO (vgetrandom_linux.go); not charged to any
 * counter of the runtime. */
static int getrandom_read(const struct go_runtime *rt, go_region_vec *out, uint64_t *moment)
{
	const struct go_layout *l = rt->l;
	uint64_t m, state;
	int r = 0;

	*moment = 0;
	if (!rt->g.allm || !go_has(l, GO_M_VGETRANDOM))
		return 0;
	r = rd_u64(rt, PASS_BOOKS, rt->g.allm, &m);
	for (unsigned int i = 0; !r && m && i < MAX_LIST; i++) {
		if (rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_VGETRANDOM], &state))
			state = 0;
		r = region_put_pages(rt, out, state, 1, GO_REGION_GETRANDOM);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_ALLLINK], &m);
	}
	return r;
}

int go_gcbits_read(const struct go_runtime *rt, go_region_vec *out)
{
	uint64_t head;
	int r = 0;

	for (int i = 1; i < 5 && !r && rt->g.gcbits_arenas; i++) {
		r = rd_u64(rt, PASS_BOOKS, rt->g.gcbits_arenas + 8 * i, &head);
		if (!r)
			r = put_list(rt, out, head, rt->l->f[GO_GCBITSARENA_NEXT],
				     rt->l->f[GO_CONST_GCBITSCHUNK], GO_REGION_GCBITS);
	}
	return r;
}

/*
 * Parts whose sum is known, *moment at each reading. They may be left out: what they lie in is
 * known anyway, less finely. Of a process that stands still that is done when the sum is another,
 * of one that moves it says nothing; nor of parts that are swapped out (-ENODATA): what is there is
 * kept.
 */
static int optional_read(const struct go_runtime *rt, go_region_vec *out,
			 int (*read)(const struct go_runtime *, go_region_vec *, uint64_t *),
			 const char *what, struct err *e)
{
	uint64_t first = 0, moment = 0;
	size_t had = out->n, n = e ? strlen(e->text) : 0;
	bool moves = false;
	int r = read(rt, out, &first);

	if (r == -ENODATA)
		return 0;
	for (unsigned int i = 1; i < TRIES && r == -ERANGE; i++) {
		rd_again(rt, i);
		out->n = had;
		r = read(rt, out, &moment);
		moves |= r != -ENODATA && moment != first;
	}
	if (r == -ENOMEM || r == -ESRCH || !r || (r == -ERANGE && moves))
		return r == -ERANGE ? 0 : r;
	out->n = had;
	if (e)
		snprintf(e->text + n, sizeof(e->text) - n, "%s%s", n ? ", " : "", what);
	return 0;
}

static int persistent_read(const struct go_runtime *rt, go_region_vec *out)
{
	uint64_t head;
	int r;

	if (!rt->g.persistent_chunks)
		return 0;
	r = rd_u64(rt, PASS_BOOKS, rt->g.persistent_chunks, &head);
	return r ? r
		 : put_list(rt, out, head, 0, rt->l->f[GO_CONST_PERSISTENTCHUNK],
			    GO_REGION_PERSISTENT);
}

int go_regions_read(const struct go_runtime *rt, go_region_vec *out, struct go_regions_kept *kept,
		    struct err *e)
{
	static const struct {
		const char *what;
		int (*read)(const struct go_runtime *, go_region_vec *);
	} parts[] = {
		{ "the arenas", arenas_read },
		{ "the page allocator", pagealloc_read },
		{ "the span structures", mspans_read },
		{ "the mcaches", mcaches_read },
		{ "the persistent chunks", persistent_read },
		{ "the mark bits", go_gcbits_read },
	};
	size_t had;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		r = parts[i].read(rt, out);
		if (r)
			return err_set(e, r, "reading %s of the Go runtime: %s", parts[i].what,
				       strerror(-r));
	}
	r = optional_read(rt, out, mark_queues_read, "the mark queues", e);
	if (!r)
		r = optional_read(rt, out, getrandom_read, "the threads' random state", e);
	had = out->n;
	if (!r)
		r = buckets_again(rt, kept, out);
	if (r)
		return r > 0 ? 0 : r;
	r = optional_read(rt, out, buckets_read, "the profile's buckets", e);
	if (!r)
		buckets_keep(rt, kept, out->v + had, out->n - had);
	return r;
}
