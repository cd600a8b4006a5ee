/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a layout that fits the outside of the runtime's structures fits their inside too: what
 * holds in every program, of fields that nothing else has checked. A process goes on while it is
 * looked at, so a few of many may disagree, never most.
 */
#include "goruntime/discover.h"

#include "goruntime/rd.h"

enum {
	TRIES = 16,
	MAX_ARENAS = 1 << 22,
	SAMPLED_ARENAS = 64,
	SAMPLED_PS = 4,
	BITS_MAX = 1024, /* bytes of alloc bits: 8 KiB spans of 8-byte objects have 128 */
	SAMPLED_GS = 64,
	STATE_INUSE = 1,
	CLASS_SHIFT = 1, /* spanClass = size class << 1 | noscan */
};

struct tally {
	unsigned int n, arena, known, class, bits, flag;
	unsigned int cut, badly; /* spans that were cut from since they were swept */
};

static bool fails(unsigned int bad, unsigned int n)
{
	return bad > 1 + n / 16;
}

/* A word that must be there: 1 read, 0 not resident (swapped out: nothing against the layout), −1
 * not even mapped. */
static int look(struct search *s, uint64_t addr, uint64_t *out)
{
	int r = rd_u64(s->rt, PASS_DISCOVER, addr, out);

	return !r ? 1 : r == -ENODATA ? 0 : -1;
}

/* heapArena.spans names each page's span (mheap.go, setSpans): 1 it does, 0 not resident, −1 it
 * does not. */
static int arena_knows(struct search *s, uint64_t start, uint64_t span)
{
	const struct go_layout *l = s->rt->l;
	uint64_t in_arena =
		(start - l->f[GO_CONST_ARENABASEOFFSET]) % l->f[GO_CONST_HEAPARENABYTES];
	uint64_t arena, p;
	int r = search_arena(s, start, &arena);

	if (r)
		return r == -ENODATA ? 0 : -1;
	r = look(s, arena + l->f[GO_HEAPARENA_SPANS] + in_arena / GO_PAGE_SIZE * 8, &p);
	return r <= 0 || p == span ? r : -1;
}

/* allocCount is how many slots lie below freeindex or have their bit, from 1.15 to now. Spans that
 * nothing was cut from since they were swept say nothing of freeindex. */
static void check_bits(struct search *s, const uint8_t *sp, size_t n, struct tally *t)
{
	const struct go_layout *l = s->rt->l;
	uint64_t nelems = get_uint(l, GO_MSPAN_NELEMS, GO_MSPAN_NELEMS_WIDTH, sp, n);
	uint64_t free = get_uint(l, GO_MSPAN_FREEINDEX, GO_MSPAN_FREEINDEX_WIDTH, sp, n);
	uint64_t alloc = get_u64(l, GO_MSPAN_ALLOCBITS, sp, n), used = free, all = 0;
	uint8_t b[BITS_MAX];
	uint16_t count;

	memcpy(&count, sp + l->f[GO_MSPAN_ALLOCCOUNT], 2);
	if (free > nelems || count > nelems || alloc == get_u64(l, GO_MSPAN_GCMARKBITS, sp, n)) {
		t->bits++;
		return;
	}
	if (nelems > BITS_MAX * 8 ||
	    memsrc_read(s->rt->m, PASS_DISCOVER, alloc, b, (nelems + 7) / 8))
		return; /* swapped out: nothing against it */
	for (uint64_t i = 0; i < nelems; i++) {
		all += b[i / 8] >> i % 8 & 1;
		used += i >= free ? b[i / 8] >> i % 8 & 1 : 0;
	}
	t->cut += all != count;
	t->badly += all != count && used != count;
	t->bits += used != count;
}

