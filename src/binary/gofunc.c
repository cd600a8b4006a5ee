/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions, names, files and lines from pclntab (src/debug/gosym/pclntab.go; runtime/symtab.go
 * funcline1, pcvalue, step). Everything is read through the block cache where it lies: the table
 * of a large program has tens of megabytes.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	NAME_MAX_LEN = 4096,
	PCVALUE_MAX =
		4 << 20, /* bytes of one pc-value table; the longest functions have 100s of KB */
	/* _func: entry (8 bytes when wide, else 4), then 4 bytes each */
	FUNC_NAME = 0,
	FUNC_PCSP = 3,
	FUNC_PCFILE = 4,
	FUNC_PCLN = 5,
	FUNC_NPCDATA = 6,
	FUNC_CU = 7,
	/* internal/abi/symtab.go; up to 1.15 one FUNCDATA more came before */
	PCDATA_INLTREE = 2,
	FUNCDATA_INLTREE = 3,
	FUNCDATA_INLTREE_115 = 4,
	FUNCDATA_MAX = 16, /* of a function; there are 7 kinds */
	INLINED_MAX = 64,  /* calls in one another */
};

static int tab_read(const struct bin *b, uint64_t at, void *buf, size_t n)
{
	const struct pcln *p = &b->pcln;

	if (at > p->size || n > p->size - at)
		return -EINVAL;
	return io_read(b->io, p->off + at, buf, n);
}

static int tab_u32(const struct bin *b, uint64_t at, uint32_t *out)
{
	return tab_read(b, at, out, 4);
}

/* ---- ftab */

static int put_entry(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	struct bin *b = ctx;
	struct pcln *p = &b->pcln;
	uint64_t at = vaddr - (p->vaddr + p->ftab);

	if (vaddr < p->vaddr + p->ftab || at / 16 > p->nfunc || at % 16)
		return 0;
	p->entries[at / 16] = addend;
	io_touch(b->io, off, RELA_ENTRY);
	return 0;
}

/* Up to 1.17 ftab holds addresses: in a PIE the loader fills them in. */
static int load_entries(struct bin *b)
{
	struct pcln *p = &b->pcln;
	uint64_t *entries;
	int r = 0;

	if (!p->wide || !bin_is_pie(b) || p->entries)
		return 0;
	entries = calloc(p->nfunc + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint64_t i = 0; i <= p->nfunc && !r; i++)
		r = tab_read(b, p->ftab + i * 16, &entries[i], 8);
	p->entries = entries;
	io_allow(b->io, io_size(b->io));
	return r ? r : image_rela(b, put_entry, b);
}

/* Entry of function i (nfunc: the end of the last), from `text`. */
static int entry_pc(const struct bin *b, uint64_t text, uint64_t i, uint64_t *pc)
{
	const struct pcln *p = &b->pcln;
	uint32_t off;
	int r;

	if (p->entries) {
		*pc = p->entries[i];
		return 0;
	}
	if (p->wide)
		return tab_read(b, p->ftab + i * 16, pc, 8);
	r = tab_u32(b, p->ftab + i * 8, &off);
	*pc = text + off;
	return r;
}

static int func_off(const struct bin *b, uint64_t i, uint64_t *off)
{
	const struct pcln *p = &b->pcln;
	uint64_t x = 0;
	int r = p->wide ? tab_read(b, p->ftab + i * 16 + 8, &x, 8)
			: tab_read(b, p->ftab + i * 8 + 4, &x, 4);

	if (!r && x > p->size - p->funcdata)
		return -EINVAL;
	*off = p->funcdata + x;
	return r;
}

static int func_field(const struct bin *b, uint64_t func, unsigned int field, uint32_t *out)
{
	return tab_u32(b, func + (b->pcln.wide ? 8 : 4) + 4 * field, out);
}

/* Checks that there is a table and finds what its offsets count from. */
static int table_ready(struct bin *b, uint64_t *text)
{
	struct pcln *p = &b->pcln;

	if (!p->nfunc)
		return -ENOENT;
	if (p->wide)
		return load_entries(b);
	if (!*text && !p->text && !p->tried_text) {
		p->tried_text = true;
		io_allow(b->io, 3 * io_size(b->io));
		/* a pass over a PIE's relocations: not for those who only open the file */
		if (image_words(b, p->vaddr + PCLN_TEXT, &p->text, 1) || !p->text)
			moduledata_text(b, p, &p->text, NULL);
	}
	if (!*text)
		*text = p->text;
	return *text ? 0 : -ENOENT;
}

struct func {
	uint64_t entry, end;
	uint64_t at; /* of _func in the table */
};

