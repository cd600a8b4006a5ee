/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding pclntab, the function table that every Go program carries, stripped or not. Header
 * (src/debug/gosym/pclntab.go, runtime/symtab.go pcHeader):
 *
 *   0 magic  4 two zeros  6 pc quantum  7 pointer size  8 nfunc
 *   1.2–1.15   16 ftab, behind it the offset of the file table
 *   1.16–1.17  16 nfile, then offsets of funcname, cutab, filetab, pctab, funcdata = ftab
 *   1.18–      16 nfile, 24 textStart (0 from 1.26), then the same offsets
 */
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	HEADER_MAX = 72,
	NFUNC_MAX = 1 << 22, /* the largest programs have some 500,000 */
	TRIES_MAX = 64,	     /* look-alikes that a scan examines */
	MD_WORDS = 24,	     /* of moduledata, as far as etext */
	MD_MORE = 44,	     /* as far as gofunc */
};

static int parse_12(struct bin *b, struct pcln *p)
{
	uint32_t at, n;

	p->wide = true;
	p->ftab = 16;
	if (p->nfunc > NFUNC_MAX || p->ftab + p->nfunc * 16 + 12 > p->size)
		return -EINVAL;
	if (io_read(b->io, p->off + p->ftab + p->nfunc * 16 + 8, &at, 4) || at > p->size - 4 ||
	    io_read(b->io, p->off + at, &n, 4))
		return -EINVAL;
	p->filetab = at;
	p->nfile = n;
	return p->nfile * 4 <= p->size - at ? 0 : -EINVAL;
}

static int parse_116(struct bin *b, struct pcln *p, const uint8_t *h)
{
	bool text = p->magic != PCLN_116;
	const uint8_t *w = h + (text ? 32 : 24);
	uint64_t *part[] = { &p->funcname, &p->cutab, &p->filetab, &p->pctab, &p->funcdata };
	unsigned int entry = text ? 8 : 16;

	p->nfile = load_u64(h + 16);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		*part[i] = load_u64(w + 8 * i);
		if (*part[i] < 24 || *part[i] >= p->size)
			return -EINVAL;
	}
	p->wide = !text;
	p->ftab = p->funcdata;
	if (p->nfunc > NFUNC_MAX || p->nfile > p->size ||
	    p->nfunc * entry + entry / 2 > p->size - p->ftab)
		return -EINVAL;
	return 0;
}

/* Fills *p from the header at vaddr, of which at most max bytes are its own. */
static int parse(struct bin *b, uint64_t vaddr, uint64_t max, struct pcln *p)
{
	uint8_t h[HEADER_MAX] = { 0 };
	int r;

	*p = (struct pcln){ .vaddr = vaddr };
	if (image_off(b, vaddr, &p->off, &p->size))
		return -EFAULT;
	if (p->size > max)
		p->size = max;
	if (p->size < 32)
		return -EINVAL;
	r = io_read(b->io, p->off, h, p->size < sizeof(h) ? p->size : sizeof(h));
	if (r)
		return r;
	p->magic = load_u32(h);
	p->quantum = h[6];
	p->nfunc = load_u64(h + 8);
	if (h[4] || h[5] || (h[6] != 1 && h[6] != 2 && h[6] != 4) || h[7] != 8 || !p->nfunc)
		return -EINVAL;
	switch (p->magic) {
	case PCLN_12:
		return parse_12(b, p);
	case PCLN_116:
	case PCLN_118:
	case PCLN_120:
		return parse_116(b, p, h);
	default:
		return -EINVAL;
	}
}

/* ---- moduledata */

struct md_search {
	const struct bin *b;
	const struct pcln *p;
	uint64_t vaddr, text, gofunc;
	bool more; /* gofunc is wanted */
};

/*
 * gofunc follows rodata. Behind etext (23) lie noptrdata … enoptrbss; from 1.20 covctrs, ecovctrs;
 * end, gcdata, gcbss; types, etypes; from 1.27 typedesclen between these, which is no address, and
 * itaboffset, itabsize behind them.
 */
static void read_gofunc(struct md_search *s, uint64_t vaddr)
{
	unsigned int types = s->p->magic == PCLN_118 ? 35 : 37;
	uint64_t w[MD_MORE];

	if (!s->more || s->p->wide || image_words(s->b, vaddr, w, MD_MORE))
		return;
	s->gofunc = w[types + 1] >= w[types] ? w[types + 3] : w[types + 6];
}

/*
 * Is vaddr the moduledata of the table? Its first word points at the table; then slices of 24
 * bytes up to ftab, whose length is nfunc + 1, then findfunctab, minpc, maxpc, text, etext.
 * 1 yes.
 */
