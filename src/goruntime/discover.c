/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the runtime's globals by what they hold: no symbols, no instruction decoding.
 *
 * moduledata is the aligned word that points at pclntab and whose neighbours agree with the ELF
 * file; it gives the range noptrdata…end that holds all globals. mheap_ is where a slice looks
 * like allspans and both fixallocs around it name the very sizes of the layout; the rest follows
 * from mheap_ or is recognised by invariants that no other data has.
 */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"

enum {
	SCAN_CHUNK = 1 << 20,
	SCAN_MAX = 512 << 20, /* bytes of data and bss that are searched at most */
	NSAMPLE = 64,	      /* spans that a candidate must agree with */
	MAX_PROCS = 1 << 16,
	MAX_LIST = 1 << 17,
	TRIES = 4,
	SEQ_VARIABLES = 16, /* of memsrc_pages */
};

struct search {
	struct go_runtime *rt;
	const struct maps *maps;
	const struct bin *b;
	uint64_t pclntab;
	uint64_t sample_span[NSAMPLE], sample_bits[NSAMPLE];
	unsigned int nspan, nbits;
	uint64_t in_heap, released; /* heapStats, to recognise gcController */
	unsigned int mstat_witnesses;
	bool want_buckhash;
	unsigned int chunks; /* length of the best candidate for persistentChunks */
};

static bool writable_anon(const struct search *s, uint64_t addr)
{
	const struct vma *v = maps_find(s->maps, addr);

	return v && !v->inode && (v->flags & VMA_W);
}

static bool readable(const struct search *s, uint64_t addr, uint64_t len)
{
	const struct vma *v = maps_find(s->maps, addr);

	return v && (v->flags & VMA_R) && len <= v->end - addr;
}

/* Calls fn for each aligned word in [lo, hi) until it returns non-zero; gives the word and up to
 * three that follow (zeros past the end). */
typedef int word_fn(struct search *s, uint64_t addr, const uint64_t w[4]);

static int scan_words(struct search *s, uint64_t lo, uint64_t hi, word_fn *fn)
{
	_free_ uint64_t *buf = malloc(SCAN_CHUNK + 3 * 8);

	if (!buf)
		return -ENOMEM;
	lo = (lo + 7) & ~7ULL;
	if (hi - lo > SCAN_MAX)
		hi = lo + SCAN_MAX;
	for (uint64_t at = lo; at + 8 <= hi;) {
		uint64_t n = hi - at < SCAN_CHUNK ? (hi - at) & ~7ULL : SCAN_CHUNK;
		uint64_t more = hi - at - n < 24 ? (hi - at - n) & ~7ULL : 24;
		int r = memsrc_read(s->rt->m, PASS_DISCOVER, at, buf, n + more);

		if (r && r != -ENODATA)
			return r;
		memset((char *)buf + n + more, 0, 24 - more);
		for (uint64_t i = 0; i < n / 8; i++) {
			if (!buf[i])
				continue;
			r = fn(s, at + i * 8, buf + i);
			if (r)
				return r;
		}
		at += n;
	}
	return 0;
}

/* ---- moduledata */

static int check_moduledata(struct search *s, uint64_t addr)
{
	const struct go_layout *l = s->rt->l;
	const struct bin_go *bg = bin_go(s->b);
	size_t n = go_off(l, GO_SIZE_MODULEDATA);
	_free_ uint8_t *md = malloc(n);
	const struct bin_segment *seg;
	uint64_t text, etext, minpc, maxpc, lo, end, bias = s->rt->bias;
	bool in_data = false, in_text = false;

	if (!md)
		return -ENOMEM;
	if (memsrc_read(s->rt->m, PASS_DISCOVER, addr, md, n))
		return 0;
	text = get_u64(l, GO_MODULEDATA_TEXT, md, n);
	etext = get_u64(l, GO_MODULEDATA_ETEXT, md, n);
	minpc = get_u64(l, GO_MODULEDATA_MINPC, md, n);
	maxpc = get_u64(l, GO_MODULEDATA_MAXPC, md, n);
	lo = get_u64(l, GO_MODULEDATA_NOPTRDATA, md, n);
	end = get_u64(l, GO_MODULEDATA_END, md, n);
	if (get_u64(l, GO_MODULEDATA_FTAB, md, n - 8) == 0 ||
	    load_u64(md + go_off(l, GO_MODULEDATA_FTAB) + 8) != bg->nfunc + 1)
		return 0;
	if (text > minpc || minpc >= maxpc || maxpc > etext + 64 || lo >= end)
		return 0;
	for (size_t i = 0, k = bin_segments(s->b, &seg); i < k; i++) {
		uint64_t a = seg[i].vaddr + bias, z = a + seg[i].memsz;

		in_text |= (seg[i].flags & BIN_SEG_X) && text >= a && etext <= z;
		in_data |= (seg[i].flags & BIN_SEG_W) && lo >= a && end <= z;
	}
	if (!in_text || !in_data)
		return 0;
	s->rt->g.moduledata = addr;
	s->rt->g.text = text;
	s->rt->g.etext = etext;
	s->rt->g.noptrdata = lo;
	s->rt->g.end = end;
	return 1;
}

