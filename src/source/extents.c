/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/extents.h"

#include <stdbool.h>
#include <string.h>

void extents_free(struct extents *x)
{
	for (size_t i = 0; i < x->chunk.n; i++)
		free(x->chunk.v[i]);
	vec_free(&x->chunk);
}

struct extents_pos extents_lower(const struct extents *x, uint64_t addr)
{
	size_t lo = 0, hi = x->chunk.n;
	struct extents_pos p;

	while (lo < hi) { /* first chunk whose last extent ends above addr */
		size_t mid = lo + (hi - lo) / 2;
		const struct extents_chunk *c = x->chunk.v[mid];

		if (c->e[c->n - 1].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	p = (struct extents_pos){ .chunk = lo };
	if (lo == x->chunk.n)
		return p;
	hi = x->chunk.v[lo]->n;
	while (p.i < hi) {
		size_t mid = p.i + (hi - p.i) / 2;

		if (x->chunk.v[lo]->e[mid].end > addr)
			hi = mid;
		else
			p.i = mid + 1;
	}
	return p;
}

struct extent *extents_at(const struct extents *x, struct extents_pos p)
{
	return p.chunk < x->chunk.n ? &x->chunk.v[p.chunk]->e[p.i] : NULL;
}

struct extents_pos extents_next(const struct extents *x, struct extents_pos p)
{
	if (p.chunk < x->chunk.n && ++p.i == x->chunk.v[p.chunk]->n)
		p = (struct extents_pos){ .chunk = p.chunk + 1 };
	return p;
}

static bool joins(const struct extent *a, const struct extent *b)
{
	return a->end == b->start && a->state == b->state &&
	       (a->state || a->where + (a->end - a->start) == b->where);
}

/* A new chunk behind number i, with the upper part of i from `from` on. */
static int split(struct extents *x, size_t i, size_t from)
{
	struct extents_chunk *old = x->chunk.n ? x->chunk.v[i] : NULL, *c;

	if (vec_reserve(&x->chunk, x->chunk.n + 1))
		return -ENOMEM;
	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->n = 0;
	if (old) {
		c->n = old->n - from;
		memcpy(c->e, old->e + from, c->n * sizeof(*c->e));
		old->n = from;
		i++;
	}
	memmove(x->chunk.v + i + 1, x->chunk.v + i, (x->chunk.n - i) * sizeof(*x->chunk.v));
	x->chunk.v[i] = c;
	x->chunk.n++;
	return 0;
}

int extents_insert(struct extents *x, struct extent e)
{
	struct extents_pos p = extents_lower(x, e.start);
	struct extents_chunk *c;

	if (!x->chunk.n && split(x, 0, 0))
		return -ENOMEM;
	/* Behind the last of a chunk rather than before the first of the next: ascending
	 * insertions fill chunks up. */
	if (p.chunk == x->chunk.n || (!p.i && p.chunk))
		p = (struct extents_pos){ p.chunk ? p.chunk - 1 : 0, 0 };
	c = x->chunk.v[p.chunk];
	while (p.i < c->n && c->e[p.i].end <= e.start)
		p.i = c->e[c->n - 1].end <= e.start ? c->n : p.i + 1;
	if (p.i && joins(&c->e[p.i - 1], &e)) {
		c->e[p.i - 1].end = e.end;
		return 0;
	}
	if (c->n == EXTENTS_CHUNK) {
		size_t from = p.i == c->n ? c->n : c->n / 2;

		if (split(x, p.chunk, from))
			return -ENOMEM;
		if (p.i >= from) {
			p.chunk++;
			p.i -= from;
		}
		c = x->chunk.v[p.chunk];
	}
	memmove(c->e + p.i + 1, c->e + p.i, (c->n - p.i) * sizeof(*c->e));
	c->e[p.i] = e;
	c->n++;
	return 0;
}
