/* SPDX-License-Identifier: BSD-2-Clause */
/* The Go part of elf_writer.h. */
#include "elf_writer.h"

#include <string.h>

const char *const gow_files[] = { "/src/runtime/proc.go", "/home/dev/x/main.go",
				  "/home/dev/x/cache.go" };
enum { NFILES = ARRAY_LEN(gow_files) };

const struct gow_func gow_funcs[] = {
	{ "internal/cpu.Initialize", { { 0x20, 0, 5 } } },
	{ "runtime.main", { { 0x10, 0, 145 }, { 0x20, 0, 250 }, { 0x50, 0, 146 } } },
	/* a call of cache.go inlined into main.go */
	{ "main.leak", { { 0x30, 1, 40 }, { 0x14, 2, 1200 }, { 0x1c, 1, 41 } } },
	{ "main.(*Session).Close", { { 0x8, 2, 3 }, { 0x18, 2, 70000 } } },
	{ "main.Sum[...]", { { 0x40, 1, 60 } } },
	{ "main.main", { { 0x4, 1, 100 }, { 0x4, 1, 99 }, { 0x8, 1, 101 }, { 0x90, 1, 100 } } },
};
const size_t gow_nfuncs = ARRAY_LEN(gow_funcs);
enum { NFUNCS = ARRAY_LEN(gow_funcs), NROWS = ARRAY_LEN(gow_funcs[0].row) };

static void put(struct text *t, const void *p, size_t n)
{
	if (text_add(t, p, n))
		abort();
}

static void u32(struct text *t, uint32_t x)
{
	put(t, &x, 4);
}

static void u64(struct text *t, uint64_t x)
{
	put(t, &x, 8);
}

static void pad(struct text *t, size_t a)
{
	while (t->n % a)
		put(t, "", 1);
}

static void uvarint(struct text *t, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		put(t, &(uint8_t){ x | 0x80 }, 1);
	put(t, &(uint8_t){ x }, 1);
}

static int64_t row_value(const struct gow_row *r, bool files, uint32_t file_base)
{
	return files ? r->file + file_base : r->line;
}

/* cmd/link/internal/ld/pcln.go, golang.org/s/go12symtab: pairs of (zig-zag value delta, pc delta
 * in quanta), values starting at −1, ended by a zero: so equal neighbours become one pair. */
static uint32_t pc_table(struct text *t, const struct gow_func *f, bool files, uint32_t file_base,
			 uint8_t quantum)
{
	uint32_t at = t->n;
	int64_t val = -1;

	for (size_t i = 0; i < NROWS && f->row[i].size;) {
		int64_t v = row_value(&f->row[i], files, file_base), d = v - val;
		uint32_t size = 0;

		while (i < NROWS && f->row[i].size && row_value(&f->row[i], files, file_base) == v)
			size += f->row[i++].size;
		uvarint(t, d < 0 ? ((uint64_t)-d << 1) - 1 : (uint64_t)d << 1);
		uvarint(t, size / quantum);
		val = v;
	}
	put(t, "", 1);
	return at;
}

/* The same for the stack pointer: one value all through a function (zig-zag: twice it, and 1 for
 * the start at −1). */
static uint32_t sp_table(struct text *t, uint32_t size, uint8_t quantum)
{
	uint32_t at = t->n;

	uvarint(t, 2 * (GOW_FRAME + 1));
	uvarint(t, size / quantum);
	put(t, "", 1);
	return at;
}

static uint32_t func_size(const struct gow_func *f)
{
	uint32_t n = 0;

	for (size_t i = 0; i < NROWS; i++)
		n += f->row[i].size;
	return n;
}

struct tables {
	struct text names, files, cu, pcs, funcs, ftab;
};

static void free_tables(struct tables *t)
{
	text_free(&t->names);
	text_free(&t->files);
	text_free(&t->cu);
	text_free(&t->pcs);
	text_free(&t->funcs);
	text_free(&t->ftab);
}

/* runtime2.go _func: entry, nameOff, args, deferreturn, pcsp, pcfile, pcln, npcdata, then from
 * 1.16 cuOffset; the rest is not looked at. Returns its offset in t->funcs. */
static uint32_t add_func(struct tables *t, const struct gow_func *f, uint64_t entry, bool wide,
			 bool old, uint8_t quantum)
{
	uint32_t at, name = t->names.n;
	/* old files count from 1 */
	uint32_t file = pc_table(&t->pcs, f, true, old, quantum);
	uint32_t line = pc_table(&t->pcs, f, false, 0, quantum);
	uint32_t sp = sp_table(&t->pcs, func_size(f), quantum);

	put(&t->names, f->name, strlen(f->name) + 1);
	pad(&t->funcs, 8);
	at = t->funcs.n;
	if (wide)
		u64(&t->funcs, entry);
	else
		u32(&t->funcs, entry);
	u32(&t->funcs, name);
	u32(&t->funcs, 0);
	u32(&t->funcs, 0);
	u32(&t->funcs, sp);
	u32(&t->funcs, file);
	u32(&t->funcs, line);
	u32(&t->funcs, 0);
	u32(&t->funcs, 1); /* the compilation unit's files start at 1 in cutab */
	u32(&t->funcs, 0);
	return at;
}

