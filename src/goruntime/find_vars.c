/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Variables that are recognised by what they lead to: lists whose blocks hold the heap's own
 * structures, slices of Ps and Gs, the chain of Ms, a controller that repeats the heap's sums.
 */
#include "goruntime/discover.h"

#include "goruntime/rd.h"

enum { SAMPLED_GS = 6, SAMPLED_SPANS = 8, P_DEAD = 4, SMALLEST_PAGE = 4096 };

/* ---- lists of blocks */

/* Walks a list of blocks; *hits gets a bit for each of want[] that lies in one. */
static bool chain_covers(struct search *s, uint64_t head, uint64_t next_off, uint64_t size,
			 const uint64_t *want, unsigned int nwant, uint64_t *hits, uint64_t *len)
{
	uint64_t at = head, i;

	*hits = 0;
	for (i = 0; at; i++) {
		if (!search_step(s, i) || at % memsrc_page_size(s->rt->m) ||
		    !search_readable(s, at, size))
			return false;
		for (unsigned int k = 0; k < nwant; k++)
			if (want[k] >= at && want[k] < at + size)
				*hits |= 1ULL << k;
		if (rd_u64(s->rt, PASS_DISCOVER, at + next_off, &at))
			return false;
	}
	*len = i;
	return true;
}

static uint64_t all_of(unsigned int n)
{
	return n >= 64 ? ~0ULL : (1ULL << n) - 1;
}

/*
 * persistentChunks: every mspan is cut from one of the chunks (malloc.go, persistentalloc1). The
 * allocators' own pointers into the newest chunk start chains too: an offset into it follows.
 */
static void look_persistent_chunks(struct search *s, uint64_t addr, const uint64_t w[4])
{
	uint64_t hits, len, size = s->rt->l->f[GO_CONST_PERSISTENTCHUNK];
	bool has_offset = w[1] && w[1] <= size && w[1] % 8 == 0;

	if (chain_covers(s, w[0], 0, size, s->span, s->nspan, &hits, &len) &&
	    hits == all_of(s->nspan))
		candidate_add(&s->chunks, addr, 2 * len + !has_offset);
}

/* A list of blocks of bits; each begins with how much of it is used. */
bool is_bits_list(struct search *s, uint64_t head)
{
	uint64_t size = s->rt->l->f[GO_CONST_GCBITSCHUNK], next = s->rt->l->f[GO_GCBITSARENA_NEXT];
	uint64_t none, len, used;

	return head && head % memsrc_page_size(s->rt->m) == 0 && search_writable_anon(s, head) &&
	       !rd_u64(s->rt, PASS_DISCOVER, head, &used) && used <= size &&
	       chain_covers(s, head, next, size, NULL, 0, &none, &len);
}

/* Bits lie in the used part of their block, behind its two words (mheap.go, gcBitsHeader). A block
 * of something else right before one of bits would seem to hold those, too (finblock, mfinal.go).
 */
static bool are_bits_used(struct search *s, uint64_t at, const uint64_t *bits, unsigned int n)
{
	uint64_t size = s->rt->l->f[GO_CONST_GCBITSCHUNK], next = s->rt->l->f[GO_GCBITSARENA_NEXT];
	uint64_t used;

	for (unsigned int i = 0; at; i++) {
		if (!search_step(s, i) || rd_u64(s->rt, PASS_DISCOVER, at, &used))
			return false;
		for (unsigned int k = 0; k < n; k++)
			if (bits[k] >= at && bits[k] < at + size && bits[k] - at >= next + 8 + used)
				return false;
		if (rd_u64(s->rt, PASS_DISCOVER, at + next, &at))
			return false;
	}
	return true;
}

/*
 * gcBitsArenas {lock; free, next, current, previous} (mheap.go). After two cycles `previous` is
 * never empty, so the last of adjacent lists tells where the struct begins. Before that: the mark
 * bits of a swept span lie in `next`, those of one that needs sweeping in `current`; while a cycle
 * marks all are swept and theirs in `current`.
 */
