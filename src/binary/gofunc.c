/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions and their names from pclntab (src/debug/gosym/pclntab.go). Everything is read through
 * the block cache where it lies: the table of a large program has tens of megabytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/gofunc.h"
#include "binary/parts.h"

enum { NAME_MAX_LEN = 4096 };

int gofunc_read(const struct bin *b, uint64_t at, void *buf, size_t n)
{
	const struct pcln *p = &b->pcln;

	if (at > p->size || n > p->size - at)
		return -EINVAL;
	return io_read(b->io, p->off + at, buf, n);
}

int gofunc_u32(const struct bin *b, uint64_t at, uint32_t *out)
{
	return gofunc_read(b, at, out, 4);
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
		r = gofunc_read(b, p->ftab + i * 16, &entries[i], 8);
	p->entries = entries;
	io_allow(b->io, io_size(b->io));
	return r ? r : image_rela(b, put_entry, b);
}

/* Entry of function i (nfunc: the end of the last), from `text`. */
static int entry_pc(const struct bin *b, uint64_t text, uint64_t i, uint64_t *pc)
{
	const struct pcln *p = &b->pcln;
	uint32_t off = 0;
	int r;

	if (p->entries) {
		*pc = p->entries[i];
		return 0;
	}
	if (p->wide)
		return gofunc_read(b, p->ftab + i * 16, pc, 8);
	r = gofunc_u32(b, p->ftab + i * 8, &off);
	*pc = text + off;
	return r;
}

static int func_off(const struct bin *b, uint64_t i, uint64_t *off)
{
	const struct pcln *p = &b->pcln;
	uint64_t x = 0;
	int r = p->wide ? gofunc_read(b, p->ftab + i * 16 + 8, &x, 8)
			: gofunc_read(b, p->ftab + i * 8 + 4, &x, 4);

	*off = p->funcdata + x;
	return !r && x > p->size - p->funcdata ? -EINVAL : r;
}

int gofunc_field(const struct bin *b, uint64_t func, unsigned int field, uint32_t *out)
{
	return gofunc_u32(b, func + (b->pcln.wide ? 8 : 4) + 4 * field, out);
}

/* Checks that there is a table and finds what its offsets count from. */
int gofunc_ready(struct bin *b, uint64_t *text)
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

int gofunc_find(struct bin *b, uint64_t text, uint64_t pc, struct gofunc *out)
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
	struct gofunc f;
	uint32_t at;
	int r = gofunc_ready(b, &text);

	if (!r)
		r = gofunc_find(b, text, pc, &f);
	if (!r)
		r = gofunc_field(b, f.at, FUNC_NAME, &at);
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
		r = gofunc_field(b, func, FUNC_NAME, &at);
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

		if (func_off(b, i, &func) || gofunc_field(b, func, FUNC_NAME, &at) || at < want)
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
	int r = gofunc_ready(b, &text); /* recorded: others need that, too */
	bool was;

	if (r)
		return r;
	was = io_record_pause(b->io, true);
	r = look_up(b, text, name, out);
	io_record_pause(b->io, was);
	return r;
}

/* ---- one after another */

int gofunc_extent(struct bin *b, uint64_t text, uint64_t i, uint64_t *start, uint64_t *end)
{
	int r = entry_pc(b, text, i, start);

	return r ? r : entry_pc(b, text, i + 1, end);
}

int gofunc_name_at(struct bin *b, uint64_t i, uint64_t *off)
{
	uint64_t func = 0;
	uint32_t at = 0;
	int r = func_off(b, i, &func);

	if (!r)
		r = gofunc_field(b, func, FUNC_NAME, &at);
	*off = b->pcln.off + b->pcln.funcname + at;
	return r;
}