static void fill(struct tables *t, uint64_t text, bool wide, bool old, uint8_t quantum,
		 bool unrelocated)
{
	uint64_t at = wide ? text : 0;
	uint32_t shown;

	put(&t->pcs, "", 1); /* offset 0 means: no table */
	u32(&t->cu, UINT32_MAX);
	for (size_t i = 0; i < NFILES; i++) {
		u32(&t->cu, t->files.n);
		put(&t->files, gow_files[i], strlen(gow_files[i]) + 1);
	}
	for (size_t i = 0; i < NFUNCS; i++) {
		uint32_t off;

		shown = wide && unrelocated ? 0 : at;
		off = add_func(t, &gow_funcs[i], shown, wide, old, quantum);
		if (wide) {
			u64(&t->ftab, shown);
			u64(&t->ftab, off);
		} else {
			u32(&t->ftab, shown);
			u32(&t->ftab, off);
		}
		at += func_size(&gow_funcs[i]);
	}
	shown = wide && unrelocated ? 0 : at;
	if (wide)
		u64(&t->ftab, shown);
	else
		u32(&t->ftab, shown);
}

/* 1.2: one space of offsets, from the table's start. */
static void lay_out_old(struct tables *t, struct text *out)
{
	size_t ftab = 16, file = ftab + t->ftab.n, funcs = (file + 4 + 7) & ~7UL;
	size_t names = funcs + t->funcs.n, pcs = names + t->names.n;
	size_t strings = pcs + t->pcs.n, filetab = (strings + t->files.n + 3) & ~3UL;

	for (size_t i = 0; i < NFUNCS; i++) {
		uint32_t x[3];
		char *f = t->funcs.p + i * 48;

		*(uint64_t *)(t->ftab.p + i * 16 + 8) += funcs;
		memcpy(&x[0], f + 8, 4);
		memcpy(&x[1], f + 24, 8);
		x[0] += names;
		x[1] += pcs;
		x[2] += pcs;
		memcpy(f + 8, &x[0], 4);
		memcpy(f + 24, &x[1], 8);
	}
	u64(out, NFUNCS);
	put(out, t->ftab.p, t->ftab.n);
	u32(out, filetab);
	pad(out, 8);
	put(out, t->funcs.p, t->funcs.n);
	put(out, t->names.p, t->names.n);
	put(out, t->pcs.p, t->pcs.n);
	put(out, t->files.p, t->files.n);
	pad(out, 4);
	u32(out, NFILES + 1);
	for (size_t i = 0, at = strings; i < NFILES; i++) {
		u32(out, at);
		at += strlen(gow_files[i]) + 1;
	}
}

static void lay_out(struct tables *t, uint64_t text, bool has_text, struct text *out)
{
	size_t at = has_text ? 72 : 64;
	const struct text *part[] = { &t->names, &t->cu, &t->files, &t->pcs };
	unsigned int entry = has_text ? 8 : 16;

	u64(out, NFUNCS);
	u64(out, NFILES);
	if (has_text)
		u64(out, text);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		u64(out, at);
		at = (at + part[i]->n + 7) & ~7UL;
	}
	u64(out, at); /* of ftab, from which the functions count */
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		put(out, part[i]->p, part[i]->n);
		pad(out, 8);
	}
	pad(&t->ftab, 8);
	for (size_t i = 0; i < NFUNCS; i++) {
		char *p = t->ftab.p + i * entry + entry / 2;

		if (has_text)
			*(uint32_t *)p += t->ftab.n;
		else
			*(uint64_t *)p += t->ftab.n;
	}
	put(out, t->ftab.p, t->ftab.n);
	put(out, t->funcs.p, t->funcs.n);
}

void gow_pclntab(uint32_t magic, uint8_t quantum, uint64_t text, bool unrelocated, struct text *out)
{
	struct tables t = { 0 };
	struct text body = { 0 };
	uint8_t head[4] = { 0, 0, quantum, 8 };
	bool wide = magic >= 0xfffffffa, old = magic == 0xfffffffb;

	fill(&t, text, wide, old, quantum, unrelocated);
	u32(&body, magic);
	put(&body, head, 4);
	if (old)
		lay_out_old(&t, &body);
	else
		lay_out(&t, unrelocated ? 0 : text, !wide, &body);
	put(out, body.p, body.n);
	text_free(&body);
	free_tables(&t);
}

