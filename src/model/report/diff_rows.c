/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/diff_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- sizes */

static void add(struct delta *d, bool is_b, uint64_t bytes)
{
	d->has_a = d->has_b = true;
	*(is_b ? &d->b : &d->a) += bytes;
}

void sizes_add(struct delta_sizes *s, bool is_b, uint64_t resident, uint64_t virtual_,
	       uint64_t swap, uint64_t huge)
{
	add(&s->resident, is_b, resident);
	add(&s->virtual_, is_b, virtual_);
	add(&s->swap, is_b, swap);
	add(&s->huge, is_b, huge);
}

static void sizes_join(struct delta_sizes *s, const struct delta_sizes *o)
{
	sizes_add(s, false, o->resident.a, o->virtual_.a, o->swap.a, o->huge.a);
	sizes_add(s, true, o->resident.b, o->virtual_.b, o->swap.b, o->huge.b);
}

bool sizes_empty(const struct delta_sizes *s)
{
	return !(s->resident.a | s->resident.b | s->virtual_.a | s->virtual_.b | s->swap.a |
		 s->swap.b);
}

static int larger_first(uint64_t x, uint64_t y)
{
	return (x < y) - (x > y);
}

static uint64_t most(const struct delta *d)
{
	return d->a > d->b ? d->a : d->b;
}

int sizes_compare(const struct delta_sizes *x, const struct delta_sizes *y)
{
	int c = larger_first(delta_size(&x->resident), delta_size(&y->resident));

	if (!c)
		c = larger_first(delta_size(&x->virtual_), delta_size(&y->virtual_));
	if (!c)
		c = larger_first(most(&x->resident), most(&y->resident));
	return c ? c : larger_first(most(&x->virtual_), most(&y->virtual_));
}

/* ---- what a row is for comparing */

struct entry {
	struct diff_row row;
	uint64_t start, end; /* of a mapping without a name; both 0: it is none */
	bool is_b;	     /* one side of it, until it is joined with the other */
	bool paired;	     /* it has both sides */
};
typedef VEC(struct entry) entry_vec;

/* The row as it is in one process, or as one with those of its sort. */
static int name_entry(struct entry *e, const struct ledger_row *row, bool one_process)
{
	_text_ struct text bare = { 0 };
	struct text name = { 0 };
	int rc;

	e->row.id = row->id;
	rc = one_process ? row_name(&row->id, &bare) : row_name_of_all(&row->id, &bare);
	if (!rc)
		rc = row_name_with_image(&row->id, bare.p, &name);
	if (rc) {
		text_free(&name);
		return rc;
	}
	e->row.name = name.p;
	if (!one_process) {
		e->row.id = row_labelled(row->id.kind, name.p);
	} else if (row_is_mapping(&row->id)) {
		e->start = row->id.start;
		e->end = row->id.end;
	}
	return 0;
}

static int add_entry(entry_vec *v, const struct diff *d, const struct ledger_row *row,
		     const enum category *as, bool is_b)
{
	struct entry e = { .row = { .cat = as[row->cat], .unexplained = row->unexplained },
			   .is_b = is_b };

	sizes_add(&e.row.s, is_b, row->resident, row->virtual_, row->swap, row->huge);
	if (sizes_empty(&e.row.s))
		return 0;
	if (!name_entry(&e, row, d->process == DIFF_SAME) && !vec_push(v, e))
		return 0;
	free(e.row.name);
	return -ENOMEM;
}

/* ---- pairs */

static int by_kind(const struct entry *x, const struct entry *y)
{
	if (x->row.cat != y->row.cat)
		return x->row.cat < y->row.cat ? -1 : 1;
	return (x->row.id.kind > y->row.id.kind) - (x->row.id.kind < y->row.id.kind);
}

/* A thread stays the same one when it gives itself another name. */
static int compare_ids(const struct entry *x, const struct entry *y)
{
	struct row_id a = x->row.id, b = y->row.id;

	if (a.tid && a.tid == b.tid)
		a.label = b.label = NULL;
	return row_compare(&a, &b);
}

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_kind(x, y);

	if (!c)
		c = compare_ids(x, y);
	return c ? c : x->is_b - y->is_b;
}

static bool same_id(const struct entry *x, const struct entry *y)
{
	return !by_kind(x, y) && !compare_ids(x, y);
}

