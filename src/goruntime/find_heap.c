/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moduledata is the aligned word that points at pclntab and whose neighbours agree with the ELF
 * file; it gives the range noptrdata..end that holds all globals. mheap_ is where a slice looks
 * like allspans and both fixallocs around it name the very sizes of the layout.
 */
#include "goruntime/discover.h"

#include "goruntime/rd.h"

enum {
	SCAN_CHUNK = 1 << 20,
	SCAN_MAX = 512 << 20, /* bytes of data and bss that are searched at most */
};

bool search_writable_anon(const struct search *s, uint64_t addr)
{
	const struct vma *v = maps_find(s->maps, addr);

	return v && !v->inode && (v->flags & VMA_W);
}

/* Also across mappings: data and bss are two. */
bool search_readable(const struct search *s, uint64_t addr, uint64_t len)
{
	while (len) {
		const struct vma *v = maps_find(s->maps, addr);
		uint64_t n;

		if (!v || !(v->flags & VMA_R))
			return false;
		n = v->end - addr < len ? v->end - addr : len;
		addr += n;
		len -= n;
	}
	return true;
}

int search_arena(struct search *s, uint64_t addr, uint64_t *arena)
{
	const struct go_layout *l = s->rt->l;
	uint64_t at = (addr - l->f[GO_CONST_ARENABASEOFFSET]) / l->f[GO_CONST_HEAPARENABYTES], l2;
	int r;

	if (at >= (1ULL << 48) / l->f[GO_CONST_HEAPARENABYTES])
		return -ENOENT;
	r = rd_u64(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_ARENAS], &l2);
	if (!r)
		r = rd_u64(s->rt, PASS_DISCOVER, l2 + at * 8, arena);
	return r ? r : *arena ? 0 : -ENOENT;
}

static int search_places(struct search *s, uint64_t lo, uint64_t hi, word_fn *fn)
{
	for (unsigned int i = 0; i < s->nplace; i++) {
		uint64_t at = s->place[i], w[4] = { 0 };
		int r;

		if (at < lo || at + 8 > hi)
			continue;
		r = memsrc_read(s->rt->m, PASS_DISCOVER, at, w,
				hi - at < sizeof(w) ? (hi - at) & ~7ULL : sizeof(w));
		if (r && r != -ENODATA)
			return r;
		r = w[0] ? fn(s, at, w) : 0;
		if (r)
			return r;
	}
	return 0;
}

int search_words(struct search *s, uint64_t lo, uint64_t hi, word_fn *fn)
{
	_free_ uint64_t *buf = NULL;

	if (s->known)
		return search_places(s, lo, hi, fn);
	buf = malloc(SCAN_CHUNK + 3 * 8);
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

/* What the collector scans of this module's variables, and what the bitmaps that say how take
 * (mbitmap.go, progToPointerMask). A plugin's would come on top: then neither is known. */
static void measure_globals(struct go_runtime *rt, const uint8_t *md, size_t n)
{
	uint64_t data = get_u64(rt->l, GO_MODULEDATA_EDATA, md, n) -
			get_u64(rt->l, GO_MODULEDATA_DATA, md, n);
	uint64_t bss = get_u64(rt->l, GO_MODULEDATA_EBSS, md, n) -
		       get_u64(rt->l, GO_MODULEDATA_BSS, md, n);
	bool alone = !get_u64(rt->l, GO_MODULEDATA_NEXT, md, n);

	rt->globals_bytes = alone ? data + bss : 0;
	rt->masks_bytes = alone ? (data / 8 + 7) / 8 + 1 + (bss / 8 + 7) / 8 + 1 : 0;
}

static int check_moduledata(struct search *s, uint64_t addr)
{
	const struct go_layout *l = s->rt->l;
	const struct bin_go *bg = bin_go(s->b);
	size_t n = go_off(l, GO_SIZE_MODULEDATA);
	_free_ uint8_t *md = malloc(n);
	const struct bin_segment *seg;
	uint64_t text, etext, minpc, maxpc, lo, mid, end, next, bias = s->rt->bias;
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
	mid = get_u64(l, GO_MODULEDATA_ENOPTRDATA, md, n);
	end = get_u64(l, GO_MODULEDATA_END, md, n);
	if (get_u64(l, GO_MODULEDATA_FTAB, md, n - 8) == 0 ||
	    load_u64(md + go_off(l, GO_MODULEDATA_FTAB) + 8) != bg->nfunc + 1)
		return 0;
	next = get_u64(l, GO_MODULEDATA_NEXT, md, n); /* a plugin's */
	if (next && (next % 8 || !search_readable(s, next, n)))
		return 0;
	if (text > minpc || minpc >= maxpc || maxpc > etext + 64 || lo > mid || mid >= end)
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
	s->rt->g.enoptrdata = mid;
	measure_globals(s->rt, md, n);
	s->rt->g.end = end;
	s->bss = get_u64(l, GO_MODULEDATA_BSS, md, n);
	s->ebss = get_u64(l, GO_MODULEDATA_EBSS, md, n);
	return 1;
}

static int word_is_moduledata(struct search *s, uint64_t addr, const uint64_t w[4])
{
	return w[0] == s->pclntab ? check_moduledata(s, addr) : 0;
}

/* In a section that lies within one segment, as it should. */
static int search_section(struct search *s, const char *name)
{
	const struct bin_segment *seg;
	size_t n = bin_segments(s->b, &seg);
	uint64_t addr, size, a;

	if (!bin_section(s->b, name, &addr, &size))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (addr < seg[i].vaddr || addr - seg[i].vaddr > seg[i].filesz ||
		    size > seg[i].filesz - (addr - seg[i].vaddr))
			continue;
		a = addr + s->rt->bias;
		return search_words(s, a, a + size, word_is_moduledata);
	}
	return 0;
}

