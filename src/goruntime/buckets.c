/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The profile's buckets, of allocations and of blocking.
 *
 * Source: runtime/mprof.go (stkbucket, newBucket).
 */
#include <string.h>

#include "base/sort.h"
#include "goruntime/rd.h"
#include "goruntime/regions.h"

enum {
	MAX_BUCKETS = 1 << 21,
	MAX_CHAIN = 4096, /* one that leads back to itself ends here; of 180,000 few are longer than
			     10 */
	SEQ_TABLE = 17,	  /* of memsrc_pages */
	KEPT_MAX = 1 << 14, /* regions */
	WINDOW = 1 << 20,   /* bytes that are read whole where there are DENSE buckets in them */
	DENSE = 1024,
};

uint64_t bucket_size(const struct go_layout *l, const uint8_t *b, size_t n)
{
	uint64_t nstk = get_u64(l, GO_BUCKET_NSTK, b, n), typ = get_u64(l, GO_BUCKET_TYP, b, n);

	if (nstk > 4096 || typ < 1 || typ > 3)
		return 0;
	return l->f[GO_SIZE_BUCKET] + 8 * nstk + (typ == 1 ? l->f[GO_SIZE_MEMRECORD] : 16);
}

struct buckets {
	uint64_t n;
	uint64_t bytes;
	bool all; /* false: some could not be read */
};

struct chains {
	const struct go_layout *l;
	const uint64_t *at;  /* the buckets that are being read */
	VEC(uint64_t) next;  /* those that hang behind them */
	VEC(struct range) v; /* those that were read */
	struct buckets *all;
	size_t read;
	int r;
};

/* b: the header of the bucket at addr. The one that hangs behind it, or 0. */
static uint64_t take(struct chains *c, uint64_t addr, const uint8_t *b)
{
	size_t n = c->l->f[GO_SIZE_BUCKET];
	uint64_t len = bucket_size(c->l, b, n);

	c->all->bytes += len;
	if (len && vec_push(&c->v, (struct range){ addr, addr + len, 0 }))
		c->r = -ENOMEM;
	return get_u64(c->l, GO_BUCKET_NEXT, b, n);
}

static void take_bucket(void *ctx, size_t i, const uint8_t *b)
{
	struct chains *c = ctx;
	uint64_t next = take(c, c->at[i], b);

	c->read++;
	if (next && vec_push(&c->next, next))
		c->r = -ENOMEM;
}

/* Takes the chain that begins at addr as far as it lies in buf, the memory at base. */
static void take_chain(struct chains *c, uint64_t addr, uint64_t base, const uint8_t *buf)
{
	size_t n = c->l->f[GO_SIZE_BUCKET];

	while (addr && c->all->n < MAX_BUCKETS && !c->r) {
		if (addr < base || addr - base > WINDOW - n) {
			c->r = vec_push(&c->next, addr);
			return;
		}
		c->all->n++;
		addr = take(c, addr, buf + (addr - base));
	}
}

/* In order of address, so that those side by side become one; each once: only in forged memory does
 * a chain lead back to itself. */
static int put_buckets(const struct range *v, size_t n, go_region_vec *out)
{
	enum { INDEX_BITS = 22 };
	const uint64_t top = (1ULL << (64 - INDEX_BITS)) - 1;
	_free_ uint64_t *key = malloc(2 * n * sizeof(*key) + 1);
	uint64_t min = UINT64_MAX, last = 0, *sorted;
	int r = key ? 0 : -ENOMEM;

	_Static_assert(MAX_BUCKETS <= 1 << INDEX_BITS, "an index fits a key");
	for (size_t i = 0; i < n; i++)
		min = v[i].start < min ? v[i].start : min;
	/* buckets are aligned to 8 bytes; what is too far away is out of order, not lost */
	for (size_t i = 0; i < n && !r; i++) {
		uint64_t k = (v[i].start - min) / 8;

		key[i] = (k < top ? k : top) << INDEX_BITS | i;
	}
	sorted = r ? NULL : sort_keys(key, key + n, n, INDEX_BITS, top);
	for (size_t i = 0; i < n && !r; i++) {
		const struct range *b = &v[sorted[i] & ((1 << INDEX_BITS) - 1)];

		if (b->start == last)
			continue;
		last = b->start;
		r = region_put(out, b->start, b->end, GO_REGION_BUCKET);
	}
	return r;
}

