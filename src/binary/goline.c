/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pclntab says of one pc: file and line, the stack's depth, the functions inlined there
 * (src/debug/gosym/pclntab.go; runtime/symtab.go funcline1, pcvalue, step; symtabinl.go).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "binary/gofunc.h"

enum {
	PCVALUE_MAX =
		4 << 20, /* bytes of one pc-value table; the longest functions have 100s of KB */
	/* internal/abi/symtab.go; up to 1.15 one FUNCDATA more came before */
	PCDATA_INLTREE = 2,
	FUNCDATA_INLTREE = 3,
	FUNCDATA_INLTREE_115 = 4,
	FUNCDATA_MAX = 16, /* of a function; there are 7 kinds */
	INLINED_MAX = 64,  /* calls in one another */
};

/* ---- lines */

/* A byte stream over a pc-value table. */
struct stream {
	struct bin *b;
	uint64_t at, end; /* file offsets */
	const uint8_t *p;
	size_t n;
};

static int stream_u32(struct stream *s, uint32_t *out)
{
	*out = 0;
	for (unsigned int shift = 0; shift < 35; shift += 7) {
		uint8_t x;

		if (!s->n) {
			s->p = s->at < s->end ? io_peek(s->b->io, s->at, &s->n) : NULL;
			if (!s->p)
				return -EINVAL;
			if (s->n > s->end - s->at)
				s->n = s->end - s->at;
			s->at += s->n;
		}
		x = *s->p++;
		s->n--;
		*out |= (uint32_t)(x & 0x7f) << (shift & 31);
		if (!(x & 0x80))
			return 0;
	}
	return -EINVAL;
}

/* Steps through a table that begins at s, of code from entry on. */
static int find_value(struct stream *s, uint64_t entry, uint64_t pc, int32_t *out)
{
	uint64_t at = entry;
	uint32_t val = -1;

	for (bool first = true;; first = false) {
		uint32_t dv, dpc;

		if (stream_u32(s, &dv))
			return -EINVAL;
		if (!dv && !first)
			return -ENOENT;
		if (stream_u32(s, &dpc))
			return -EINVAL;
		val += dv & 1 ? ~(dv >> 1) : dv >> 1; /* zig-zag */
		at += (uint64_t)(uint32_t)(dpc * s->b->pcln.quantum);
		if (pc < at) {
			*out = val;
			return 0;
		}
	}
}

/* The value that the table at `tab` has for pc. -ENOENT when none. */
static int pc_value(struct bin *b, uint32_t tab, uint64_t entry, uint64_t pc, int32_t *out)
{
	const struct pcln *p = &b->pcln;
	uint64_t from = p->pctab + tab;
	struct stream s = { .b = b, .at = p->off + from };
	int r;

	if (!tab || from >= p->size)
		return -ENOENT;
	s.end = p->size - from < PCVALUE_MAX ? p->off + p->size : s.at + PCVALUE_MAX;
	r = find_value(&s, entry, pc, out);
	io_touch(b->io, p->off + from, s.at - s.n - (p->off + from));
	return r;
}

/* File offset of the name of a function's file number. */
static int file_name(struct bin *b, uint64_t func, int32_t no, uint64_t *out)
{
	const struct pcln *p = &b->pcln;
	uint32_t cu, at;
	int r;

	if (p->magic == PCLN_12) {
		if (no <= 0 || (uint64_t)no >= p->nfile)
			return -ENOENT;
		r = gofunc_u32(b, p->filetab + 4ULL * no, &at);
		*out = p->off + at;
		return r;
	}
	if (no < 0)
		return -ENOENT;
	r = gofunc_field(b, func, FUNC_CU, &cu);
	if (!r)
		r = gofunc_u32(b, p->cutab + ((uint64_t)cu + no) * 4, &at);
	if (!r && at == UINT32_MAX)
		return -ENOENT;
	*out = p->off + p->filetab + at;
	return r;
}

