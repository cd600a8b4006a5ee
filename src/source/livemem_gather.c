/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many small reads: in order of address, neighbours as one copy, and as many copies as there is
 * room for in one system call.
 */
#include <errno.h>
#include <string.h>

#include "base/sort.h"
#include "source/livemem_impl.h"
#include "source/memsrc_impl.h"

enum {
	INDEX_BITS = 18,
	GATHER = 1 << INDEX_BITS, /* items put in order at once */
	GATHER_GAP = 2048, /* bytes: copying those is faster than a copy more; less than a page */
	SCRATCH = 256 << 10,
	FEW = 64,
};

struct item {
	uint64_t addr;
	uint32_t index, off; /* off: in the scratch */
};

struct gather {
	struct livemem *l;
	struct runs r;
	uint8_t *scratch;
	struct item *on_way; /* of item[], those that are being read */
	size_t n, used;
	range_vec lost; /* scratch: what could not be read */
	size_t each;
	uint8_t *buf;
	bool *bad;
	range_vec *holes; /* the caller's */
};

static int gather_lost(struct gather *g)
{
	int rc = 0;

	for (size_t i = 0; i < g->lost.n && !rc; i++)
		rc = vec_push(g->holes, g->lost.v[i]);
	return rc;
}

/* Hands over what was on its way. */
static int gather_flush(struct gather *g)
{
	int rc;

	g->lost.n = 0;
	rc = runs_flush(g->l, &g->r, &g->lost);
	for (size_t i = 0; i < g->n && !rc; i++) {
		const struct item *it = &g->on_way[i];
		size_t k = range_lower(g->lost.v, g->lost.n, it->addr);

		g->bad[it->index] = k < g->lost.n && g->lost.v[k].start < it->addr + g->each;
		memcpy(g->buf + it->index * g->each, g->scratch + it->off, g->each);
	}
	g->n = g->used = 0;
	return rc ? rc : gather_lost(g);
}

/* v[0..n), in order and all of it in present pages, as one copy. */
static int gather_run(struct gather *g, struct item *v, size_t n)
{
	size_t len = v[n - 1].addr + g->each - v[0].addr;
	int rc = 0;

	if (g->used + len > SCRATCH || g->r.n == IOVS)
		rc = gather_flush(g);
	if (!rc)
		rc = runs_add(g->l, &g->r, v[0].addr, g->scratch + g->used, len, &g->lost);
	if (!g->n)
		g->on_way = v;
	for (size_t i = 0; i < n; i++)
		v[i].off = g->used + (v[i].addr - v[0].addr);
	g->n += n;
	g->used += len;
	return rc;
}

/* What is not wholly in present pages is read at once. 1: it is; 0; -errno. */
static int gather_one(struct gather *g, bool untouched, const struct item *it)
{
	uint64_t last = it->addr + g->each - 1;
	int rc;

	if (last >= it->addr) {
		rc = livemem_page(g->l, it->addr);
		if (rc == PAGE_THERE && last / g->l->page_size != it->addr / g->l->page_size)
			rc = livemem_page(g->l, last);
		if (rc < 0 || rc == PAGE_THERE)
			return rc < 0 ? rc : 1;
	}
	g->lost.n = 0;
	if (last < it->addr)
		rc = range_append(&g->lost, it->addr, UINT64_MAX, HOLE_UNMAPPED);
	else
		rc = livemem_read(g->l, untouched, it->addr, g->buf + it->index * g->each, g->each,
				  &g->lost);
	g->bad[it->index] = g->lost.n;
	return rc ? rc : gather_lost(g);
}

static int gather_batch(struct gather *g, bool untouched, struct item *v, size_t n)
{
	size_t there = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = gather_one(g, untouched, &v[i]);
		if (rc < 0)
			return rc;
		v[there] = v[i];
		there += rc;
	}
	for (size_t i = 0, j; i < there; i = j) {
		for (j = i + 1; j < there && v[j].addr >= v[j - 1].addr &&
				v[j].addr <= v[j - 1].addr + g->each + GATHER_GAP &&
				v[j].addr + g->each - v[i].addr <= SCRATCH / 4;)
			j++;
		rc = gather_run(g, v + i, j - i);
		if (rc)
			return rc;
	}
	return gather_flush(g);
}