static int word_is_moduledata(struct search *s, uint64_t addr, const uint64_t w[4])
{
	return w[0] == s->pclntab ? check_moduledata(s, addr) : 0;
}

/* It lies among the variables; from 1.26 in a section of its own, which may be read-only. */
static int find_moduledata(struct search *s)
{
	const struct bin_segment *seg;
	size_t n = bin_segments(s->b, &seg);
	uint64_t addr, size;
	int r = 0;

	s->pclntab = bin_go(s->b)->pclntab + s->rt->bias;
	if (bin_section(s->b, ".go.module", &addr, &size))
		r = scan_words(s, addr + s->rt->bias, addr + s->rt->bias + size,
			       word_is_moduledata);
	for (int pass = 0; pass < 2 && !r; pass++) {
		bool writable = !pass;

		for (size_t i = 0; i < n && !r; i++) {
			uint64_t a = seg[i].vaddr + s->rt->bias;

			bool w = seg[i].flags & BIN_SEG_W;

			if (!(seg[i].flags & BIN_SEG_X) && w == writable)
				r = scan_words(s, a, a + seg[i].filesz, word_is_moduledata);
		}
	}
	return r < 0 ? r : r ? 0 : -ENOENT;
}

/* ---- mheap_ */

static bool span_is_sane(const struct go_layout *l, const uint8_t *sp, size_t n)
{
	uint64_t start = get_u64(l, GO_MSPAN_STARTADDR, sp, n);
	uint64_t pages = get_u64(l, GO_MSPAN_NPAGES, sp, n);
	uint8_t state = get_u8(l, GO_MSPAN_STATE, sp, n);

	return start && start % GO_PAGE_SIZE == 0 && state <= 2 && pages < (1ULL << 32) &&
	       (!state || pages);
}

/* mheap_ and memstats point into each other by design: the fixallocs and the page allocator name
 * the statistic that they are charged to. Each agreeing pair is a witness. */
static bool check_memstats(struct search *s, uint64_t mheap, uint64_t *memstats)
{
	const struct go_layout *l = s->rt->l;
	const struct {
		enum go_field in, ptr, field;
	} w[] = {
		{ GO_MHEAP_SPANALLOC, GO_FIXALLOC_STAT, GO_MSTATS_MSPAN_SYS },
		{ GO_MHEAP_CACHEALLOC, GO_FIXALLOC_STAT, GO_MSTATS_MCACHE_SYS },
		{ GO_MHEAP_PAGES, GO_PAGEALLOC_SYSSTAT, GO_MSTATS_GC_SYS },
	};
	uint64_t p, first = 0;

	s->mstat_witnesses = 0;
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		if (!go_has(l, w[i].in) || !go_has(l, w[i].ptr) || !go_has(l, w[i].field))
			continue;
		if (rd_u64(s->rt, PASS_DISCOVER, mheap + l->f[w[i].in] + l->f[w[i].ptr], &p))
			return false;
		p -= l->f[w[i].field];
		if (first && p != first)
			return false;
		first = p;
		s->mstat_witnesses++;
	}
	*memstats = first;
	return s->mstat_witnesses >= 2 && first >= s->rt->g.noptrdata &&
	       first + l->f[GO_SIZE_MSTATS] <= s->rt->g.end;
}

