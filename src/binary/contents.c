/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pass over all that tells what lies where, in order of address. Each source of names is a
 * level; where several name a byte the highest one has it.
 */
#include "binary/contents.h"

#include <elf.h>
#include <string.h>

#include "binary/gofunc.h"
#include "binary/package.h"
#include "binary/parts.h"

enum {
	KNOWN_MAX = 64,
	NAME_MAX_LEN = 4096,
	HEADERS_MAX = 4096,
};

enum level {
	L_SECTIONS,
	L_REGIONS,
	L_SYMBOLS,
	L_MARKS,
	L_TYPES,
	L_OBJECTS, /* itabs, embedded files, what the caller knows */
	L_FUNCTIONS,
	LEVELS
};

/* The next thing of a level, [start, end); `next` numbers the one behind it. */
struct stream {
	uint64_t start, end;
	size_t next;
	bool ended;
	struct type_found type;
};

struct bin_contents {
	struct bin *b;
	struct module m;
	struct bin_gaps gaps;
	uint64_t text;	       /* for the function table */
	part_vec part[LEVELS]; /* of levels that are lists */
	bin_sym_vec syms;      /* of L_SYMBOLS */
	uint64_t str, str_end; /* their names, file offsets */
	struct type_walk types;
	uint64_t types_at; /* where the walk begins */
	struct stream s[LEVELS];
	uint64_t at;	  /* what lies below has been given */
	enum level owner; /* of what was given last */
};

/* ---- the levels */

/* Function i, type, symbol or part: where it is. 1; 0: there is none any more; -errno. */
static int fetch(struct bin_contents *c, enum level l)
{
	struct stream *s = &c->s[l];
	const part_vec *v = &c->part[l];
	int r = 1;

	switch (l) {
	case L_FUNCTIONS:
		if (c->gaps.functions || s->next >= c->b->pcln.nfunc)
			return 0;
		r = gofunc_extent(c->b, c->text, s->next, &s->start, &s->end);
		r = r ? r : 1;
		break;
	case L_TYPES:
		r = types_next(&c->types, &s->type);
		s->start = s->type.start;
		s->end = s->type.end;
		break;
	case L_SYMBOLS:
		if (s->next >= c->syms.n)
			return 0;
		s->start = c->syms.v[s->next].addr;
		s->end = s->start + c->syms.v[s->next].size;
		break;
	default:
		if (s->next >= v->n)
			return 0;
		s->start = v->v[s->next].start;
		s->end = v->v[s->next].end;
	}
	s->next++;
	return r;
}

/* The first thing of the level that ends above p; what lies below p of it is gone. */
static int advance(struct bin_contents *c, enum level l, uint64_t p)
{
	struct stream *s = &c->s[l];

	while (!s->ended && (s->end <= p || s->end <= s->start)) {
		int r = fetch(c, l);

		if (r < 0)
			return r;
		if (!r) {
			s->ended = true;
			break;
		}
		if (s->start < p)
			s->start = p;
	}
	return 0;
}

int bin_contents_next(struct bin_contents *c, uint64_t *start, uint64_t *end)
{
	for (;;) {
		uint64_t p = c->at, until = UINT64_MAX;
		int owner = -1;

		for (int l = LEVELS - 1; l >= 0 && owner < 0; l--) {
			const struct stream *s = &c->s[l];
			int r = advance(c, l, p);

			if (r)
				return r;
			if (s->ended)
				continue;
			if (s->start <= p) {
				owner = l;
				until = s->end < until ? s->end : until;
			} else if (s->start < until) {
				until = s->start;
			}
		}
		if (owner < 0 && until == UINT64_MAX)
			return 0;
		c->at = until;
		if (owner < 0)
			continue;
		c->owner = owner;
		*start = p;
		*end = until;
		return 1;
	}
}

void bin_contents_rewind(struct bin_contents *c)
{
	memset(c->s, 0, sizeof(c->s));
	c->types.at = c->types_at;
	c->types.last = 0;
	c->at = 0;
	io_allow(c->b->io, io_size(c->b->io));
}

/* ---- names */