static int is_moduledata(void *ctx, uint64_t vaddr, uint64_t value, uint64_t off, size_t len)
{
	struct md_search *s = ctx;
	/* runtime/symtab.go: 1.15 has pclntable, ftab, filetab; 1.16 pcHeader and five slices */
	unsigned int ftab = s->p->magic == PCLN_12 ? 3 : 16, minpc = ftab + 4;
	uint64_t w[MD_WORDS], text, etext;
	bool in_text = false;

	if (s->p->magic == PCLN_12)
		minpc += 3;
	if (bin_read(s->b, vaddr, w, sizeof(w)))
		return 0;
	/* The length needs no relocation: most look-alikes end here, before the costly pass. */
	if (w[ftab + 1] != s->p->nfunc + 1 || image_words(s->b, vaddr, w, MD_WORDS))
		return 0;
	text = w[minpc + 2];
	etext = w[minpc + 3];
	for (size_t i = 0; i < s->b->seg.n; i++) {
		const struct bin_segment *g = &s->b->seg.v[i];

		in_text |= (g->flags & BIN_SEG_X) && text >= g->vaddr &&
			   text - g->vaddr < g->memsz && etext - g->vaddr <= g->memsz;
	}
	if (!in_text || text > w[minpc] || w[minpc] >= w[minpc + 1] || etext <= text)
		return 0;
	if (io_note(s->b->io, off, len))
		return 0;
	s->vaddr = vaddr;
	s->text = text;
	read_gofunc(s, vaddr);
	return 1;
}

int moduledata_text(const struct bin *b, const struct pcln *p, uint64_t *text, uint64_t *gofunc)
{
	struct md_search s = { .b = b, .p = p, .more = gofunc };
	int r = image_pointers(b, p->vaddr, p->vaddr + 1, is_moduledata, &s);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	*text = s.text;
	if (gofunc)
		*gofunc = s.gofunc;
	return 0;
}

int moduledata_find(const struct bin *b, const struct pcln *p, uint64_t *vaddr)
{
	struct md_search s = { .b = b, .p = p };
	int r = image_pointers(b, p->vaddr, p->vaddr + 1, is_moduledata, &s);

	*vaddr = s.vaddr;
	return r == 1 ? 0 : r < 0 ? r : -ENOENT;
}

/* ---- looking for the table */

struct magic_scan {
	struct bin *b;
	const struct bin_segment *seg;
	unsigned int tries;
};

static int scan_magic(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct magic_scan *s = ctx;
	uint64_t vaddr = s->seg->vaddr + (off - s->seg->offset);

	for (size_t i = -vaddr & 7; i + 8 <= n; i += 8) {
		uint64_t w = load_u64(p + i), text;
		struct pcln pc;

		/* one of the magics, two zeros, quantum, pointer size 8 */
		if (w >> 56 != 8 || (uint32_t)w < PCLN_118 || (uint16_t)(w >> 32))
			continue;
		if (parse(s->b, vaddr + i, UINT64_MAX, &pc))
			continue;
		/* A program may carry another program's table (embedded files): its own is the one
		 * that its moduledata points to. */
		if (!moduledata_text(s->b, &pc, &text, NULL)) {
			s->b->pcln = pc;
			return 1;
		}
		if (++s->tries == TRIES_MAX)
			return -EINVAL;
	}
	return 0;
}

static int find_section(struct bin *b)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct bin_sec *s = section_find(b, names[i]);

		if (s && !parse(b, s->addr, s->size, &b->pcln)) {
			b->go.found_by = names[i];
			return 1;
		}
	}
	b->pcln = (struct pcln){ 0 };
	return 0;
}

static int find_scan(struct bin *b)
{
	struct magic_scan s = { .b = b };
	int r = 0;

	/* Code last: it is large, and rarely shares its segment with constants. */
	for (int exec = 0; exec < 2; exec++)
		for (size_t i = 0; i < b->seg.n && !r; i++) {
			s.seg = &b->seg.v[i];
			if (!(s.seg->flags & BIN_SEG_R) || !!(s.seg->flags & BIN_SEG_X) != exec)
				continue;
			r = io_scan(b->io, s.seg->offset, s.seg->filesz, 7, scan_magic, &s);
		}
	if (r == 1)
		b->go.found_by = "scan";
	return r;
}

int pclntab_find(struct bin *b)
{
	int r = find_section(b);

	if (!r)
		r = find_scan(b);
	if (r == 1) {
		b->go.is_go = true;
		b->go.pclntab = b->pcln.vaddr;
		b->go.magic = b->pcln.magic;
		b->go.nfunc = b->pcln.nfunc;
	}
	return r == -ENOMEM ? r : 0;
}
