/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: where the linker begins something else (cmd/link/internal/ld: symtab.go, data.go,
 * pcln.go). Some of their ends are not told anywhere: each reaches to the beginning of the next, or
 * to the end of its section.
 */
#include <string.h>

#include "binary/parts.h"

static const char TABLES[] = "Go tables", CONSTANTS[] = "Go constants",
		  VARIABLES[] = "Go variables";

/* The end where none is told. */
#define OPEN UINT64_MAX

static int add(part_vec *v, uint64_t start, uint64_t end, const char *name, const char *group)
{
	return start && end > start ? vec_push(v, (struct part){ start, end, name, group, 0, 0 })
				    : 0;
}

/* One that only ends what comes before. */
static int add_end(part_vec *v, uint64_t at)
{
	return add(v, at, OPEN, NULL, NULL);
}

static int add_pclntab(struct bin *b, part_vec *v)
{
	const struct pcln *p = &b->pcln;
	uint64_t entry = p->wide ? 16 : 8, functions = p->ftab + p->nfunc * entry + entry / 2;
	const uint64_t at[] = {
		0, p->funcname, p->cutab, p->filetab, p->pctab, p->ftab, functions
	};
	static const char *const names[] = {
		"pclntab: header",     "pclntab: function names", "pclntab: compilation units",
		"pclntab: file names", "pclntab: pc tables",	  "pclntab: function table",
		"pclntab: functions",
	};
	int r = 0;

	if (!p->nfunc)
		return 0;
	if (p->magic == PCLN_12) { /* one mixture, but for the table in front and the files */
		r = add(v, p->vaddr, OPEN, names[5], TABLES);
		if (!r)
			r = add(v, p->vaddr + functions, OPEN,
				"pclntab: functions, names, pc tables", TABLES);
		return r ? r : add(v, p->vaddr + p->filetab, OPEN, names[3], TABLES);
	}
	for (size_t i = 0; i < ARRAY_LEN(at) && !r; i++)
		r = add(v, p->vaddr + at[i], OPEN, names[i], TABLES);
	return r;
}

/* The linker's own symbols; up to 1.19 with a point. */
static int add_symbols(struct bin *b, part_vec *v, bool *strings)
{
	static const char *const names[] = {
		"go:string.*", "go.string.*",	   "go:func.*",
		"go.func.*",   "runtime.gcbits.*", "go:funcdesc",
		"go.funcdesc", "runtime.gcdata",   "runtime.egcbss",
	};
	static const char *const text[] = { "string constants",
					    "string constants",
					    "funcdata",
					    "funcdata",
					    "GC bitmaps",
					    "function descriptors",
					    "function descriptors",
					    "GC programs",
					    NULL };
	uint64_t at[ARRAY_LEN(names)];
	int r = bin_variables(b, 1, UINT64_MAX, names, ARRAY_LEN(names), at);

	*strings = false;
	if (r)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < ARRAY_LEN(names) && !r; i++)
		if (at[i] && at[i] != UINT64_MAX) {
			r = add(v, at[i], OPEN, text[i], i < 2 ? CONSTANTS : TABLES);
			*strings |= i < 2;
		}
	return r;
}

static int add_module(const struct module *m, uint64_t types_end, bool strings, part_vec *v)
{
	enum { BUCKET = 4096, BUCKET_SIZE = 20 }; /* runtime/symtab.go, findfuncbucket */
	uint64_t n = m->maxpc > m->minpc ? (m->maxpc - m->minpc + BUCKET - 1) / BUCKET : 0;
	uint64_t names_end = m->typedesc ? m->etypes : types_end;
	int r = add(v, m->findfunctab, m->findfunctab + n * BUCKET_SIZE, "findfunctab", TABLES);

	if (!r)
		r = add(v, m->gofunc, OPEN, "funcdata", TABLES);
	if (!r)
		r = add_end(v, m->gcdata);
	if (!r)
		r = add_end(v, m->epclntab);
	if (!r)
		r = add(v, m->typelinks, m->typelinks + 4 * m->ntypelinks, "typelinks", TABLES);
	if (!r)
		r = add(v, m->itablinks, m->itablinks + 8 * m->nitablinks, "itablinks", TABLES);
	if (!r && names_end)
		r = add(v, m->types, names_end, "type names", TABLES);
	if (r || strings)
		return r;
	/* in a PIE types are apart from strings */
	return m->rodata && (m->rodata < m->types || m->rodata >= names_end)
		       ? add(v, m->rodata, OPEN, "string constants", CONSTANTS)
		       : add(v, names_end, OPEN, "string constants", CONSTANTS);
}

static int by_start(const void *x, const void *y)
{
	const struct part *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	/* one with a name, with an end of its own, first */
	if (!a->name != !b->name)
		return a->name ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* The end of the section, else of the segment, that an address lies in. */
static uint64_t end_of_section(const struct bin *b, uint64_t at)
{
	for (size_t i = 0; i < b->sec.n; i++)
		if (at - b->sec.v[i].addr < b->sec.v[i].size && at >= b->sec.v[i].addr &&
		    b->sec.v[i].addr)
			return b->sec.v[i].addr + b->sec.v[i].size;
	for (size_t i = 0; i < b->seg.n; i++)
		if (at >= b->seg.v[i].vaddr && at - b->seg.v[i].vaddr < b->seg.v[i].memsz)
			return b->seg.v[i].vaddr + b->seg.v[i].memsz;
	return at;
}

static void settle(const struct bin *b, part_vec *v)
{
	size_t n = 0;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_start);
	for (size_t i = 0; i < v->n; i++) {
		struct part x = v->v[i];
		uint64_t end = end_of_section(b, x.start);

		if (i && v->v[i - 1].start == x.start)
			continue;
		for (size_t k = i + 1; k < v->n; k++)
			if (v->v[k].start > x.start) {
				end = v->v[k].start < end ? v->v[k].start : end;
				break;
			}
		x.end = x.end < end ? x.end : end;
		if (x.name && x.end > x.start)
			v->v[n++] = x;
	}
	v->n = n;
}

int marks_find(struct bin *b, const struct module *m, uint64_t types_end, part_vec *out)
{
	bool strings;
	int r = add_pclntab(b, out);

	if (!r)
		r = add_symbols(b, out, &strings);
	if (!r)
		r = add_module(m, types_end, strings, out);
	if (!r)
		settle(b, out);
	return r;
}

int regions_find(struct bin *b, const struct module *m, part_vec *out)
{
	static const char *const names[] = { "variables without pointers",
					     "variables with pointers",
					     "zeroed variables with pointers",
					     "zeroed variables without pointers" };
	int r = add(out, m->gcdata, OPEN, "read-only data", CONSTANTS);

	for (size_t i = 0; i < ARRAY_LEN(names) && !r; i++)
		r = add(out, m->data[i][0], m->data[i][1], names[i], VARIABLES);
	if (!r)
		settle(b, out);
	return r;
}