/* Bytes of the file: up to a NUL where `terminated`. */
static int add_string(struct bin *b, uint64_t off, uint64_t len, bool terminated, struct text *out)
{
	while (len) {
		size_t n;
		const uint8_t *p = io_peek(b->io, off, &n), *nul;
		int r;

		if (!p)
			return text_add(out, "", 0);
		n = n < len ? n : len;
		nul = terminated ? memchr(p, 0, n) : NULL;
		r = text_add(out, p, nul ? (size_t)(nul - p) : n);
		if (r || nul)
			return r;
		off += n;
		len -= n;
	}
	return text_add(out, "", 0);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int add_text(struct text *t, const char *s)
{
	return text_add(t, s, strlen(s));
}

/* The package of a symbol of Go, or what it is else. */
static int group_of(const struct text *name, const char *otherwise, struct text *group)
{
	char path[NAME_MAX_LEN + 1];
	size_t n = bin_package_of(name->p);

	if (!n)
		return add_text(group, otherwise);
	return text_add(group, path, bin_package_path(name->p, n, path, sizeof(path)));
}

static bool is_go_variable(const struct bin_contents *c, uint64_t at)
{
	for (size_t i = 0; i < ARRAY_LEN(c->m.data); i++)
		if (at >= c->m.data[i][0] && at < c->m.data[i][1])
			return true;
	return c->m.types && at >= least(c->m.types, c->m.rodata ? c->m.rodata : c->m.types) &&
	       at < c->m.etypes;
}

static int name_symbol(struct bin_contents *c, size_t i, struct text *name, struct text *group)
{
	const struct bin_sym *s = &c->syms.v[i];
	uint64_t at = c->str + s->name;
	int r = at < c->str_end
			? add_string(c->b, at, least(c->str_end - at, NAME_MAX_LEN), true, name)
			: text_add(name, "", 0);

	if (r)
		return r;
	return is_go_variable(c, s->addr) ? group_of(name, "no package", group)
					  : add_text(group, "C");
}

static int name_function(struct bin_contents *c, size_t i, struct text *name, struct text *group)
{
	const struct pcln *p = &c->b->pcln;
	uint64_t off;
	int r = gofunc_name_at(c->b, i, &off);

	if (!r && off < p->off + p->size)
		r = add_string(c->b, off, least(p->off + p->size - off, NAME_MAX_LEN), true, name);
	if (!r || r == -EINVAL || r == -EFAULT)
		r = text_add(name, "", 0);
	return r ? r : group_of(name, "no package", group);
}

static int name_type(struct bin_contents *c, struct text *name, struct text *group)
{
	const struct type_found *t = &c->s[L_TYPES].type;
	int r = add_text(name, "type data");

	if (r)
		return r;
	return t->npackage ? add_string(c->b, t->package, least(t->npackage, NAME_MAX_LEN), false,
					group)
			   : add_text(group, "no package");
}

static int name_part(struct bin_contents *c, const struct part *x, struct text *name,
		     struct text *group)
{
	int r = x->name ? add_text(name, x->name)
			: add_string(c->b, x->name_off, x->name_len, false, name);

	return r ? r : add_text(group, x->group);
}

bool bin_contents_has_name(const struct bin_contents *c)
{
	return c->owner == L_FUNCTIONS || c->owner == L_SYMBOLS ||
	       (c->owner == L_OBJECTS && !c->part[L_OBJECTS].v[c->s[L_OBJECTS].next - 1].name);
}

int bin_contents_name(struct bin_contents *c, struct text *name, struct text *group)
{
	size_t i = c->s[c->owner].next - 1;

	name->n = group->n = 0;
	switch (c->owner) {
	case L_FUNCTIONS:
		return name_function(c, i, name, group);
	case L_TYPES:
		return name_type(c, name, group);
	case L_SYMBOLS:
		return name_symbol(c, i, name, group);
	default:
		return name_part(c, &c->part[c->owner].v[i], name, group);
	}
}

/* ---- opening */

static int by_start(const void *x, const void *y)
{
	const struct part *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

void parts_settle(part_vec *v)
{
	uint64_t end = 0;
	size_t n = 0;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_start);
	for (size_t i = 0; i < v->n; i++) {
		struct part x = v->v[i];

		x.start = x.start < end ? end : x.start;
		if (x.end <= x.start)
			continue;
		end = x.end;
		v->v[n++] = x;
	}
	v->n = n;
}

/* What is mapped of the file before its first section. */
static int add_headers(const struct bin *b, part_vec *v)
{
	uint64_t at = 0, end;
	bool any = false;

	for (size_t i = 0; i < b->seg.n && !any; i++)
		if (!b->seg.v[i].offset && b->seg.v[i].filesz) {
			at = b->seg.v[i].vaddr;
			any = true;
		}
	end = at + HEADERS_MAX;
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].start >= at && v->v[i].start < end)
			end = v->v[i].start;
	if (!any || end == at + HEADERS_MAX)
		return 0;
	return vec_push(v, (struct part){ at, end, "ELF headers", "ELF", 0, 0 });
}