static void check_span(struct search *s, uint64_t at, const uint8_t *sp, size_t n, struct tally *t)
{
	const struct go_layout *l = s->rt->l;
	uint8_t spc = get_u8(l, GO_MSPAN_SPANCLASS, sp, n), class = spc >> CLASS_SHIFT;
	uint64_t elem = get_u64(l, GO_MSPAN_ELEMSIZE, sp, n);
	uint64_t pages = get_u64(l, GO_MSPAN_NPAGES, sp, n);
	uint8_t arena = go_has(l, GO_MSPAN_USERARENA) ? get_u8(l, GO_MSPAN_USERARENA, sp, n) : 0;
	int known;

	known = arena_knows(s, get_u64(l, GO_MSPAN_STARTADDR, sp, n), at);
	t->n++;
	t->known += known > 0;
	t->arena += known < 0;
	t->flag += arena > 1 || (arena && pages != GO_USER_ARENA_PAGES);
	if (arena)
		return;
	t->class += class >= l->nclasses || (class && l->class_size[class] != elem) ||
		    elem > pages * GO_PAGE_SIZE;
	check_bits(s, sp, n, t);
}

static void look_at_span(struct search *s, uint64_t at, uint8_t *buf, struct tally *t)
{
	size_t n = s->rt->l->f[GO_SIZE_MSPAN];

	if (!memsrc_read(s->rt->m, PASS_DISCOVER, at, buf, n) &&
	    get_u8(s->rt->l, GO_MSPAN_STATE, buf, n) == STATE_INUSE)
		check_span(s, at, buf, n, t);
}

/* Spans in the Ps' caches are those that are cut from. */
static void look_at_caches(struct search *s, uint8_t *buf, struct tally *t)
{
	uint64_t cache, span;

	for (size_t i = 0; i < s->ps.n && i < SAMPLED_PS; i++) {
		if (rd_u64(s->rt, PASS_DISCOVER, s->ps.v[i] + s->rt->l->f[GO_P_MCACHE], &cache))
			continue;
		cache += s->rt->l->f[GO_MCACHE_ALLOC];
		for (uint32_t k = 0; k < 2 * s->rt->l->nclasses; k++)
			if (!rd_u64(s->rt, PASS_DISCOVER, cache + 8 * k, &span) && span)
				look_at_span(s, span, buf, t);
	}
}

static int check_spans(struct search *s)
{
	_free_ uint8_t *buf = malloc(s->rt->l->f[GO_SIZE_MSPAN]);
	struct tally t = { 0 };
	uint64_t l2;

	if (!buf)
		return -ENOMEM;
	if (look(s, s->rt->g.mheap + s->rt->l->f[GO_MHEAP_ARENAS], &l2) <= 0)
		return 0;
	if (!l2)
		return search_refuse(s, "the arena index");
	for (unsigned int i = 0; i < s->nspan; i++)
		look_at_span(s, s->span[i], buf, &t);
	if (!s->known)
		look_at_caches(s, buf, &t);
	/* what was never touched is no table of spans in use */
	if (fails(t.arena, t.n) || (t.n && !t.known && !s->rt->swapped))
		return search_refuse(s, "arena index disagrees with allspans");
	if (fails(t.class, t.n))
		return search_refuse(s, "span sizes do not match size classes");
	if (fails(t.flag, t.n))
		return search_refuse(s, "marks of user arenas");
	if (fails(t.bits, t.n) || t.badly > t.cut / 4)
		return search_refuse(s, "span object counts do not match bitmaps");
	return 0;
}

/* Every arena that is listed is in the index. */
static int check_arenas(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	uint64_t l2, idx, ha;
	struct go_slice all;
	int r = rd_slice(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_ALLARENAS], &all);

	if (look(s, s->rt->g.mheap + l->f[GO_MHEAP_ARENAS], &l2) <= 0)
		return 0;
	if (r || !all.len || all.len > MAX_ARENAS || l2 % memsrc_page_size(s->rt->m) ||
	    !search_readable(s, l2, (1ULL << 48) / l->f[GO_CONST_HEAPARENABYTES] * 8))
		return search_refuse(s, "the list of arenas");
	for (uint64_t i = 0; i < all.len && i < SAMPLED_ARENAS; i++) {
		r = look(s, all.ptr + 8 * i, &idx);
		if (r > 0 && idx < MAX_ARENAS)
			r = look(s, l2 + 8 * idx, &ha);
		else if (r > 0)
			r = -1;
		if (r < 0 || (r > 0 && !ha))
			return search_refuse(s, "the list of arenas");
	}
	return 0;
}