static int word_is_allspans(struct search *s, uint64_t addr, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	size_t n = l->f[GO_SIZE_MSPAN];
	uint64_t mheap = addr - l->f[GO_MHEAP_ALLSPANS], ptr[8], spansize, cachesize, memstats;
	unsigned int k = w[1] < 8 ? w[1] : 8;
	_free_ uint8_t *sp = NULL;

	/* allspans is grown by sysAlloc, first to 64 KiB (mheap.go, recordspan). */
	if (w[0] % memsrc_page_size(s->rt->m) || !w[1] || w[1] > w[2] || w[2] < 8192 ||
	    w[2] >> 32 || mheap < s->rt->g.noptrdata || !writable_anon(s, w[0]))
		return 0;
	if (rd_u64(s->rt, PASS_DISCOVER, mheap + l->f[GO_MHEAP_SPANALLOC] + l->f[GO_FIXALLOC_SIZE],
		   &spansize) ||
	    rd_u64(s->rt, PASS_DISCOVER, mheap + l->f[GO_MHEAP_CACHEALLOC] + l->f[GO_FIXALLOC_SIZE],
		   &cachesize) ||
	    spansize != n || (int64_t)cachesize != l->f[GO_SIZE_MCACHE])
		return 0;
	sp = malloc(n);
	if (!sp)
		return -ENOMEM;
	if (memsrc_read(s->rt->m, PASS_DISCOVER, w[0], ptr, 8 * k))
		return 0;
	for (unsigned int i = 0; i < k; i++)
		if (memsrc_read(s->rt->m, PASS_DISCOVER, ptr[i], sp, n) || !span_is_sane(l, sp, n))
			return 0;
	if (!check_memstats(s, mheap, &memstats))
		return 0;
	s->rt->g.mheap = mheap;
	s->rt->g.memstats = memstats;
	return 1;
}

/* Spans spread over the whole table, for the candidates that follow to agree with. */
static int sample_spans(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	size_t n = l->f[GO_SIZE_MSPAN];
	_free_ uint8_t *sp = malloc(n);
	struct go_slice all;
	int r = rd_slice(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_ALLSPANS], &all);

	if (r || !sp)
		return r ? r : -ENOMEM;
	for (unsigned int i = 0; i < NSAMPLE * 4; i++) {
		uint64_t p, bits, at = all.len * i / (NSAMPLE * 4);

		if (s->nspan == NSAMPLE)
			break;
		if (rd_u64(s->rt, PASS_DISCOVER, all.ptr + at * 8, &p) || !p ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, p, sp, n) || !span_is_sane(l, sp, n))
			continue;
		if (!s->nspan || s->sample_span[s->nspan - 1] != p)
			s->sample_span[s->nspan++] = p;
		bits = get_u64(l, GO_MSPAN_ALLOCBITS, sp, n);
		if (get_u8(l, GO_MSPAN_STATE, sp, n) == 1 && bits && s->nbits < NSAMPLE)
			s->sample_bits[s->nbits++] = bits;
	}
	return s->nspan ? 0 : -ENOENT;
}

/* ---- the others */

static bool chain_covers(struct search *s, uint64_t head, uint64_t next_off, uint64_t size,
			 const uint64_t *want, unsigned int nwant, uint64_t *hits,
			 unsigned int *len)
{
	uint64_t at = head;
	unsigned int i;

	for (i = 0; at; i++) {
		if (i == MAX_LIST || at % memsrc_page_size(s->rt->m) || !readable(s, at, size))
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

/* persistentChunks: every mspan is cut from one of the chunks (malloc.go, persistentalloc1). */
static bool is_persistent_chunks(struct search *s, const uint64_t w[4], unsigned int *len)
{
	uint64_t hits = 0, size = s->rt->l->f[GO_CONST_PERSISTENTCHUNK];

	return chain_covers(s, w[0], 0, size, s->sample_span, s->nspan, &hits, len) &&
	       hits == all_of(s->nspan);
}

/* gcBitsArenas {lock; free, next, current, previous}: every span's alloc bits lie in one. */
static bool is_gcbits_arenas(struct search *s, uint64_t addr)
{
	uint64_t w[5], hits = 0, size = s->rt->l->f[GO_CONST_GCBITSCHUNK];
	unsigned int len;

	if (!s->nbits || memsrc_read(s->rt->m, PASS_DISCOVER, addr, w, sizeof(w)))
		return false;
	for (int i = 1; i < 5; i++)
		if (w[i] && (w[i] % memsrc_page_size(s->rt->m) || !writable_anon(s, w[i])))
			return false;
	for (int i = 1; i < 5; i++)
		if (!chain_covers(s, w[i], s->rt->l->f[GO_GCBITSARENA_NEXT], size, s->sample_bits,
				  s->nbits, &hits, &len))
			return false;
	return hits == all_of(s->nbits);
}

static bool is_allp(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t p, cache;
	uint32_t id;

	if (!w[1] || w[1] > w[2] || w[1] > MAX_PROCS || w[0] % 8 || !writable_anon(s, w[0]))
		return false;
	for (uint64_t i = 0; i < w[1]; i++) {
		if (rd_u64(s->rt, PASS_DISCOVER, w[0] + 8 * i, &p) || p % 8 || !p ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, p + l->f[GO_P_ID], &id, 4) || id != i ||
		    rd_u64(s->rt, PASS_DISCOVER, p + l->f[GO_P_MCACHE], &cache) || cache % 8 ||
		    !cache || !writable_anon(s, cache))
			return false;
	}
	return true;
}

static bool is_allgs(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t k = w[1] < 6 ? w[1] : 6, g, stack[2], goid;

	if (k < 1 || w[1] > w[2] || w[2] >> 32 || w[0] % 8 || !writable_anon(s, w[0]))
		return false;
	for (uint64_t i = 0; i < k; i++) {
		if (rd_u64(s->rt, PASS_DISCOVER, w[0] + 8 * i, &g) || !g || g % 8 ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, g + l->f[GO_G_STACK], stack, 16) ||
		    rd_u64(s->rt, PASS_DISCOVER, g + l->f[GO_G_GOID], &goid))
			return false;
		if (stack[0] > stack[1] || stack[1] - stack[0] > (1ULL << 31) || goid >> 48 ||
		    (i == 0 && goid != 1))
			return false;
	}
	return true;
}