/* ---- the program around it */

struct rela {
	uint64_t at, info, addend;
};

struct image {
	struct text ro, data;
	uint64_t ro_at, data_at;
	struct rela rela[256];
	size_t nrela;
	bool pie;
	uint16_t machine;
};

/* Writes an address into data; in a PIE as a relocation. */
static void pointer(struct image *m, uint64_t value)
{
	if (m->pie && value) {
		m->rela[m->nrela++] = (struct rela){ m->data_at + m->data.n,
						     m->machine == EM_X86_64 ? R_X86_64_RELATIVE
									     : R_AARCH64_RELATIVE,
						     value };
		value = 0;
	}
	u64(&m->data, value);
}

static void relocate(struct image *m, uint64_t at, uint64_t value)
{
	m->rela[m->nrela++] =
		(struct rela){ at, m->machine == EM_X86_64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE,
			       value };
}

/* Words that hold addresses: in a PIE as relocations. */
static void add_extra(struct image *m, const struct gow *g, struct gow_place *p)
{
	p->extra = m->ro_at + m->ro.n;
	put(&m->ro, g->extra, g->extra_len);
	for (size_t i = 0; i < g->npointers && m->pie; i++) {
		char *at = m->ro.p + (p->extra - m->ro_at) + g->pointers[i];
		uint64_t value;

		memcpy(&value, at, 8);
		relocate(m, p->extra + g->pointers[i], value);
		memset(at, 0, 8);
	}
	pad(&m->ro, 8);
}

static uint64_t put_ro(struct image *m, const void *p, size_t n)
{
	uint64_t at = m->ro_at + m->ro.n;

	put(&m->ro, p, n);
	return at;
}

static const char sentinel[] = "0123456789abcdef";

static void add_buildinfo(struct image *m, const struct gow *g, uint64_t version, uint64_t mod,
			  size_t nmod)
{
	uint8_t flags[2] = { 8, g->buildinfo == GOW_INLINE ? 2 : 0 };
	uint64_t headers;

	put(&m->data, "\xff Go buildinf:", 14);
	put(&m->data, flags, 2);
	if (g->buildinfo == GOW_INLINE) {
		u64(&m->data, 0);
		u64(&m->data, 0);
		uvarint(&m->data, strlen(g->version));
		put(&m->data, g->version, strlen(g->version));
		uvarint(&m->data, nmod);
		put(&m->data, m->ro.p + (mod - m->ro_at), nmod);
		return;
	}
	headers = m->data_at + m->data.n + 16;
	pointer(m, headers);
	pointer(m, headers + 16);
	pointer(m, version);
	u64(&m->data, strlen(g->version));
	pointer(m, nmod ? mod : 0);
	u64(&m->data, nmod);
}

/* runtime/symtab.go moduledata, as far as etext. */
static void add_moduledata(struct image *m, const struct gow *g, const struct gow_place *p)
{
	unsigned int slices = g->magic == 0xfffffffb ? 1 : 5;
	uint64_t nfunc = NFUNCS;

	if (g->table && g->table_len >= 16)
		memcpy(&nfunc, (const char *)g->table + 8, 8);

	if (slices == 5)
		pointer(m, p->pclntab);
	for (unsigned int i = 0; i < slices; i++) {
		pointer(m, p->pclntab);
		u64(&m->data, 100);
		u64(&m->data, 100);
	}
	pointer(m, p->pclntab); /* ftab */
	u64(&m->data, nfunc + 1);
	u64(&m->data, nfunc + 1);
	if (slices == 1) {
		pointer(m, p->pclntab);
		u64(&m->data, NFILES);
		u64(&m->data, NFILES);
	}
	pointer(m, p->pclntab); /* findfunctab */
	pointer(m, p->text);
	pointer(m, p->etext);
	pointer(m, p->text);
	pointer(m, p->etext);
	/* noptrdata … enoptrbss; from 1.20 covctrs, ecovctrs; end, gcdata, gcbss */
	for (int i = 0; i < (g->magic == 0xfffffff1 ? 13 : 11); i++)
		u64(&m->data, 0);
	pointer(m, g->extra_len ? p->extra : 0); /* types, etypes */
	pointer(m, g->extra_len ? p->extra + g->extra_len : 0);
	if (g->magic >= 0xfffffff0 && g->magic < 0xfffffffa) { /* rodata, gofunc */
		pointer(m, g->extra_len ? p->extra : 0);
		pointer(m, g->extra_len ? p->extra : 0);
	}
	for (int i = 0; i < 30; i++)
		u64(&m->data, 0);
}