/* Whole structures are in use, no more than were made, and a cache for every P. */
static int check_fixallocs(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	uint64_t at = s->rt->g.mheap + l->f[GO_FIXALLOC_INUSE], spans, caches;
	struct go_slice all;

	if (look(s, at + l->f[GO_MHEAP_SPANALLOC], &spans) <= 0 ||
	    look(s, at + l->f[GO_MHEAP_CACHEALLOC], &caches) <= 0 ||
	    rd_slice(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_ALLSPANS], &all))
		return 0;
	if (spans % l->f[GO_SIZE_MSPAN] || spans / l->f[GO_SIZE_MSPAN] > all.len || !spans ||
	    caches % l->f[GO_SIZE_MCACHE] || caches / l->f[GO_SIZE_MCACHE] < s->ps.n ||
	    caches / l->f[GO_SIZE_MCACHE] > MAX_PROCS)
		return search_refuse(s, "the structures in use");
	return 0;
}

/* The bits of every span lie in one of the lists. */
static int check_gcbits(struct search *s)
{
	uint64_t size = s->rt->l->f[GO_CONST_GCBITSCHUNK], next = s->rt->l->f[GO_GCBITSARENA_NEXT];
	uint64_t seen = 0, seen_old = 0, at;
	unsigned int in;
	int r;

	for (int i = 1; i < 5 && s->rt->g.gcbits_arenas; i++) {
		if (rd_vars(s->rt, PASS_DISCOVER, s->rt->g.gcbits_arenas + 8 * i, &at, 8))
			return 0;
		for (unsigned int n = 0; at && n < MAX_LIST; n++) {
			for (unsigned int k = 0; k < s->nmark; k++)
				seen |= (uint64_t)(s->markbits[k] - at < size) << k;
			for (unsigned int k = 0; k < s->nold; k++)
				seen_old |= (uint64_t)(s->oldbits[k] - at < size) << k;
			r = look(s, at + next, &at);
			if (r <= 0)
				return r ? search_refuse(s, "the lists of mark bits") : 0;
		}
	}
	in = __builtin_popcountll(seen) + __builtin_popcountll(seen_old);
	return s->rt->g.gcbits_arenas && fails(s->nmark + s->nold - in, s->nmark + s->nold)
		       ? search_refuse(s, "the lists of mark bits")
		       : 0;
}

/* Statuses are statuses, and goroutines don't stay new. */
static int check_goroutines(struct search *s)
{
	uint64_t g, n = 0, bad = 0, fresh = 0;
	struct go_slice all;
	uint32_t st;

	if (!s->rt->g.allgs || rd_slice(s->rt, PASS_DISCOVER, s->rt->g.allgs, &all))
		return 0;
	for (unsigned int i = 0; i < SAMPLED_GS && i < all.len; i++) {
		uint64_t k = all.len > SAMPLED_GS ? all.len / SAMPLED_GS * i : i;

		if (rd_u64(s->rt, PASS_DISCOVER, all.ptr + 8 * k, &g) || !g ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, g + s->rt->l->f[GO_G_STATUS], &st, 4))
			continue;
		n++;
		bad += (st & ~GO_GSCAN) >= GO_GSTATUS_COUNT;
		fresh += !(st & ~GO_GSCAN);
	}
	return bad || fails(fresh, n) ? search_refuse(s, "goroutines' states") : 0;
}

static int check_all(struct search *s)
{
	int r = check_spans(s);

	if (!r)
		r = check_arenas(s);
	if (!r)
		r = check_fixallocs(s);
	if (!r)
		r = check_gcbits(s);
	return r ? r : check_goroutines(s);
}

int selfcheck(struct search *s)
{
	int r = check_all(s);

	for (unsigned int i = 1; i < TRIES && r == -ENOENT; i++) {
		rd_again(s->rt, i);
		r = find_samples(s);
		if (!r)
			r = check_all(s);
	}
	return r;
}