static void look_gcbits(struct search *s, uint64_t addr, const uint64_t w[4])
{
	uint64_t size = s->rt->l->f[GO_CONST_GCBITSCHUNK], next = s->rt->l->f[GO_GCBITSARENA_NEXT];
	uint64_t marks, olds, len;
	unsigned int last = 0;

	if (!chain_covers(s, w[0], next, size, s->markbits, s->nmark, &marks, &len) ||
	    !chain_covers(s, w[0], next, size, s->oldbits, s->nold, &olds, &len) ||
	    !(marks | olds) || !are_bits_used(s, w[0], s->markbits, s->nmark) ||
	    !are_bits_used(s, w[0], s->oldbits, s->nold))
		return;
	if (s->numgc > 2) {
		while (last < 3 && is_bits_list(s, w[last + 1]))
			last++;
		candidate_add(&s->gcbits, addr + last * 8 - 32, 1);
		return;
	}
	if (marks)
		candidate_add(&s->gcbits, addr - 16, __builtin_popcountll(marks));
	if (olds && !s->nmark)
		candidate_add(&s->gcbits, addr - 24, __builtin_popcountll(olds));
}

/* Whether the bucket knows that it hangs in slot i. Empty memory would hang in the first. */
static bool hangs_in(struct search *s, uint64_t bucket, uint64_t i)
{
	const struct go_layout *l = s->rt->l;
	uint64_t hash;
	uint8_t b[64];

	if (memsrc_read(s->rt->m, PASS_DISCOVER, bucket, b, l->f[GO_SIZE_BUCKET]))
		return false;
	hash = get_u64(l, GO_BUCKET_HASH, b, sizeof(b));
	return hash && hash % l->f[GO_CONST_BUCKHASHSIZE] == i;
}

enum { SAMPLED_BUCKETS = 16, BUCKETS_PIECE = 8192 };

struct buckets {
	uint64_t table, slots;
	struct {
		uint64_t bucket, slot;
	} v[SAMPLED_BUCKETS];
	unsigned int n;
};

/* Reads n slots from `first` into t and takes the buckets in them. False: that is no table. */
static bool take_buckets(struct search *s, struct buckets *b, uint64_t first, uint64_t n,
			 uint64_t *t)
{
	uint64_t any = 0;

	if (memsrc_read(s->rt->m, PASS_DISCOVER, b->table + first * 8, t, n * 8) == -EFAULT)
		return false;
	for (uint64_t i = 0; i < n; i++)
		any |= t[i];
	if (any % 8 || any >> 56)
		return false;
	for (uint64_t i = 0; any && i < n && b->n < SAMPLED_BUCKETS; i++)
		if (t[i]) {
			b->v[b->n].bucket = t[i];
			b->v[b->n++].slot = first + i;
		}
	return true;
}

static bool take_all_buckets(struct search *s, struct buckets *b, uint64_t *t)
{
	uint64_t n = 512; /* look-alikes fail on their first page */

	for (uint64_t at = 0; at < b->slots; at += n, n = BUCKETS_PIECE) {
		n = b->slots - at < n ? b->slots - at : n;
		if (!take_buckets(s, b, at, n, t))
			return false;
	}
	return true;
}

/* Where a table is known to be, a few do: none of them hangs where it does by chance. Of a program
 * that has hardly any, only those pages are read that are there. */
static bool take_some_buckets(struct search *s, struct buckets *b, uint64_t *t)
{
	enum { ENOUGH = 4, PAGE_SLOTS = 512 };
	uint64_t end = b->table + b->slots * 8;
	range_vec pages = { 0 };
	bool ok = true;

	memsrc_pages(s->rt->m, SEQ_BUCKETS, b->table, page_up(s->rt, end), &pages);
	for (size_t i = 0; i < pages.n && ok; i++) {
		uint64_t at = pages.v[i].start > b->table ? pages.v[i].start : b->table;

		for (; at < pages.v[i].end && at < end && ok && b->n < ENOUGH; at += PAGE_SLOTS * 8)
			ok = take_buckets(s, b, (at - b->table) / 8,
					  end - at < PAGE_SLOTS * 8 ? (end - at) / 8 : PAGE_SLOTS,
					  t);
	}
	vec_free(&pages);
	return ok && !b->n ? take_all_buckets(s, b, t) : ok;
}