/* File and line of pc in f. */
static int line_of(struct bin *b, const struct gofunc *f, uint64_t pc, const char **file,
		   uint32_t *line)
{
	uint32_t pcfile, pcln;
	int32_t no, ln;
	const char *s;
	uint64_t at;
	int r = gofunc_field(b, f->at, FUNC_PCFILE, &pcfile);

	if (!r)
		r = gofunc_field(b, f->at, FUNC_PCLN, &pcln);
	if (!r)
		r = pc_value(b, pcfile, f->entry, pc, &no);
	if (!r)
		r = pc_value(b, pcln, f->entry, pc, &ln);
	if (!r && ln < 0)
		r = -ENOENT;
	if (!r)
		r = file_name(b, f->at, no, &at);
	if (!r)
		r = intern_get(&b->names, b->io, at, b->pcln.off + b->pcln.size, &s);
	if (r)
		return r;
	*file = s;
	*line = ln;
	return 0;
}

int bin_go_line(struct bin *b, uint64_t text, uint64_t pc, const char **file, uint32_t *line)
{
	struct gofunc f;
	int r = gofunc_ready(b, &text);

	if (!r)
		r = gofunc_find(b, text, pc, &f);
	return r ? r : line_of(b, &f, pc, file, line);
}

int bin_go_sp_delta(struct bin *b, uint64_t text, uint64_t pc, uint32_t *delta, uint64_t *entry)
{
	struct gofunc f;
	uint32_t tab;
	int32_t d = 0;
	int r = gofunc_ready(b, &text);

	if (!r)
		r = gofunc_find(b, text, pc, &f);
	if (!r)
		r = gofunc_field(b, f.at, FUNC_PCSP, &tab);
	if (!r)
		r = pc_value(b, tab, f.entry, pc, &d);
	if (!r && d < 0)
		r = -EINVAL;
	if (r)
		return r;
	*delta = d;
	*entry = f.entry;
	return 0;
}

/* ---- what was inlined */

static int func_name(struct bin *b, uint32_t at, const char **out)
{
	const struct pcln *p = &b->pcln;

	return intern_get(&b->names, b->io, p->off + p->funcname + at, p->off + p->size, out);
}

/* Length of _func: 1.15 has no cuOffset, from 1.20 there is startLine. */
static unsigned int func_size(const struct pcln *p)
{
	return p->magic == PCLN_12 || p->magic == PCLN_118 ? 40 : 44;
}

static bool is_code(const struct bin *b, uint64_t vaddr)
{
	for (size_t i = 0; i < b->seg.n; i++)
		if ((b->seg.v[i].flags & BIN_SEG_X) &&
		    vaddr - b->seg.v[i].vaddr < b->seg.v[i].memsz)
			return true;
	return false;
}

/* Of a _func, its entry points at code and its FUNCDATA at read-only data. */
static int put_pointer(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	struct bin *b = ctx;
	struct pcln *p = &b->pcln;

	if (vaddr < p->vaddr || vaddr - p->vaddr >= p->size || is_code(b, addend))
		return 0;
	if (p->pointers.n >= FUNCDATA_MAX * p->nfunc)
		return -EINVAL;
	io_touch(b->io, off, RELA_ENTRY);
	return vec_push(&p->pointers, (struct pcln_pointer){ vaddr, addend });
}