/* allm: the list of all Ms; each has a g0 that points back at it (runtime2.go, g.m). */
static bool is_allm(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t at = w[0], g0, back, procid, n = 0, withid = 0;

	for (; at; n++) {
		if (n == MAX_LIST || at % 8 || !readable(s, at, l->f[GO_SIZE_M]) ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_G0], &g0) || !g0 || g0 % 8 ||
		    rd_u64(s->rt, PASS_DISCOVER, g0 + l->f[GO_G_M], &back) || back != at ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_PROCID], &procid) || procid >> 32 ||
		    rd_u64(s->rt, PASS_DISCOVER, at + l->f[GO_M_ALLLINK], &at))
			return false;
		withid += procid != 0;
	}
	return n > 1 && withid;
}

/* buckhash: a table whose buckets know the slot that they hang in (mprof.go, stkbucket). */
static bool is_buckhash(struct search *s, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t size = l->f[GO_CONST_BUCKHASHSIZE], found = 0;
	uint8_t b[64];
	_free_ uint64_t *t = NULL;

	if (w[0] % memsrc_page_size(s->rt->m) || !readable(s, w[0], size * 8) ||
	    !writable_anon(s, w[0]) || l->f[GO_SIZE_BUCKET] > (int64_t)sizeof(b))
		return false;
	t = malloc(size * 8);
	if (!t)
		return false;
	for (uint64_t have = 0; have < size;) { /* look-alikes fail on their first page */
		uint64_t n = size - have < 512 ? size - have : 512;

		if (memsrc_read(s->rt->m, PASS_DISCOVER, w[0] + have * 8, t + have, n * 8) ==
		    -EFAULT)
			return false;
		for (uint64_t i = have; i < have + n; i++)
			if (t[i] % 8 || t[i] >> 56)
				return false;
		have += n;
	}
	for (uint64_t i = 0; i < size && found < 16; i++) {
		if (!t[i])
			continue;
		if (t[i] % 8 ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, t[i], b, l->f[GO_SIZE_BUCKET]) ||
		    get_u64(l, GO_BUCKET_HASH, b, sizeof(b)) % size != i)
			return false;
		found++;
	}
	return found > 0;
}

/* The process goes on between two reads. */
static bool near(uint64_t a, uint64_t b)
{
	uint64_t d = a > b ? a - b : b - a;

	return d <= (1 << 20) + b / 4;
}

/* gcController counts heapInUse, heapReleased and heapFree beside heapStats, in whole pages
 * (mgcpacer.go, from 1.19). */