/* In order. NULL: no memory. */
static uint64_t *sorted_copy(const uint64_t *t, size_t n)
{
	uint64_t *v = malloc(2 * n * sizeof(*v) + 1), *sorted, max = 0;

	if (!v)
		return NULL;
	memcpy(v, t, n * sizeof(*v));
	for (size_t i = 0; i < n; i++)
		max = v[i] > max ? v[i] : max;
	sorted = sort_keys(v, v + n, n, 0, max);
	if (sorted != v)
		memcpy(v, sorted, n * sizeof(*v));
	return v;
}

/*
 * Of the buckets t[0..n) takes those that lie close together, with what hangs behind them near by:
 * memory that is full of buckets is copied once, and whole. The others are left in *rest. Of a live
 * process only, and not when what is read is saved: there is more than buckets between them.
 */
static int take_dense(const struct go_runtime *rt, struct chains *c, const uint64_t *t, size_t n,
		      uint64_t *rest, size_t *nrest)
{
	_free_ uint64_t *v = sorted_copy(t, n);
	_free_ uint8_t *buf = malloc(WINDOW);
	size_t i = 0;

	*nrest = 0;
	if (!v || !buf)
		return -ENOMEM;
	while (i < n && !c->r) {
		uint64_t base = v[i] - v[i] % WINDOW;
		size_t end = i;
		int r = -ENODATA;

		while (end < n && v[end] - base < WINDOW)
			end++;
		if (end - i >= DENSE)
			r = memsrc_read(rt->m, PASS_BOOKS, base, buf, WINDOW);
		if (r == -ESRCH || r == -ENOMEM)
			return r;
		for (; i < end; i++)
			if (r)
				rest[(*nrest)++] = v[i];
			else
				take_chain(c, v[i], base, buf);
	}
	return c->r;
}

/*
 * Adds the chains that begin with the buckets t[0..n): the first of each, then the second of each,
 * …, so that neighbours in memory are read together.
 */
static int chains_read(const struct go_runtime *rt, const uint64_t *t, size_t n, go_region_vec *out,
		       struct buckets *all)
{
	bool may_be_dense = memsrc_kind(rt->m) == MEMSRC_LIVE && !memsrc_is_saved(rt->m);
	struct chains c = { .l = rt->l, .all = all };
	uint64_t *mine = NULL;
	unsigned int length = 0;
	int r = rt->l->f[GO_SIZE_BUCKET] > MEMSRC_GATHER_EACH ? -EINVAL : 0;

	while (n && all->n < MAX_BUCKETS && !r) {
		_free_ uint64_t *rest = may_be_dense && n >= DENSE ? malloc(n * 8) : NULL;
		size_t full;

		if (rest) {
			r = take_dense(rt, &c, t, n, rest, &n);
			t = rest;
		}
		r = r ? r : length++ < MAX_CHAIN ? 0 : -ELOOP;
		full = n < MAX_BUCKETS - all->n ? n : MAX_BUCKETS - all->n;
		c.at = t;
		c.read = 0;
		r = r ? r
		      : rd_each(rt, PASS_BOOKS, t, full, 0, rt->l->f[GO_SIZE_BUCKET], take_bucket,
				&c);
		r = r ? r : c.r;
		all->n += full;
		all->all &= c.read == full;
		free(mine);
		t = mine = c.next.v;
		n = c.next.n;
		c.next.v = NULL;
		c.next.n = c.next.cap = 0;
	}
	free(mine);
	if (!r)
		r = put_buckets(c.v.v, c.v.n, out);
	vec_free(&c.v);
	return r;
}

static bool is_swapped(const struct go_runtime *rt, uint64_t start, uint64_t end)
{
	range_vec pages = { 0 };
	bool swapped =
		memsrc_pages(rt->m, SEQ_TABLE, page_down(rt, start), page_up(rt, end), &pages) != 0;

	for (size_t i = 0; i < pages.n; i++)
		swapped |= !!(pages.v[i].flags & PAGE_SWAPPED);
	vec_free(&pages);
	return swapped;
}

