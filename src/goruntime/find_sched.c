/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is recognised by the Ps, Ms and Gs: the scheduler, the limiter of GC's CPU. After that the
 * candidates that looked alike can be told apart by where they lie.
 */
#include "goruntime/discover.h"

#include "goruntime/gcwork.h"
#include "goruntime/rd.h"

enum {
	SCHED_BYTES = 512, /* of schedt, as far as it is looked at */
	MAX_MS_EVER = 1 << 28,
	WORK_TRIES = 12,
	KNOWN_WORK_TRIES = 3, /* where it is known to be */
};

static bool is_in(const uint64_t *v, size_t n, uint64_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

/*
 * sched: mnext − nmfreed Ms are alive (proc.go, mcount), as long as allm; idle Ms and Ps are known
 * ones; no more goroutines are free, queued or the runtime's own than there are.
 */
static void look_sched(struct search *s, uint64_t base)
{
	const struct go_layout *l = s->rt->l;
	uint8_t b[SCHED_BYTES];
	uint64_t midle, pidle, mnext, freed;
	int32_t max, nidle, npidle, ngsys, runq;

	if (base < s->rt->g.noptrdata || base + l->f[GO_SIZE_SCHED] > s->rt->g.end)
		return;
	if (rd_vars(s->rt, PASS_DISCOVER, base, b, sizeof(b)))
		return;
	mnext = get_u64(l, GO_SCHED_MNEXT, b, sizeof(b));
	freed = get_u64(l, GO_SCHED_NMFREED, b, sizeof(b));
	max = get_u32(l, GO_SCHED_MAXMCOUNT, b, sizeof(b));
	midle = get_u64(l, GO_SCHED_MIDLE, b, sizeof(b));
	pidle = get_u64(l, GO_SCHED_PIDLE, b, sizeof(b));
	nidle = get_u32(l, GO_SCHED_NMIDLE, b, sizeof(b));
	npidle = get_u32(l, GO_SCHED_NPIDLE, b, sizeof(b));
	ngsys = get_u32(l, GO_SCHED_NGSYS, b, sizeof(b));
	runq = get_u32(l, GO_SCHED_RUNQSIZE, b, sizeof(b));
	if (freed > mnext || mnext - freed != s->ms.n || (uint64_t)max < mnext - freed || max <= 0)
		return;
	if (nidle < 0 || (size_t)nidle > s->ms.n || npidle < 0 || (size_t)npidle > s->ps.n ||
	    ngsys < 1 || (uint64_t)ngsys > s->ngs || runq < 0)
		return;
	if ((midle && !is_in(s->ms.v, s->ms.n, midle)) ||
	    (pidle && !is_in(s->ps.v, s->ps.n, pidle)) || (npidle > 0) != (pidle != 0))
		return;
	if (get_u64(l, GO_SCHED_GOIDGEN, b, sizeof(b)) >= s->ngs &&
	    get_u64(l, GO_SCHED_PROCRESIZETIME, b, sizeof(b)) > 0)
		search_take(&s->rt->g.sched, base);
}

/* A second of every P's time, held against how many Ps there are (mgclimit.go; from 1.19). */
bool fits_limiter(struct search *s, uint64_t base)
{
	const struct go_layout *l = s->rt->l;
	size_t n = l->f[GO_SIZE_LIMITER];
	uint8_t b[128];
	uint64_t capacity, at;

	if (n > sizeof(b) || base < s->rt->g.noptrdata || rd_vars(s->rt, PASS_DISCOVER, base, b, n))
		return false;
	capacity = get_u64(l, GO_LIMITER_CAPACITY, b, n);
	at = get_u64(l, GO_LIMITER_LASTUPDATE, b, n); /* since boot; tables have addresses there */
	if (at >= s->rt->g.text && at < s->rt->g.end)
		return false;
	return get_u32(l, GO_LIMITER_NPROCS, b, n) == s->ps.n &&
	       capacity == s->ps.n * 1000000000ULL &&
	       get_u64(l, GO_LIMITER_FILL, b, n) <= capacity &&
	       get_u32(l, GO_LIMITER_LASTENABLED, b, n) <= s->numgc + 1 &&
	       get_u64(l, GO_LIMITER_LASTUPDATE, b, n) >> 62 == 0 &&
	       get_u64(l, GO_LIMITER_LASTUPDATE, b, n) != 0;
}

static int word_is_late(struct search *s, uint64_t addr, const uint64_t w[4])
{
	struct go_globals *g = &s->rt->g;
	const struct go_layout *l = s->rt->l;

	if (go_has(l, GO_LIMITER_CAPACITY) && s->ps.n && w[0] == s->ps.n * 1000000000ULL &&
	    fits_limiter(s, addr - l->f[GO_LIMITER_CAPACITY]))
		search_take(&g->limiter, addr - l->f[GO_LIMITER_CAPACITY]);
	/* mnext, maxmcount and nmsys, nmfreed */
	if (w[0] >= s->ms.n && w[0] < MAX_MS_EVER && s->ms.n && (int32_t)w[1] > 0 &&
	    (l->f[GO_SCHED_NMFREED] != l->f[GO_SCHED_MNEXT] + 16 || w[2] <= w[0]))
		look_sched(s, addr - l->f[GO_SCHED_MNEXT]);
	return 0;
}

/* ---- settling the candidates */

static bool inside(uint64_t addr, uint64_t start, uint64_t size)
{
	return start && addr >= start && addr < start + size;
}

/* Places inside other variables that may hold what the candidates hold: lists of Ms in sched and in
 * the first m, copies of allp there and of allgs in work, blocks beside those looked for in mheap_.
 */
static bool is_borrowed(const struct search *s, uint64_t addr)
{
	const struct go_layout *l = s->rt->l;

	if (inside(addr, s->rt->g.mheap, l->f[GO_SIZE_MHEAP]) ||
	    inside(addr, s->rt->g.memstats, l->f[GO_SIZE_MSTATS]) ||
	    inside(addr, s->rt->g.sched, l->f[GO_SIZE_SCHED]) ||
	    inside(addr, s->rt->g.work, l->f[GO_SIZE_WORK]))
		return true;
	for (size_t i = 0; i < s->ms.n; i++)
		if (inside(addr, s->ms.v[i], l->f[GO_SIZE_M]))
			return true;
	return false;
}

static uint64_t settle(const struct search *s, const struct candidates *c)
{
	uint64_t best = 0, rank = 0;

	if (c->overflow)
		return 0;
	for (unsigned int i = 0; i < c->n; i++) {
		if (c->v[i].rank < rank || is_borrowed(s, c->v[i].addr))
			continue;
		best = c->v[i].rank == rank ? UINT64_MAX : c->v[i].addr;
		rank = c->v[i].rank;
	}
	return best;
}

/* The lists of bits move from word to word: take what still looks right. Up to the second cycle
 * they are one further on while a cycle marks (mheap.go, nextMarkBitArenaEpoch). */
static uint64_t settle_bits(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	uint64_t base = settle(s, &s->gcbits), gcc = s->rt->g.gccontroller, w[6], x;

	if (!base || base == UINT64_MAX)
		return base;
	if (s->numgc <= 2 && s->nmark && gcc && gcc != UINT64_MAX && go_has(l, GO_GCC_TRIGGERED) &&
	    !rd_u64(s->rt, PASS_DISCOVER, gcc + l->f[GO_GCC_TRIGGERED], &x) && x != UINT64_MAX)
		base -= 8;
	memsrc_flush(s->rt->m);
	if (rd_vars(s->rt, PASS_DISCOVER, base, w, sizeof(w)) || is_bits_list(s, w[5]) ||
	    (s->numgc > 2 && !w[4]))
		return 0;
	for (int i = 1; i < 5; i++)
		if (w[i] && !is_bits_list(s, w[i]))
			return 0;
	return base;
}

/* ---- the lists */

static const struct candidate *best_of(const struct candidates *c)
{
	const struct candidate *best = NULL;

	for (unsigned int i = 0; i < c->n; i++)
		if (!best || c->v[i].rank > best->rank)
			best = &c->v[i];
	return best;
}

static int list_ms(struct search *s)
{
	const struct candidate *best = best_of(&s->allm);
	uint64_t m = 0;

	s->ms.n = 0;
	if (!best || rd_u64(s->rt, PASS_DISCOVER, best->addr, &m))
		return 0;
	while (m && s->ms.n < MAX_LIST) {
		if (vec_push(&s->ms, m))
			return -ENOMEM;
		if (rd_u64(s->rt, PASS_DISCOVER, m + s->rt->l->f[GO_M_ALLLINK], &m))
			break;
	}
	return 0;
}

static int list_ps(struct search *s)
{
	const struct candidate *best = best_of(&s->allp);
	struct go_slice all;
	uint64_t p;

	s->ps.n = 0;
	if (!best || rd_slice(s->rt, PASS_DISCOVER, best->addr, &all))
		return 0;
	for (uint64_t i = 0; i < all.len && i < MAX_PROCS; i++)
		if (!rd_u64(s->rt, PASS_DISCOVER, all.ptr + 8 * i, &p) && vec_push(&s->ps, p))
			return -ENOMEM;
	return 0;
}

int find_sched(struct search *s)
{
	struct go_globals *g = &s->rt->g;
	uint64_t at = s->known && s->known->g.work ? s->known->g.work + s->rt->bias : 0;
	const struct candidate *gs;
	int r = list_ms(s);

	if (!r)
		r = list_ps(s);
	gs = best_of(&s->allgs);
	s->ngs = gs ? gs->rank & UINT32_MAX : 0;
	g->sched = g->limiter = 0;
	if (!r)
		r = search_words(s, g->noptrdata, g->end, word_is_late);
	if (r < 0)
		return r;
	/* the end of a cycle may pass by */
	for (unsigned int i = 0; i < WORK_TRIES && !g->work && s->numgc; i++) {
		if (i)
			rd_again(s->rt, i);
		go_work_find(s->rt, i < KNOWN_WORK_TRIES ? at : 0, &g->work);
	}
	g->allp = settle(s, &s->allp);
	g->allm = settle(s, &s->allm);
	g->allgs = settle(s, &s->allgs);
	g->persistent_chunks = settle(s, &s->chunks);
	g->gcbits_arenas = settle_bits(s);
	return 0;
}