static bool is_gccontroller(struct search *s, uint64_t addr, const uint64_t w[4])
{
	const struct go_layout *l = s->rt->l;
	uint64_t base = addr - l->f[GO_GCC_HEAPINUSE], limit, mapped, alloc[2], heapfree;
	int32_t percent;

	if (w[0] % GO_PAGE_SIZE || w[1] % 4096 || !near(w[0], s->in_heap) ||
	    !near(w[1], s->released) || base < s->rt->g.noptrdata)
		return false;
	if (memsrc_read(s->rt->m, PASS_DISCOVER, base + l->f[GO_GCC_GCPERCENT], &percent, 4) ||
	    rd_u64(s->rt, PASS_DISCOVER, base + l->f[GO_GCC_MEMORYLIMIT], &limit) ||
	    rd_u64(s->rt, PASS_DISCOVER, base + l->f[GO_GCC_MAPPEDREADY], &mapped) ||
	    rd_u64(s->rt, PASS_DISCOVER, base + l->f[GO_GCC_HEAPFREE], &heapfree) ||
	    rd_u64(s->rt, PASS_DISCOVER, base + l->f[GO_GCC_TOTALALLOC], &alloc[0]) ||
	    rd_u64(s->rt, PASS_DISCOVER, base + l->f[GO_GCC_TOTALFREE], &alloc[1]))
		return false;
	return percent >= -1 && limit && limit <= INT64_MAX && heapfree % 4096 == 0 &&
	       mapped >= w[0] && mapped < (1ULL << 47) && alloc[0] >= alloc[1] && alloc[0] &&
	       near(alloc[0] - alloc[1], w[0]);
}

/* Without profiling there is no table, and then little is charged to it. */
static bool has_buckhash(const struct go_runtime *rt)
{
	uint64_t sys;

	return rd_u64(rt, PASS_DISCOVER, rt->g.memstats + rt->l->f[GO_MSTATS_BUCKHASH_SYS], &sys) ||
	       sys >= (uint64_t)rt->l->f[GO_CONST_BUCKHASHSIZE] * 8;
}

/* When several places match, none is taken: a wrong address is worse than none. */
static void take(uint64_t *slot, uint64_t addr)
{
	*slot = *slot ? UINT64_MAX : addr;
}

static int word_is_other(struct search *s, uint64_t addr, const uint64_t w[4])
{
	struct go_globals *g = &s->rt->g;
	const struct go_layout *l = s->rt->l;
	unsigned int len;

	if (g->gccontroller != UINT64_MAX && go_has(l, GO_GCC_HEAPINUSE) &&
	    is_gccontroller(s, addr, w))
		take(&g->gccontroller, addr - l->f[GO_GCC_HEAPINUSE]);
	if (w[0] < 4096 || w[0] >> 56 || w[0] % 8) /* not a pointer */
		return 0;
	if (w[0] % memsrc_page_size(s->rt->m) == 0 && writable_anon(s, w[0])) {
		/* the allocators' current chunks start chains too; the whole one is the longest */
		if (is_persistent_chunks(s, w, &len) && len > s->chunks) {
			g->persistent_chunks = addr;
			s->chunks = len;
		}
		if (s->want_buckhash && is_buckhash(s, w))
			take(&g->buckhash, addr);
		/* w[0] may be any of free, next, current, previous; each may be empty */
		for (uint64_t i = 1; i < 5 && !g->gcbits_arenas; i++)
			if (is_gcbits_arenas(s, addr - 8 * i))
				g->gcbits_arenas = addr - 8 * i;
	}
	if (!g->allp && is_allp(s, w))
		g->allp = addr;
	if (!g->allgs && is_allgs(s, w))
		g->allgs = addr;
	if (!g->allm && is_allm(s, w))
		g->allm = addr;
	return 0;
}

static void heapstats_sample(struct search *s)
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

static void settle(struct go_runtime *rt)
{
	struct {
		const char *name;
		uint64_t *addr;
	} g[] = {
		{ "gcController", &rt->g.gccontroller },
		{ "allp", &rt->g.allp },
		{ "allgs", &rt->g.allgs },
		{ "allm", &rt->g.allm },
		{ "buckhash", &rt->g.buckhash },
		{ "gcBitsArenas", &rt->g.gcbits_arenas },
		{ "persistentChunks", &rt->g.persistent_chunks },
	};
	size_t n = 0;

	rt->missing[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		if (*g[i].addr == UINT64_MAX)
			*g[i].addr = 0;
		if (*g[i].addr)
			continue;
		if (g[i].addr == &rt->g.gccontroller && !go_has(rt->l, GO_GCC_HEAPINUSE))
			continue;
		if (g[i].addr == &rt->g.buckhash && !has_buckhash(rt))
			continue;
		n += snprintf(rt->missing + n, sizeof(rt->missing) - n, "%s%s", n ? ", " : "",
			      g[i].name);
		if (n >= sizeof(rt->missing))
			return;
	}
}