static int find_func(struct bin *b, uint64_t text, uint64_t pc, struct func *out)
{
	uint64_t lo = 0, hi = b->pcln.nfunc, x;
	int r;

	while (lo + 1 < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		r = entry_pc(b, text, mid, &x);
		if (r)
			return r;
		if (x <= pc)
			lo = mid;
		else
			hi = mid;
	}
	r = entry_pc(b, text, lo, &out->entry);
	if (!r)
		r = entry_pc(b, text, lo + 1, &out->end);
	if (r)
		return r;
	if (pc < out->entry || pc >= out->end)
		return -ENOENT;
	return func_off(b, lo, &out->at);
}

int bin_go_func(struct bin *b, uint64_t text, uint64_t pc, struct bin_func *out)
{
	const struct pcln *p = &b->pcln;
	const char *name;
	struct func f;
	uint32_t at;
	int r = table_ready(b, &text);

	if (!r)
		r = find_func(b, text, pc, &f);
	if (!r)
		r = func_field(b, f.at, FUNC_NAME, &at);
	if (!r)
		r = intern_get(&b->names, b->io, p->off + p->funcname + at, p->off + p->size,
			       &name);
	if (!r)
		*out = (struct bin_func){ .name = name, .entry = f.entry, .end = f.end };
	return r;
}

/* What was found of the table by going over the file is found anew, and recorded. */
void gofunc_forget(struct bin *b)
{
	struct pcln *p = &b->pcln;

	free(p->entries);
	p->entries = NULL;
	vec_free(&p->pointers);
	p->text = p->gofunc = 0;
	p->tried_text = p->tried_gofunc = p->tried_pointers = false;
}

/* ---- by name */

struct name_scan {
	const char *name;
	size_t n;
	uint64_t start; /* of the name table, in the file */
	uint64_t found; /* offset in it */
};

static int scan_name(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct name_scan *s = ctx;
	const uint8_t *at = p, *end = p + n;

	while ((at = memmem(at, end - at, s->name, s->n + 1))) {
		uint64_t where = off + (at - p);

		if (where == s->start || (at > p && !at[-1])) {
			s->found = where - s->start;
			return 1;
		}
		at++;
	}
	return 0;
}

/*
 * From 1.16 names have a table of their own, each once: found by one pass over it, after which the
 * functions need only be compared by offset. 1 found, 0 not.
 */
static int name_offset(const struct bin *b, const char *name, size_t n, uint64_t *out)
{
	const struct pcln *p = &b->pcln;
	uint64_t end = p->cutab > p->funcname ? p->cutab : p->size;
	struct name_scan s = { .name = name, .n = n, .start = p->off + p->funcname };
	int r;

	io_allow(b->io, p->size);
	r = io_scan(b->io, s.start, end - p->funcname, n + 1, scan_name, &s);
	*out = s.found;
	return r;
}

/* Whether function i has the name: 1, 0. From 1.16 by its offset. */
static int func_has_name(const struct bin *b, uint64_t i, const char *name, size_t n, uint64_t want)
{
	const struct pcln *p = &b->pcln;
	uint64_t func;
	uint32_t at;
	int r = func_off(b, i, &func);

	if (!r)
		r = func_field(b, func, FUNC_NAME, &at);
	if (r)
		return 0;
	if (p->magic != PCLN_12)
		return at == want;
	if (at > p->size || n + 1 > p->size - at)
		return 0;
	return io_streq(b->io, p->off + at, name, n) == 1;
}

/* The first of a few functions from `from` on whose name does not come before `want` in the table
 * of names: its number, and whether that is its name. False: there is none. */
static bool first_not_before(const struct bin *b, uint64_t from, uint64_t want, uint64_t *found,
			     bool *equal)
{
	enum { FEW = 16 };

	for (uint64_t i = from; i < b->pcln.nfunc && i - from < FEW; i++) {
		uint64_t func;
		uint32_t at;

		if (func_off(b, i, &func) || func_field(b, func, FUNC_NAME, &at) || at < want)
			continue;
		*found = i;
		*equal = at == want;
		return true;
	}
	return false;
}

/*
 * The linker writes names in the order of functions (cmd/link, pcln.go, generateFuncnametab), but
 * those of inlined ones where they are called first: names come later and later, while some
 * functions between have an earlier one. Of a table in another order nothing is found: then all are
 * looked at. Of several functions with the name (wrappers between ABIs) the first counts.
 */
