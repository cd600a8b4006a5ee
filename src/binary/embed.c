/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in the program: //go:embed into a variable of type embed.FS. The compiler makes a table of
 * them (cmd/compile/internal/staticdata/embed.go, WriteEmbed; embed/embed.go, FS and file; the same
 * from 1.16 to 1.27): a slice header that points right behind itself, and there, 48 bytes each,
 * {name string, data string, hash [16]byte}, directories with a slash at the end of the name and no
 * data. No symbol is needed: hardly anything else points 24 bytes behind itself.
 *
 * Variables of type string or []byte have no table and can't be told from other strings.
 */
#include <string.h>

#include "base/cursor.h"
#include "binary/parts.h"

enum {
	HEADER = 3, /* words: pointer, length, capacity */
	FILE_WORDS = 6,
	FILE_BYTES = 8 * FILE_WORDS,
	TABLES_MAX = 4096,
	FILES_MAX = 1 << 17, /* of all tables */
	NAME_MAX_LEN = 4096,
};

struct search {
	const struct bin *b;
	VEC(struct image_span) table;
	size_t words;
};

/* A pointer at vaddr to 24 bytes behind itself. */
static int add_table(struct search *s, uint64_t vaddr)
{
	uint64_t w[2], n;

	if (bin_read(s->b, vaddr + 8, w, sizeof(w)) || w[0] != w[1] || !w[0])
		return 0;
	n = w[0];
	if (s->table.n >= TABLES_MAX || n > FILES_MAX - s->words / FILE_WORDS)
		return 0;
	n = HEADER + n * FILE_WORDS;
	if (vec_push(&s->table, (struct image_span){ vaddr, n, 0 }))
		return -ENOMEM;
	s->words += n;
	return 0;
}

static int rela_self(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	return addend == vaddr + 8 * HEADER ? add_table(ctx, vaddr) : 0;
}

struct scan {
	struct search *s;
	const struct bin_segment *seg;
};

static int scan_self(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct scan *c = ctx;
	uint64_t vaddr = c->seg->vaddr + (off - c->seg->offset);
	int r = 0;

	for (size_t i = -vaddr & 7; i + 8 <= n && !r; i += 8)
		if (load_u64(p + i) == vaddr + i + 8 * HEADER)
			r = add_table(c->s, vaddr + i);
	return r;
}

static int find_tables(struct search *s)
{
	struct scan c = { .s = s };
	int r = 0;

	io_allow(s->b->io, 2 * io_size(s->b->io));
	if (bin_is_pie(s->b))
		return image_rela(s->b, rela_self, s);
	for (size_t i = 0; i < s->b->seg.n && !r; i++) {
		c.seg = &s->b->seg.v[i];
		if (!(c.seg->flags & BIN_SEG_X))
			r = io_scan(s->b->io, c.seg->offset, c.seg->filesz, 7, scan_self, &c);
	}
	return r;
}

static int by_vaddr(const void *x, const void *y)
{
	const struct image_span *a = x, *b = y;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

/* Sorted, apart from each other, each with its place among the words. */
static void settle(struct search *s)
{
	uint64_t end = 0;
	size_t n = 0;

	if (s->table.n)
		qsort(s->table.v, s->table.n, sizeof(*s->table.v), by_vaddr);
	s->words = 0;
	for (size_t i = 0; i < s->table.n; i++) {
		struct image_span t = s->table.v[i];
		uint64_t off, avail;

		if (t.vaddr < end || image_off(s->b, t.vaddr, &off, &avail) || t.n * 8 > avail)
			continue;
		t.first = s->words;
		s->words += t.n;
		end = t.vaddr + t.n * 8;
		s->table.v[n++] = t;
	}
	s->table.n = n;
}

static bool in_file(const struct bin *b, uint64_t vaddr, uint64_t len, uint64_t *off)
{
	uint64_t avail;

	return !image_off(b, vaddr, off, &avail) && len <= avail;
}

/* Fills *out from one entry; an empty file's range is empty. False: it is none. */
static bool take_file(const struct bin *b, const uint64_t *w, struct part *out)
{
	uint64_t name, data;
	char last = 0;

	if (!w[1] || w[1] > NAME_MAX_LEN || !in_file(b, w[0], w[1], &name) ||
	    io_read(b->io, name + w[1] - 1, &last, 1) || !last)
		return false;
	if (w[3] && (last == '/' || !in_file(b, w[2], w[3], &data)))
		return false;
	*out = (struct part){ .start = w[2],
			      .end = w[2] + w[3],
			      .group = "go:embed",
			      .name_off = name,
			      .name_len = w[1] };
	return true;
}

/* All files of a table, or none of them. */
static int take_table(const struct bin *b, const struct image_span *t, const uint64_t *w,
		      part_vec *out)
{
	const size_t before = out->n;
	int r = 0;

	if (w[0] != t->vaddr + 8 * HEADER)
		return 0;
	for (size_t i = HEADER; i < t->n && !r; i += FILE_WORDS) {
		struct part x;

		if (!take_file(b, w + i, &x)) {
			out->n = before;
			return 0;
		}
		if (x.end > x.start)
			r = vec_push(out, x);
	}
	return r ? r
		 : vec_push(out, (struct part){ .start = t->vaddr,
						.end = t->vaddr + t->n * 8,
						.name = "tables of embedded files",
						.group = "go:embed" });
}

int embed_find(struct bin *b, part_vec *out)
{
	struct search s = { .b = b };
	_free_ uint64_t *w = NULL;
	int r = find_tables(&s);

	if (r != -ENOMEM)
		r = 0;
	settle(&s);
	if (!r && s.words) {
		w = malloc(s.words * sizeof(*w));
		io_allow(b->io, io_size(b->io));
		r = w ? image_words_many(b, s.table.v, s.table.n, w) : -ENOMEM;
		for (size_t i = 0; i < s.table.n && !r; i++)
			r = take_table(b, &s.table.v[i], w + s.table.v[i].first, out);
	}
	vec_free(&s.table);
	return r == -ENOMEM ? r : 0;
}