/* buckhash: a table whose buckets know the slot that they hang in (mprof.go, stkbucket). */
static bool is_buckhash(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	struct buckets b = { .table = w[0], .slots = l->f[GO_CONST_BUCKHASHSIZE] };
	_free_ uint64_t *t = NULL;

	if (!search_readable(s, w[0], b.slots * 8) || l->f[GO_SIZE_BUCKET] > 64)
		return false;
	t = malloc(BUCKETS_PIECE * 8);
	if (!t || !(s->known ? take_some_buckets(s, &b, t) : take_all_buckets(s, &b, t)))
		return false;
	for (unsigned int i = 0; i < b.n; i++)
		if (!hangs_in(s, b.v[i].bucket, b.v[i].slot))
			return false;
	return b.n > 0;
}

/* ---- Ps, Gs, Ms */

/* A P's cache of spans: every entry points at a span, be it the empty one (mcache.go). */
static bool is_mcache(struct search *s, uint64_t cache)
{
	uint64_t span[SAMPLED_SPANS];

	if (!cache || cache % 8 || !search_writable_anon(s, cache) ||
	    memsrc_read(s->rt->m, PASS_DISCOVER, cache + s->rt->l->f[GO_MCACHE_ALLOC], span,
			sizeof(span)))
		return false;
	for (int i = 0; i < SAMPLED_SPANS; i++)
		if (!span[i] || span[i] % 8 || !search_readable(s, span[i], 8))
			return false;
	return true;
}

/* Ms keep copies of this slice too (m.allpSnapshot, from 1.25). */
static bool is_allp(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t p, cache, m;
	uint32_t id, status;

	if (!w[1] || w[1] > w[2] || w[1] > MAX_PROCS || !search_writable_anon(s, w[0]))
		return false;
	for (uint64_t i = 0; i < w[1]; i++) {
		if (rd_u64(s->rt, PASS_DISCOVER, w[0] + 8 * i, &p) || p % 8 || !p ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, p + l->f[GO_P_ID], &id, 4) ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, p + l->f[GO_P_STATUS], &status, 4) ||
		    rd_u64(s->rt, PASS_DISCOVER, p + l->f[GO_P_M], &m) ||
		    rd_u64(s->rt, PASS_DISCOVER, p + l->f[GO_P_MCACHE], &cache))
			return false;
		if (id != i || status > P_DEAD || m % 8 || !is_mcache(s, cache))
			return false;
	}
	return true;
}

static bool g_is_sane(struct search *s, uint64_t g, uint64_t *goid)
{
	const struct go_layout *l = s->rt->l;
	uint64_t stack[2], m;
	uint32_t status;

	if (!g || g % 8 || memsrc_read(s->rt->m, PASS_DISCOVER, g + l->f[GO_G_STACK], stack, 16) ||
	    memsrc_read(s->rt->m, PASS_DISCOVER, g + l->f[GO_G_STATUS], &status, 4) ||
	    rd_u64(s->rt, PASS_DISCOVER, g + l->f[GO_G_M], &m) ||
	    rd_u64(s->rt, PASS_DISCOVER, g + l->f[GO_G_GOID], goid))
		return false;
	return stack[0] <= stack[1] && stack[1] - stack[0] <= (1ULL << 31) && stack[0] % 8 == 0 &&
	       !(*goid >> 48) && m % 8 == 0 && (status & ~GO_GSCAN) < GO_GSTATUS_COUNT;
}

/*
 * allgs: every goroutine ever, the first of which is main's unless that has ended. A cycle keeps a
 * copy of the slice (work.stackRoots, from 1.18): the longer is the original. What follows a
 * pointer to its array may pass for a length: then the array does not end with a pointer.
 */
static void look_allgs(struct search *s, uint64_t addr, const uint64_t w[4])
{
	uint64_t k = w[1] < SAMPLED_GS ? w[1] : SAMPLED_GS, g, goid, first = 0, prev = 0;

	if (!k || w[1] > w[2] || w[2] >> 32 || !search_writable_anon(s, w[0]) ||
	    rd_u64(s->rt, PASS_DISCOVER, w[0] + 8 * (w[1] - 1), &g) || !g || g % 8 ||
	    !search_readable(s, g, s->rt->l->f[GO_SIZE_G]))
		return;
	for (uint64_t i = 0; i < k; i++) {
		if (rd_u64(s->rt, PASS_DISCOVER, w[0] + 8 * i, &g) || !g_is_sane(s, g, &goid) ||
		    g == prev)
			return;
		prev = g;
		first = i ? first : goid;
	}
	if (first)
		candidate_add(&s->allgs, addr, (first == 1 ? 1ULL << 40 : 0) + w[1]);
}