static int by_start(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_kind(x, y);

	if (!c)
		c = x->paired - y->paired;
	if (!c)
		c = (x->start > y->start) - (x->start < y->start);
	return c ? c : x->is_b - y->is_b;
}

static bool same_start(const struct entry *x, const struct entry *y)
{
	return !by_kind(x, y) && !x->paired && !y->paired && x->start && x->start == y->start;
}

static int by_end(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_kind(x, y);

	if (!c)
		c = x->paired - y->paired;
	if (!c)
		c = (x->end > y->end) - (x->end < y->end);
	return c ? c : x->is_b - y->is_b;
}

static bool same_end(const struct entry *x, const struct entry *y)
{
	return !by_kind(x, y) && !x->paired && !y->paired && x->end && x->end == y->end;
}

/* For a report of before rows had ids: all that it says of one is in its name. */
static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = by_kind(x, y);

	if (!c)
		c = x->paired - y->paired;
	if (!c)
		c = strcmp(x->row.name, y->row.name);
	return c ? c : x->is_b - y->is_b;
}

static bool same_name(const struct entry *x, const struct entry *y)
{
	return !by_kind(x, y) && !x->paired && !y->paired && !strcmp(x->row.name, y->row.name);
}

/* Puts one into the other. What B calls it, which is newer, stays. */
static void join_two(struct entry *into, struct entry *from)
{
	struct entry *old = into->is_b ? from : into;
	char *name = into->is_b ? into->row.name : from->row.name;
	struct row_id id = into->is_b ? into->row.id : from->row.id;

	sizes_join(&into->row.s, &from->row.s);
	into->row.unexplained |= from->row.unexplained;
	free(old->row.name);
	into->row.name = name;
	into->row.id = id;
}

/* Joins all that are one. */
static void join_ids(entry_vec *v)
{
	size_t n = 0;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_id);
	for (size_t i = 0; i < v->n; i++) {
		if (n && same_id(&v->v[n - 1], &v->v[i]))
			join_two(&v->v[n - 1], &v->v[i]);
		else
			v->v[n++] = v->v[i];
	}
	v->n = n;
}

/* Joins one of A with one of B, where there is just one of each that is the same by that. */
static void join_pairs(entry_vec *v, int (*order)(const void *, const void *),
		       bool (*same)(const struct entry *, const struct entry *))
{
	size_t n = 0, size;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), order);
	for (size_t i = 0; i < v->n; i += size) {
		for (size = 1; i + size < v->n && same(&v->v[i], &v->v[i + size]); size++)
			;
		if (size == 2 && v->v[i].is_b != v->v[i + 1].is_b) {
			join_two(&v->v[i], &v->v[i + 1]);
			v->v[i].paired = true;
			v->v[n++] = v->v[i];
			continue;
		}
		for (size_t k = 0; k < size; k++)
			v->v[n++] = v->v[i + k];
	}
	v->n = n;
}

static void mark_pairs(entry_vec *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct delta_sizes *s = &v->v[i].row.s;
		bool a = s->resident.a | s->virtual_.a | s->swap.a;
		bool b = s->resident.b | s->virtual_.b | s->swap.b;

		v->v[i].paired = a && b;
	}
}

static int by_change(const void *a, const void *b)
{
	const struct diff_row *x = a, *y = b;
	int c;

	if (x->cat != y->cat)
		return x->cat < y->cat ? -1 : 1;
	c = sizes_compare(&x->s, &y->s);
	return c ? c : strcmp(x->name, y->name);
}

int diff_rows_make(struct diff *d, const enum category as[CAT_COUNT])
{
	entry_vec v = { 0 };
	int rc = 0;

	for (int is_b = 0; is_b < 2; is_b++) {
		const struct ledger *l = is_b ? &d->b->ledger : &d->a->ledger;

		for (size_t i = 0; i < l->rows.n && !rc; i++)
			rc = add_entry(&v, d, &l->rows.v[i], as, is_b);
	}
	join_ids(&v);
	mark_pairs(&v);
	join_pairs(&v, by_start, same_start);
	join_pairs(&v, by_end, same_end);
	join_pairs(&v, by_name, same_name);
	for (size_t i = 0; i < v.n; i++) {
		if (!rc)
			rc = vec_push(&d->rows, v.v[i].row);
		if (rc)
			free(v.v[i].row.name);
	}
	vec_free(&v);
	if (d->rows.n)
		qsort(d->rows.v, d->rows.n, sizeof(*d->rows.v), by_change);
	return rc;
}