static int find_swapped(struct go_runtime *rt)
{
	range_vec pages = { 0 };
	int r = memsrc_pages(rt->m, SEQ_VARIABLES, page_down(rt, rt->g.noptrdata),
			     page_up(rt, rt->g.end), &pages);

	rt->swapped = false;
	for (size_t i = 0; i < pages.n; i++)
		rt->swapped |= !!(pages.v[i].flags & PAGE_SWAPPED);
	vec_free(&pages);
	return r;
}

static int try_layout(struct search *s)
{
	struct go_runtime *rt = s->rt;
	int r;

	memset(&rt->g, 0, sizeof(rt->g));
	s->nspan = s->nbits = s->chunks = 0;
	r = find_moduledata(s);
	if (!r)
		r = find_swapped(rt);
	if (r)
		return r;
	r = scan_words(s, rt->g.noptrdata, rt->g.end, word_is_allspans);
	if (r <= 0)
		return r ? r : -ENOENT;
	r = sample_spans(s);
	if (r)
		return r;
	s->want_buckhash = has_buckhash(rt);
	/* Under load the figures that recognise a variable may move between two reads: look again.
	 */
	for (int i = 0; i < TRIES && (!i || rt->missing[0]); i++) {
		memsrc_flush(rt->m);
		heapstats_sample(s);
		r = scan_words(s, rt->g.noptrdata, rt->g.end, word_is_other);
		if (r < 0)
			return r;
		settle(rt);
	}
	return 0;
}

static void describe(struct go_runtime *rt, const struct search *s, const struct bin_go *bg,
		     unsigned int tried)
{
	const char *first = rt->l->releases, *last = strrchr(first, ' ');
	int n = strcspn(first, " ");

	if (last)
		snprintf(rt->layout, sizeof(rt->layout), "%.*s-%s %s", n, first, last + 1,
			 rt->l->arch);
	else
		snprintf(rt->layout, sizeof(rt->layout), "%s %s", first, rt->l->arch);
	snprintf(rt->identified_by, sizeof(rt->identified_by),
		 "%s, pclntab (%.12s), moduledata, allspans, mspan and mcache sizes, %u sysStats%s",
		 bg->from_string ? "version string" : "build info", bg->found_by,
		 s->mstat_witnesses, tried > 1 ? "; not the release's own layout" : "");
}

/* The default collector from 1.26, an experiment in 1.25 (internal/buildcfg/exp.go). */
static bool uses_green_tea(const char *version)
{
	const char *x = strstr(version, "greenteagc");
	int n = go_version_number(version);

	if (x)
		return x - version < 2 || strncmp(x - 2, "no", 2) != 0;
	return n < 0 || n >= 260000;
}

int go_runtime_open(struct memsrc *m, struct bin *b, uint64_t bias, const struct maps *maps,
		    struct go_runtime *out, struct err *e)
{
	const char *arch = bin_arch(b) == BIN_ARCH_ARM64 ? "arm64" : "amd64";
	const struct go_layout *try[64];
	const struct bin_go *bg = bin_go(b);
	struct search s = { .rt = out, .maps = maps, .b = b };
	size_t n;
	int r = -ENOENT;

	*out = (struct go_runtime){ .m = m, .bias = bias };
	if (!bg->is_go)
		return err_set(e, -ENOENT, "not a Go program: no build info and no pclntab");
	if (!bg->pclntab)
		return err_set(e, -ENOENT, "Go %s, but no pclntab was found", bg->version);
	n = go_layout_candidates(bg->version, arch, try, ARRAY_LEN(try));
	for (size_t i = 0; i < n; i++) {
		out->l = try[i];
		r = try_layout(&s);
		if (!r) {
			out->inline_marks = uses_green_tea(bg->version);
			describe(out, &s, bg, i + 1);
			return 0;
		}
		if (r != -ENOENT)
			return err_set(e, r, "reading the Go runtime's data: %s", strerror(-r));
	}
	return err_set(
		e, -ENOENT,
		"the runtime of %s could not be identified: none of %zu known layouts fits the "
		"memory; only the kernel's view is shown",
		bg->version[0] ? bg->version : "an unnamed Go release", n);
}