static bool func_by_order(const struct bin *b, uint64_t want, uint64_t *found)
{
	uint64_t lo = 0, hi = b->pcln.nfunc;
	bool equal = false;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (first_not_before(b, mid, want, found, &equal))
			hi = mid;
		else
			lo = mid + 1;
	}
	return first_not_before(b, lo, want, found, &equal) && equal;
}

static int look_up(struct bin *b, uint64_t text, const char *name, struct bin_func *out)
{
	uint64_t want = 0, i = 0, pc;
	size_t n = strlen(name);
	int r;

	if (!n || n > NAME_MAX_LEN)
		return -ENOENT;
	if (b->pcln.magic != PCLN_12) {
		r = name_offset(b, name, n, &want);
		if (r <= 0)
			return r ? r : -ENOENT;
	}
	if (b->pcln.magic == PCLN_12 || !func_by_order(b, want, &i))
		for (i = 0; i < b->pcln.nfunc; i++)
			if (func_has_name(b, i, name, n, want))
				break;
	if (i == b->pcln.nfunc)
		return -ENOENT;
	r = entry_pc(b, text, i, &pc);
	return r ? r : bin_go_func(b, text, pc, out);
}

int bin_go_lookup(struct bin *b, uint64_t text, const char *name, struct bin_func *out)
{
	int r = table_ready(b, &text); /* recorded: others need that, too */
	bool was;

	if (r)
		return r;
	was = io_record_pause(b->io, true);
	r = look_up(b, text, name, out);
	io_record_pause(b->io, was);
	return r;
}

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
		r = tab_u32(b, p->filetab + 4ULL * no, &at);
		*out = p->off + at;
		return r;
	}
	if (no < 0)
		return -ENOENT;
	r = func_field(b, func, FUNC_CU, &cu);
	if (!r)
		r = tab_u32(b, p->cutab + ((uint64_t)cu + no) * 4, &at);
	if (!r && at == UINT32_MAX)
		return -ENOENT;
	*out = p->off + p->filetab + at;
	return r;
}

/* File and line of pc in f. */
static int line_of(struct bin *b, const struct func *f, uint64_t pc, const char **file,
		   uint32_t *line)
{
	uint32_t pcfile, pcln;
	int32_t no, ln;
	const char *s;
	uint64_t at;
	int r = func_field(b, f->at, FUNC_PCFILE, &pcfile);

	if (!r)
		r = func_field(b, f->at, FUNC_PCLN, &pcln);
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
	struct func f;
	int r = table_ready(b, &text);

	if (!r)
		r = find_func(b, text, pc, &f);
	return r ? r : line_of(b, &f, pc, file, line);
}

int bin_go_sp_delta(struct bin *b, uint64_t text, uint64_t pc, uint32_t *delta, uint64_t *entry)
{
	struct func f;
	uint32_t tab;
	int32_t d = 0;
	int r = table_ready(b, &text);

	if (!r)
		r = find_func(b, text, pc, &f);
	if (!r)
		r = func_field(b, f.at, FUNC_PCSP, &tab);
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
		return tab_read(b, at, out, 8);
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
	struct func f;
	uint8_t id;

	return !table_ready(b, &text) && !find_func(b, text, pc, &f) &&
	       !tab_read(b, f.at + func_size(&b->pcln) - 4, &id, 1) && id == wrapper_id(b);
}

/* Where the calls lie that were inlined into a function, and the pc-value table that says which of
 * them a pc is in. -ENOENT: nothing was inlined, or it can't be told. */
static int inline_tree(struct bin *b, const struct func *f, uint32_t *index, uint64_t *tree)
{
	struct pcln *p = &b->pcln;
	unsigned int which = p->magic == PCLN_12 ? FUNCDATA_INLTREE_115 : FUNCDATA_INLTREE;
	uint64_t at = f->at + func_size(p), text;
	uint32_t npcdata, off;
	uint8_t nfuncdata;
	int r = func_field(b, f->at, FUNC_NPCDATA, &npcdata);

	if (!r)
		r = tab_read(b, at - 1, &nfuncdata, 1);
	if (r || npcdata <= PCDATA_INLTREE || npcdata > UINT8_MAX || nfuncdata <= which)
		return r ? r : -ENOENT;
	r = tab_u32(b, at + 4 * PCDATA_INLTREE, index);
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
	r = tab_u32(b, at + 4 * which, &off);
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

static int add_frame(struct bin *b, const struct func *f, uint64_t pc, uint32_t name,
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
	struct func f;
	int32_t i;
	int r = table_ready(b, &text);

	*n = 0;
	if (!r)
		r = find_func(b, text, pc, &f);
	if (!r)
		r = func_field(b, f.at, FUNC_NAME, &own);
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