static int by_vaddr(const void *a, const void *b)
{
	const struct pcln_pointer *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* The pointer at an offset of the table. Up to 1.17, in a PIE, the loader fills it in. */
static int table_pointer(struct bin *b, uint64_t at, uint64_t *out)
{
	struct pcln *p = &b->pcln;
	struct pcln_pointer key = { .vaddr = p->vaddr + at }, *found;

	if (!bin_is_pie(b))
		return gofunc_read(b, at, out, 8);
	if (!p->tried_pointers) {
		p->tried_pointers = true;
		io_allow(b->io, io_size(b->io));
		if (image_rela(b, put_pointer, b))
			vec_free(&p->pointers);
		if (p->pointers.n)
			qsort(p->pointers.v, p->pointers.n, sizeof(*p->pointers.v), by_vaddr);
	}
	found = p->pointers.n ? bsearch(&key, p->pointers.v, p->pointers.n, sizeof(key), by_vaddr)
			      : NULL;
	*out = found ? found->to : 0;
	return 0;
}

/* The number that says so is the last of a list that grows: by the minor release from which on. */
static uint8_t wrapper_id(const struct bin *b)
{
	static const struct {
		unsigned int minor;
		uint8_t id;
	} ids[] = { { 25, 23 }, { 22, 22 }, { 18, 21 }, { 0, 22 } };
	unsigned int minor = UINT_MAX; /* unknown: the newest */
	size_t i = 0;

	sscanf(bin_go(b)->version, "go1.%3u", &minor);
	while (minor < ids[i].minor)
		i++;
	return ids[i].id;
}

bool bin_go_is_wrapper(struct bin *b, uint64_t text, uint64_t pc)
{
	struct gofunc f;
	uint8_t id;

	return !gofunc_ready(b, &text) && !gofunc_find(b, text, pc, &f) &&
	       !gofunc_read(b, f.at + func_size(&b->pcln) - 4, &id, 1) && id == wrapper_id(b);
}

/* Where the calls lie that were inlined into a function, and the pc-value table that says which of
 * them a pc is in. -ENOENT: nothing was inlined, or it can't be told. */
static int inline_tree(struct bin *b, const struct gofunc *f, uint32_t *index, uint64_t *tree)
{
	struct pcln *p = &b->pcln;
	unsigned int which = p->magic == PCLN_12 ? FUNCDATA_INLTREE_115 : FUNCDATA_INLTREE;
	uint64_t at = f->at + func_size(p), text;
	uint32_t npcdata, off;
	uint8_t nfuncdata;
	int r = gofunc_field(b, f->at, FUNC_NPCDATA, &npcdata);

	if (!r)
		r = gofunc_read(b, at - 1, &nfuncdata, 1);
	if (r || npcdata <= PCDATA_INLTREE || npcdata > UINT8_MAX || nfuncdata <= which)
		return r ? r : -ENOENT;
	r = gofunc_u32(b, at + 4 * PCDATA_INLTREE, index);
	at += 4 * npcdata;
	if (r || !*index)
		return r ? r : -ENOENT;
	if (p->wide) {
		at += (p->vaddr + at) & 4; /* pointers, aligned */
		r = table_pointer(b, at + 8 * which, tree);
		return r || *tree ? r : -ENOENT;
	}
	if (!p->tried_gofunc) {
		p->tried_gofunc = true;
		io_allow(b->io, 2 * io_size(b->io));
		moduledata_text(b, p, &text, &p->gofunc);
	}
	r = gofunc_u32(b, at + 4 * which, &off);
	*tree = p->gofunc + off;
	return r ? r : p->gofunc && off != UINT32_MAX ? 0 : -ENOENT;
}

/*
 * runtime/symtabinl.go, inlinedCall: from 1.20 {funcID, nameOff, parentPc, startLine}, before
 * {parent and funcID, file, line, func_, parentPc}, 4 bytes each.
 */
static int inlined_call(struct bin *b, uint64_t tree, int32_t i, uint32_t *name, uint32_t *parent)
{
	bool is_new = b->pcln.magic == PCLN_120;
	uint32_t w[5];
	int r = bin_read(b, tree + (uint64_t)i * (is_new ? 16 : 20), w, is_new ? 16 : 20);

	*name = w[is_new ? 1 : 3];
	*parent = w[is_new ? 2 : 4];
	return r;
}

static int add_frame(struct bin *b, const struct gofunc *f, uint64_t pc, uint32_t name,
		     struct bin_frame *out)
{
	int r = func_name(b, name, &out->func);

	if (!r && line_of(b, f, pc, &out->file, &out->line)) {
		out->file = NULL;
		out->line = 0;
	}
	return r;
}

int bin_go_frames(struct bin *b, uint64_t text, uint64_t pc, struct bin_frame *out, size_t max,
		  size_t *n)
{
	uint32_t index, name, own, parent;
	uint64_t tree;
	struct gofunc f;
	int32_t i;
	int r = gofunc_ready(b, &text);

	*n = 0;
	if (!r)
		r = gofunc_find(b, text, pc, &f);
	if (!r)
		r = gofunc_field(b, f.at, FUNC_NAME, &own);
	if (r || !max)
		return r;
	if (inline_tree(b, &f, &index, &tree))
		index = 0;
	/* the position of each call leads to the calls around it */
	while (index && *n + 1 < max && *n < INLINED_MAX && !pc_value(b, index, f.entry, pc, &i) &&
	       i >= 0 && !inlined_call(b, tree, i, &name, &parent) && parent < f.end - f.entry &&
	       !add_frame(b, &f, pc, name, &out[*n])) {
		(*n)++;
		pc = f.entry + parent;
	}
	r = add_frame(b, &f, pc, own, &out[*n]);
	*n += !r;
	return r;
}