/* allm: the list of all Ms; each has a g0 that points back at it (runtime2.go, g.m). Idle Ms and
 * the like are tails of it: the longest is the list itself. extraM, which may hold the same M, is
 * no pointer to the compiler and lies elsewhere. */
static void look_allm(struct search *s, uint64_t addr, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t at = w[0], g0, back, procid, n = 0, withid = 0;

	if (addr < s->bss || addr >= s->ebss)
		return;
	for (; at; n++) {
		if (!search_step(s, n) || at % 8 || !search_readable(s, at, l->f[GO_SIZE_M]) ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_G0], &g0) || !g0 || g0 % 8 ||
		    rd_u64(s->rt, PASS_DISCOVER, g0 + l->f[GO_G_M], &back) || back != at ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_PROCID], &procid) || procid >> 32 ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_ALLLINK], &at))
			return;
		withid += procid != 0;
	}
	if (n > 1 && withid)
		candidate_add(&s->allm, addr, n);
}

/* ---- gcController */

/* heapMinimum is 4 MiB (512 KiB by experiment) times gcPercent over 100, in 64 bits also for −1
 * (mgcpacer.go, setGCPercent, from 1.17). */
static bool is_heap_minimum(uint64_t minimum, int32_t percent)
{
	uint64_t p = (uint64_t)(int64_t)percent;

	return percent >= -1 &&
	       (minimum == (4ULL << 20) * p / 100 || minimum == (512ULL << 10) * p / 100);
}

/* Objects lie in spans, of which they may be a small part; the process goes on between two reads.
 */
static bool is_within(uint64_t objects, uint64_t spans)
{
	return objects <= spans || search_near(objects, spans);
}

/* From 1.19 it counts heapInUse, heapReleased and heapFree beside heapStats, in whole pages. */
static bool is_gccontroller(struct search *s, uint64_t base)
{
	const struct go_layout *l = s->rt->l;
	size_t n = l->f[GO_SIZE_GCCONTROLLER];
	uint8_t b[1024];
	uint64_t inuse, released, limit, mapped, allocated;

	if (base < s->rt->g.noptrdata || n > sizeof(b) || rd(s->rt, PASS_DISCOVER, base, b, n))
		return false;
	inuse = get_u64(l, GO_GCC_HEAPINUSE, b, n);
	released = get_u64(l, GO_GCC_HEAPRELEASED, b, n);
	limit = get_u64(l, GO_GCC_MEMORYLIMIT, b, n);
	mapped = get_u64(l, GO_GCC_MAPPEDREADY, b, n);
	allocated = get_u64(l, GO_GCC_TOTALALLOC, b, n) - get_u64(l, GO_GCC_TOTALFREE, b, n);
	return is_heap_minimum(get_u64(l, GO_GCC_HEAPMINIMUM, b, n),
			       get_u32(l, GO_GCC_GCPERCENT, b, n)) &&
	       limit && limit <= INT64_MAX && !(released % SMALLEST_PAGE) &&
	       search_near(released, s->released) && mapped >= inuse && mapped < (1ULL << 47) &&
	       get_u64(l, GO_GCC_HEAPFREE, b, n) % SMALLEST_PAGE == 0 &&
	       is_within(allocated, inuse) && is_within(get_u64(l, GO_GCC_HEAPLIVE, b, n), inuse);
}