static void add_table(struct image *m, const struct gow *g, struct gow_place *p)
{
	uint8_t quantum = g->machine == EM_AARCH64 ? 4 : 1;
	bool wide = g->magic >= 0xfffffffa;
	uint64_t at = p->text, ftab = g->magic == 0xfffffffb ? 16 : 0;

	pad(&m->ro, 32);
	p->pclntab = m->ro_at + m->ro.n;
	if (g->table)
		put(&m->ro, g->table, g->table_len);
	else
		gow_pclntab(g->magic, quantum, g->no_text_start ? 0 : p->text, g->pie, &m->ro);
	p->pclntab_size = m->ro_at + m->ro.n - p->pclntab;
	if (!g->pie || g->table)
		return;
	if (!wide) {
		if (!g->no_text_start)
			relocate(m, p->pclntab + 24, p->text);
		return;
	}
	if (!ftab)
		memcpy(&ftab, m->ro.p + (p->pclntab - m->ro_at) + 56, 8);
	for (size_t i = 0; i <= NFUNCS; i++) {
		relocate(m, p->pclntab + ftab + i * 16, at);
		if (i < NFUNCS)
			at += func_size(&gow_funcs[i]);
	}
}

static void finish(struct image *m, const struct gow *g, const struct gow_place *p,
		   struct text *out)
{
	struct elfw w;
	char code[0x1000];
	uint64_t rela = m->ro_at + ((m->ro.n + 7) & ~7UL), dyn = m->data_at + m->data.n;
	size_t nrela = m->nrela * sizeof(m->rela[0]);
	Elf64_Dyn d[] = { { DT_RELA, { rela } }, { DT_RELASZ, { nrela } }, { DT_NULL, { 0 } } };

	memset(code, 0xcc, sizeof(code));
	pad(&m->ro, 8);
	put(&m->ro, m->rela, nrela);
	if (g->pie)
		put(&m->data, d, sizeof(d));
	elfw_init(&w, g->pie ? ET_DYN : ET_EXEC, g->machine);
	w.no_sections = !g->sections;
	elfw_load(&w, PF_R | PF_X, p->text, code, p->etext - p->text, 0);
	elfw_load(&w, PF_R, m->ro_at, m->ro.p, m->ro.n, 0);
	elfw_load(&w, PF_R | PF_W, m->data_at, m->data.p, m->data.n, m->data.n + 0x5000);
	if (g->pie)
		elfw_part(&w, PT_DYNAMIC, dyn, sizeof(d), 8);
	elfw_section(&w, ".gopclntab", SHT_PROGBITS, p->pclntab, p->pclntab_size);
	if (g->buildinfo != GOW_NONE)
		elfw_section(&w, ".go.buildinfo", SHT_PROGBITS, p->buildinfo,
			     p->moduledata - p->buildinfo);
	elfw_finish(&w, out);
	elfw_free(&w);
}

void gow_make(const struct gow *g, struct text *out, struct gow_place *p)
{
	uint64_t base = g->pie ? 0 : 0x400000, version, mod = 0;
	struct image m = { .pie = g->pie, .machine = g->machine, .ro_at = base + 0x2000 };
	struct text info = { 0 };

	*p = (struct gow_place){ .text = base + 0x1000, .etext = base + 0x1000 };
	for (size_t i = 0; i < NFUNCS; i++)
		p->etext += func_size(&gow_funcs[i]);
	if (g->modinfo) {
		put(&info, sentinel, 16);
		put(&info, g->modinfo, strlen(g->modinfo));
		put(&info, sentinel, 16);
	}
	if (g->extra_len)
		add_extra(&m, g, p);
	put_ro(&m, "strings lie side by side", 24);
	version = put_ro(&m, g->version, strlen(g->version));
	mod = put_ro(&m, info.p ? info.p : "", info.n);
	add_table(&m, g, p);
	m.data_at = (m.ro_at + m.ro.n + sizeof(m.rela) + 2 * ELFW_PAGE) & ~(ELFW_PAGE - 1ULL);
	for (int i = 0; i < 5; i++)
		u64(&m.data, 0x1122334455667788); /* so that nothing is found at the very start */
	pad(&m.data, 16);
	p->buildinfo = m.data_at + m.data.n;
	if (g->buildinfo != GOW_NONE)
		add_buildinfo(&m, g, version, mod, info.n);
	pad(&m.data, 8);
	pointer(&m, version); /* runtime.buildVersion */
	u64(&m.data, strlen(g->version));
	p->moduledata = m.data_at + m.data.n;
	if (!g->no_moduledata)
		add_moduledata(&m, g, p);
	finish(&m, g, p, out);
	text_free(&info);
	text_free(&m.ro);
	text_free(&m.data);
}