/* It lies among the variables; from 1.26 in a section of its own, which may be read-only. Where no
 * section has such a name, anywhere: in a PIE up to 1.25 the pclntab shares the variables' segment.
 */
int find_moduledata(struct search *s)
{
	static const char *const sections[] = { ".go.module", ".data", ".noptrdata" };
	const struct bin_segment *seg;
	size_t n = bin_segments(s->b, &seg);
	int r = 0;

	s->pclntab = bin_go(s->b)->pclntab + s->rt->bias;
	for (size_t i = 0; i < ARRAY_LEN(sections) && !r; i++)
		r = search_section(s, sections[i]);
	for (int pass = 0; pass < 2 && !r; pass++) {
		bool writable = !pass;

		for (size_t i = 0; i < n && !r; i++) {
			uint64_t a = seg[i].vaddr + s->rt->bias;

			bool w = seg[i].flags & BIN_SEG_W;

			if (!(seg[i].flags & BIN_SEG_X) && w == writable)
				r = search_words(s, a, a + seg[i].filesz, word_is_moduledata);
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
	    w[2] >> 32 || mheap < s->rt->g.noptrdata || !search_writable_anon(s, w[0]))
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

static void sample_bits(struct search *s, const uint8_t *sp, size_t n, uint32_t heap)
{
	const struct go_layout *l = s->rt->l;
	uint64_t mark = get_u64(l, GO_MSPAN_GCMARKBITS, sp, n);
	uint32_t gen = get_u32(l, GO_MSPAN_SWEEPGEN, sp, n);

	if (get_u8(l, GO_MSPAN_STATE, sp, n) != 1 || !mark)
		return;
	if (gen == heap || gen == heap + 3)
		s->markbits[s->nmark++] = mark;
	else if (gen == heap - 2 || gen == heap + 1)
		s->oldbits[s->nold++] = mark;
}

/* Spans spread over the whole table, for the candidates that follow to agree with; more of those in
 * use, which have bits. */
int find_samples(struct search *s)
{
	const struct go_layout *l = s->rt->l;
	unsigned int want = s->known ? KNOWN_SAMPLES : SEARCH_SAMPLES;
	size_t n = l->f[GO_SIZE_MSPAN];
	_free_ uint8_t *sp = malloc(n);
	struct go_slice all;
	uint64_t count;
	uint32_t sweepgen;
	int r = rd_slice(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_ALLSPANS], &all);

	s->nspan = s->nmark = s->nold = 0;
	if (!r)
		r = rd(s->rt, PASS_DISCOVER, s->rt->g.mheap + l->f[GO_MHEAP_SWEEPGEN], &sweepgen,
		       4);
	if (r || !sp)
		return r ? r : -ENOMEM;
	count = all.len < SEARCH_SAMPLES * 4 ? all.len : SEARCH_SAMPLES * 4;
	for (uint64_t i = 0; i < count && s->nmark + s->nold < want; i++) {
		/* a prime above any count: each once, far from the one before */
		uint64_t p, at = all.len * (i * 263 % count) / count;

		if (rd_u64(s->rt, PASS_DISCOVER, all.ptr + at * 8, &p) || !p ||
		    memsrc_read(s->rt->m, PASS_DISCOVER, p, sp, n) || !span_is_sane(l, sp, n))
			continue;
		if (s->nspan < want)
			s->span[s->nspan++] = p;
		sample_bits(s, sp, n, sweepgen);
	}
	return s->nspan ? 0 : -ENOENT;
}

int find_heap(struct search *s)
{
	int r = search_words(s, s->rt->g.noptrdata, s->rt->g.end, word_is_allspans);

	return r > 0 ? 0 : r ? r : -ENOENT;
}