/* In 1.17 and 1.18 the pacer's figures must fit the heap's. */
static bool is_old_gccontroller(struct search *s, uint64_t base)
{
	const struct go_layout *l = s->rt->l;
	size_t n = l->f[GO_SIZE_GCCONTROLLER];
	uint64_t marked, goal, trigger, most = s->in_heap + s->in_heap / 4 + (64 << 20);
	uint8_t b[1024];
	int32_t percent;

	if (base < s->rt->g.noptrdata || n > sizeof(b) || rd(s->rt, PASS_DISCOVER, base, b, n))
		return false;
	percent = get_u32(l, GO_GCC_GCPERCENT, b, n);
	marked = get_u64(l, GO_GCC_HEAPMARKED, b, n);
	goal = get_u64(l, GO_GCC_HEAPGOAL, b, n);
	trigger = get_u64(l, GO_GCC_TRIGGER, b, n);
	if (!is_heap_minimum(get_u64(l, GO_GCC_HEAPMINIMUM, b, n), percent) ||
	    (percent < 0) != (goal == UINT64_MAX))
		return false;
	/* no heap was marked before the first cycle: 1.18 leaves 0, 1.17 a guess */
	if (!marked && (s->numgc || goal != get_u64(l, GO_GCC_HEAPMINIMUM, b, n)))
		return false;
	return marked <= goal && trigger <= goal && marked <= most &&
	       get_u64(l, GO_GCC_HEAPLIVE, b, n) <= most;
}

bool fits_gccontroller(struct search *s, uint64_t base)
{
	if (go_has(s->rt->l, GO_GCC_HEAPINUSE))
		return is_gccontroller(s, base);
	return go_has(s->rt->l, GO_GCC_HEAPGOAL) && is_old_gccontroller(s, base);
}

static void look_gccontroller(struct search *s, uint64_t addr, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t *slot = &s->rt->g.gccontroller;

	if (go_has(l, GO_GCC_HEAPINUSE)) {
		if (w[0] % GO_PAGE_SIZE == 0 && search_near(w[0], s->in_heap) &&
		    fits_gccontroller(s, addr - l->f[GO_GCC_HEAPINUSE]))
			search_take(slot, addr - l->f[GO_GCC_HEAPINUSE]);
	} else if (go_has(l, GO_GCC_HEAPGOAL)) {
		/* percent, then minimum */
		if (!(w[0] >> 32) && is_heap_minimum(w[1], w[0]) &&
		    fits_gccontroller(s, addr - l->f[GO_GCC_GCPERCENT]))
			search_take(slot, addr - l->f[GO_GCC_GCPERCENT]);
	}
}

/* ---- */

static int word_is_var(struct search *s, uint64_t addr, const uint64_t w[4])
{
	struct go_globals *g = &s->rt->g;
	uint64_t arena;

	look_gccontroller(s, addr, w);
	if (w[0] < 4096 || w[0] >> 56 || w[0] % 8) /* not a pointer */
		return 0;
	/* All three come from sysAlloc, never from an arena: there are the program's own objects,
	 * of which as little as can be is read. */
	if (w[0] % memsrc_page_size(s->rt->m) == 0 && search_writable_anon(s, w[0]) &&
	    (s->known || search_arena(s, w[0], &arena))) {
		look_persistent_chunks(s, addr, w);
		look_gcbits(s, addr, w);
		if (s->want_buckhash && is_buckhash(s, w))
			search_take(&g->buckhash, addr);
	}
	if (is_allp(s, w))
		candidate_add(&s->allp, addr, w[1]);
	look_allgs(s, addr, w);
	look_allm(s, addr, w);
	return 0;
}

/* The heap's sums, which gcController repeats: heapStats (from 1.16), mstats (1.15). */
static void sums_sample(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	uint64_t at = s->rt->g.memstats + l->f[GO_MSTATS_HEAPSTATS] + l->f[GO_HEAPSTATS_STATS], x;

	if (!go_has(l, GO_MSTATS_HEAPSTATS))
		return;
	s->in_heap = s->released = 0;
	for (int i = 0; i < 3; i++, at += l->f[GO_SIZE_HEAPDELTA]) {
		if (!rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_HEAPDELTA_INHEAP], &x))
			s->in_heap += x;
		if (!rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_HEAPDELTA_RELEASED], &x))
			s->released += x;
	}
}

int find_vars(struct search *s)
{
	struct go_globals *g = &s->rt->g;

	s->allp.n = s->allm.n = s->allgs.n = s->chunks.n = s->gcbits.n = 0;
	g->gccontroller = g->buckhash = 0;
	s->steps = 0;
	sums_sample(s);
	s->numgc = 0;
	rd(s->rt, PASS_DISCOVER, g->memstats + s->rt->l->f[GO_MSTATS_NUMGC], &s->numgc, 4);
	return search_words(s, g->noptrdata, g->end, word_is_var);
}