/* The items at addr[0..n), n ≤ GATHER, by address; key has room for 2 n. What is too far from the
 * lowest for a key is at the end: then the order is another, and what follows takes longer. */
static void gather_sort(const uint64_t *addr, size_t n, size_t first, uint64_t *key,
			struct item *item)
{
	const uint64_t top = (1ULL << (64 - INDEX_BITS)) - 1;
	uint64_t min = UINT64_MAX, max = 0;
	bool sorted = true;

	for (size_t i = 0; i < n; i++) {
		min = addr[i] < min ? addr[i] : min;
		max = addr[i] > max ? addr[i] : max;
		sorted &= !i || addr[i - 1] <= addr[i];
	}
	max = max - min < top ? max - min : top;
	for (size_t i = 0; i < n; i++)
		key[i] = (addr[i] - min < top ? addr[i] - min : top) << INDEX_BITS | i;
	if (!sorted)
		key = sort_keys(key, key + n, n, INDEX_BITS, max);
	for (size_t i = 0; i < n; i++) {
		size_t k = key[i] & (GATHER - 1);

		item[i] = (struct item){ .addr = addr[k], .index = first + k };
	}
}

static int gather_all(struct livemem *l, bool untouched, const uint64_t *addr, size_t n,
		      size_t each, void *buf, bool *bad, range_vec *holes)
{
	size_t most = n < GATHER ? n : GATHER, spread = most * (each + GATHER_GAP);
	_free_ struct item *item = malloc(most * sizeof(*item));
	_free_ uint64_t *key = malloc(2 * most * sizeof(*key));
	_free_ uint8_t *scratch = malloc(spread < SCRATCH ? spread : SCRATCH);
	struct gather g = {
		.l = l, .scratch = scratch, .each = each, .buf = buf, .bad = bad, .holes = holes
	};
	int rc = item && key && scratch ? 0 : -ENOMEM;

	memset(buf, 0, n * each);
	for (size_t at = 0, k; at < n && !rc; at += k) {
		k = n - at < GATHER ? n - at : GATHER;
		gather_sort(addr + at, k, at, key, item);
		rc = gather_batch(&g, untouched, item, k);
	}
	vec_free(&g.lost);
	return rc;
}

/* Few of them may be cached, or will be for who reads them once more. */
static int gather_few(struct livemem *l, bool untouched, const uint64_t *addr, size_t n,
		      size_t each, uint8_t *buf, bool *bad, range_vec *holes)
{
	size_t index[FEW], left = 0;
	uint64_t rest[FEW];
	bool rest_bad[FEW];
	_free_ uint8_t *got = NULL;
	int rc;

	for (size_t i = 0; i < n; i++) {
		bad[i] = false;
		if (livemem_cached(l, addr[i], buf + i * each, each))
			continue;
		rest[left] = addr[i];
		index[left++] = i;
		livemem_want(l, addr[i], each);
	}
	if (!left)
		return 0;
	got = malloc(left * each);
	rc = got ? gather_all(l, untouched, rest, left, each, got, rest_bad, holes) : -ENOMEM;
	for (size_t i = 0; i < left && !rc; i++) {
		memcpy(buf + index[i] * each, got + i * each, each);
		bad[index[i]] = rest_bad[i];
	}
	return rc;
}

int livemem_gather(struct livemem *l, bool untouched, const uint64_t *addr, size_t n, size_t each,
		   void *buf, bool *bad, range_vec *holes)
{
	if (!n)
		return 0;
	if (livemem_make_caches(l))
		return -ENOMEM;
	return n <= FEW && l->reader >= 0
		       ? gather_few(l, untouched, addr, n, each, buf, bad, holes)
		       : gather_all(l, untouched, addr, n, each, buf, bad, holes);
}