/* Moves the words of t[0..n) that are not 0 to its front. How many they are. */
static size_t pack(uint64_t *t, size_t n)
{
	size_t full = 0, i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t any = t[i] | t[i + 1] | t[i + 2] | t[i + 3] | t[i + 4] | t[i + 5] |
			       t[i + 6] | t[i + 7];

		for (size_t j = i; any && j < i + 8; j++)
			if (t[j])
				t[full++] = t[j];
	}
	for (; i < n; i++)
		if (t[i])
			t[full++] = t[i];
	return full;
}

/* The table is 1.4 MB, mostly empty. */
static int table_read(const struct go_runtime *rt, uint64_t at, uint64_t size, go_region_vec *out,
		      struct buckets *all)
{
	_free_ uint64_t *t = malloc(size * 8 + 8);
	int r = t ? rd(rt, PASS_BOOKS, at, t, size * 8) : -ENOMEM;
	bool sparse = r == -ENODATA;

	if (!r || sparse)
		r = chains_read(rt, t, pack(t, size), out, all);
	if (!r && sparse && is_swapped(rt, at, at + size * 8))
		all->all = false;
	return r;
}

static int read_charged(const struct go_runtime *rt, uint64_t *out)
{
	return rd_vars(rt, PASS_BOOKS, rt->g.memstats + rt->l->f[GO_MSTATS_BUCKHASH_SYS], out, 8);
}

/* What the table and its buckets take is what they are charged, with the bitmaps of the variables
 * (mprof.go, newBucket): else -ERANGE. */
int buckets_read(const struct go_runtime *rt, go_region_vec *out, uint64_t *moment)
{
	const struct go_layout *l = rt->l;
	uint64_t at, size = l->f[GO_CONST_BUCKHASHSIZE], charged = 0;
	struct buckets b = { .bytes = size * 8, .all = true };
	int r;

	if (!rt->g.buckhash)
		return 0;
	r = rd_u64(rt, PASS_BOOKS, rt->g.buckhash, &at);
	if (r || !at)
		return r;
	r = region_put_pages(rt, out, at, size * 8, GO_REGION_BUCKHASH);
	if (!r)
		r = table_read(rt, at, size, out, &b);
	if (r || !b.all || !rt->masks_bytes)
		return r ? r : b.all ? 0 : -ENODATA;
	r = read_charged(rt, &charged);
	*moment = b.bytes + charged;
	return !r && b.bytes + rt->masks_bytes != charged ? -ERANGE : r;
}

void go_regions_kept_free(struct go_regions_kept *k)
{
	vec_free(&k->buckets);
	*k = (struct go_regions_kept){ 0 };
}

int buckets_again(const struct go_runtime *rt, const struct go_regions_kept *k, go_region_vec *out)
{
	uint64_t charged;
	int r;

	if (!k || !k->charged || memsrc_is_saved(rt->m))
		return 0;
	r = read_charged(rt, &charged);
	if (r || charged != k->charged)
		return r == -ESRCH ? r : 0;
	for (size_t i = 0; i < k->buckets.n && !r; i++)
		r = vec_push(out, k->buckets.v[i]);
	return r ? r : 1;
}

void buckets_keep(const struct go_runtime *rt, struct go_regions_kept *k, const struct go_region *v,
		  size_t n)
{
	uint64_t bytes = rt->l->f[GO_CONST_BUCKHASHSIZE] * 8 + rt->masks_bytes, charged;

	if (!k)
		return;
	go_regions_kept_free(k);
	for (size_t i = 0; i < n; i++)
		bytes += v[i].kind == GO_REGION_BUCKET ? v[i].end - v[i].start : 0;
	if (!rt->masks_bytes || n > KEPT_MAX || read_charged(rt, &charged) || charged != bytes ||
	    vec_reserve(&k->buckets, n))
		return;
	for (size_t i = 0; i < n; i++)
		k->buckets.v[k->buckets.n++] = v[i];
	k->charged = charged;
}