static int add_sections(const struct bin *b, part_vec *v)
{
	int r = 0;

	for (size_t i = 0; i < b->sec.n && !r; i++) {
		const struct bin_sec *s = &b->sec.v[i];

		/* zeros of threads' variables have addresses, but are not there */
		if (!(s->flags & SHF_ALLOC) || (s->flags & SHF_TLS && s->type == SHT_NOBITS) ||
		    !s->size || s->size > UINT64_MAX - s->addr)
			continue;
		r = vec_push(v, (struct part){ s->addr, s->addr + s->size, s->name, "ELF", 0, 0 });
	}
	if (!r)
		r = add_headers(b, v);
	parts_settle(v);
	return r;
}

static bool is_mark(const part_vec *marks, uint64_t at)
{
	size_t lo = 0, hi = marks->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (marks->v[mid].start < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < marks->n && marks->v[lo].start == at;
}

/* Without those of Go's functions, which pclntab has, and those that stand for a region. */
static int add_symbols(struct bin_contents *c)
{
	size_t n = 0;
	int r;

	io_allow(c->b->io, io_size(c->b->io));
	r = symbols_sized(c->b, &c->syms, &c->str, &c->str_end);
	for (size_t i = 0; i < c->syms.n; i++) {
		const struct bin_sym *s = &c->syms.v[i];

		if ((s->addr < c->m.text || s->addr >= c->m.etext) &&
		    !is_mark(&c->part[L_MARKS], s->addr))
			c->syms.v[n++] = *s;
	}
	c->syms.n = n;
	c->gaps.symbols = !c->str;
	return r == -ENOMEM ? r : 0;
}

/* Where the last descriptor ends; 0: there are none. */
static int find_types(struct bin_contents *c, uint64_t *end)
{
	struct type_found t;
	int r = types_begin(c->b, &c->m, &c->types);

	c->types_at = c->types.at;
	*end = 0;
	while (!r && (r = types_next(&c->types, &t)) == 1) {
		*end = t.end;
		r = 0;
	}
	return r;
}

static int add_objects(struct bin_contents *c, const struct bin_known *known, size_t n)
{
	part_vec *v = &c->part[L_OBJECTS];
	int r = 0;

	for (size_t i = 0; i < n && i < KNOWN_MAX && !r; i++)
		r = vec_push(v, (struct part){ known[i].start, known[i].end, known[i].name,
					       known[i].group, 0, 0 });
	if (!r)
		r = embed_find(c->b, v);
	if (!r)
		r = itabs_find(c->b, &c->m, v);
	parts_settle(v);
	return r;
}

/* Whether the function table is there; a capture may hold the header alone. */
static int find_functions(struct bin_contents *c)
{
	uint64_t first, last, end;
	int r;

	c->text = c->m.text;
	r = gofunc_ready(c->b, &c->text);
	if (!r)
		r = gofunc_extent(c->b, c->text, 0, &first, &end);
	if (!r)
		r = gofunc_extent(c->b, c->text, c->b->pcln.nfunc - 1, &last, &end);
	c->gaps.functions = r || end <= first;
	return r == -ENOMEM ? r : 0;
}

static int fill(struct bin_contents *c, const struct bin_known *known, size_t n)
{
	uint64_t types_end;
	int r = module_read(c->b, &c->m);

	if (r == -ENOMEM)
		return r;
	c->gaps.module = r != 0;
	r = find_functions(c);
	if (!r)
		r = add_sections(c->b, &c->part[L_SECTIONS]);
	if (!r)
		r = find_types(c, &types_end);
	if (!r)
		r = marks_find(c->b, &c->m, types_end, &c->part[L_MARKS]);
	if (!r)
		r = regions_find(c->b, &c->m, &c->part[L_REGIONS]);
	if (!r)
		r = add_symbols(c);
	return r ? r : add_objects(c, known, n);
}

int bin_contents_open(struct bin *b, const struct bin_known *known, size_t n,
		      struct bin_contents **out)
{
	struct bin_contents *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->b = b;
	r = fill(c, known, n);
	if (r) {
		bin_contents_close(c);
		return r;
	}
	bin_contents_rewind(c);
	*out = c;
	return 0;
}

void bin_contents_close(struct bin_contents *c)
{
	if (!c)
		return;
	for (int l = 0; l < LEVELS; l++)
		vec_free(&c->part[l]);
	vec_free(&c->syms);
	types_end(&c->types);
	free(c);
}

const struct bin_gaps *bin_contents_gaps(const struct bin_contents *c)
{
	return &c->gaps;
}
