/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why memory that the Go runtime gave back is resident all the same: it was given back with
 * MADV_FREE, which the kernel makes use of when it needs memory; it lies in a huge page, which came
 * back whole when some of it was used again; or something else.
 */
#include "collect/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/smaps.h"

enum {
	WORTH = 1 << 20, /* bytes: below it is not asked */
	FRAMES_MAX =
		16 << 20, /* asked frame by frame, at 0.4 us; above, smaps takes a tenth of it */
};

/* A runtime's released pages that are resident. */
struct released {
	range_vec huge, rest;
	uint64_t lazy_huge, lazy_rest; /* bytes of them that are lazily freed */
	bool estimated;		       /* at most so many */
};

static void released_free(struct released *x)
{
	vec_free(&x->huge);
	vec_free(&x->rest);
}

static int find_resident(const struct look *k, const struct look_go *g, struct released *x)
{
	const claim_vec *claims = &k->ledger.claims[LEVEL_PAGES];
	int r = 0;

	for (size_t i = 0; i < claims->n && !r; i++) {
		const struct claim *c = &claims->v[i];

		if (c->row != g->released_row)
			continue;
		for (size_t p = range_lower(k->pages.v, k->pages.n, c->start);
		     p < k->pages.n && k->pages.v[p].start < c->end && !r; p++) {
			const struct range *q = &k->pages.v[p];

			if (!(q->flags & PAGE_PRESENT) || (q->flags & (PAGE_ZERO | PAGE_FILE)))
				continue;
			r = range_append(q->flags & PAGE_HUGE ? &x->huge : &x->rest,
					 q->start > c->start ? q->start : c->start,
					 q->end < c->end ? q->end : c->end, 0);
		}
	}
	return r;
}

static uint64_t bytes_within(const range_vec *v, const struct smaps_walk *m)
{
	uint64_t sum = 0;

	for (size_t i = range_lower(v->v, v->n, m->start); i < v->n && v->v[i].start < m->end; i++)
		sum += (v->v[i].end < m->end ? v->v[i].end : m->end) -
		       (v->v[i].start > m->start ? v->v[i].start : m->start);
	return sum;
}

/* The kernel tells it of whole mappings, in which other memory may be lazily freed, too. */
static int estimate(struct look *k, struct released *x)
{
	struct smaps_walk m = { 0 };
	_text_ struct text t = { 0 };
	int r = memsrc_text(k->m, "proc/smaps", 0, &t);

	if (r)
		return r;
	m.next = t.p;
	m.last = t.p + t.n;
	while (smaps_next(&m, "LazyFree:")) {
		uint64_t lazy = smaps_bytes(&m), rest, huge;

		rest = lazy ? bytes_within(&x->rest, &m) : 0;
		huge = lazy ? bytes_within(&x->huge, &m) : 0;
		rest = rest < lazy ? rest : lazy;
		x->lazy_rest += rest;
		x->lazy_huge += huge < lazy - rest ? huge : lazy - rest;
	}
	x->estimated = x->lazy_rest || x->lazy_huge;
	return 0;
}

static int by_frames(struct look *k, const struct look_go *g, struct released *x)
{
	char name[48];
	int r;

	snprintf(name, sizeof(name), "released_lazyfree.%zu", g->index);
	r = memsrc_lazyfree(k->m, name, x->rest.v, x->rest.n, &x->lazy_rest);
	snprintf(name, sizeof(name), "released_lazyfree_huge.%zu", g->index);
	if (!r)
		r = memsrc_lazyfree(k->m, name, x->huge.v, x->huge.n, &x->lazy_huge);
	if (r)
		x->lazy_rest = x->lazy_huge = 0;
	return r;
}

/* By page frame where these are shown and few, else by mapping. */
static int find_lazy(struct look *k, const struct look_go *g, struct released *x)
{
	int r = -ENOTSUP;

	if (k->r->ledger.rows.v[g->released_row].resident <= FRAMES_MAX)
		r = by_frames(k, g, x);
	if (!r || r == -ENOMEM)
		return r;
	r = estimate(k, x);
	if (!r || r == -ENOMEM)
		return r;
	return report_missing(k->r, "ledger[go/heap/released].rows[lazily freed]",
			      "CAP_SYS_ADMIN, or smaps",
			      "cannot tell which pages are lazily freed (MADV_FREE)");
}

static int divide(struct look *k, const struct look_go *g, const struct released *x)
{
	struct ledger *l = &k->r->ledger;
	uint32_t lazy, huge, other, from = g->released_row;
	uint64_t moved;
	int r;

	k->ledger.image = k->ngo > 1 ? look_go_image(k, g) : NULL;
	r = ledger_row(&k->ledger, CAT_GO_HEAP_RELEASED, ROW_TYPE, ROW_LAZILY_FREED, &lazy);
	if (!r)
		r = ledger_row(&k->ledger, CAT_GO_HEAP_RELEASED, ROW_TYPE, "huge pages", &huge);
	if (!r)
		r = ledger_row(&k->ledger, CAT_GO_HEAP_RELEASED, ROW_TYPE, "other", &other);
	k->ledger.image = NULL;
	if (r)
		return r;
	moved = ledger_move(l, from, lazy, x->lazy_huge, x->lazy_huge);
	moved += ledger_move(l, from, lazy, x->lazy_rest, 0);
	ledger_move(l, from, huge, l->rows.v[from].huge, l->rows.v[from].huge);
	ledger_move(l, from, other, l->rows.v[from].resident, 0);
	if (x->estimated)
		l->cat[CAT_GO_HEAP_RELEASED].estimated += moved;
	return 0;
}

int look_released(struct look *k)
{
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++) {
		const struct look_go *g = &k->go[i];
		struct released x = { 0 };

		if (k->r->ledger.rows.v[g->released_row].resident < WORTH)
			continue;
		r = find_resident(k, g, &x);
		if (!r)
			r = find_lazy(k, g, &x);
		if (!r)
			r = divide(k, g, &x);
		released_free(&x);
	}
	return r;
}
