/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/owned.h"

struct walk {
	const struct ledger_builder *b;
	const struct collect_swept *s;
	enum category first, last;
	size_t page, vma; /* the first that ends above the position */
	range_vec *out;
};

static bool is_ours(const struct walk *w, uint32_t row)
{
	return w->b->l->rows.v[row].cat >= w->first && w->b->l->rows.v[row].cat <= w->last;
}

/* The flags of the range that p lies in, 0: in none; *until comes down to where that changes. */
static uint32_t flags_at(const range_vec *v, size_t *i, uint64_t p, uint64_t *until)
{
	uint64_t edge;

	while (*i < v->n && v->v[*i].end <= p)
		(*i)++;
	if (*i == v->n)
		return 0;
	edge = v->v[*i].start > p ? v->v[*i].start : v->v[*i].end;
	*until = edge < *until ? edge : *until;
	return v->v[*i].start <= p ? v->v[*i].flags : 0;
}

/* Where claims of ours are: whoever owns the bytes in the end. */
static int find_claims(const struct walk *w, range_vec *out)
{
	int r = 0;

	for (int lv = 0; lv < LEVEL_COUNT && !r; lv++)
		for (size_t i = 0; i < w->b->claims[lv].n && !r; i++) {
			const struct claim *c = &w->b->claims[lv].v[i];

			if (is_ours(w, c->row))
				r = vec_push(out, (struct range){ c->start, c->end, 0 });
		}
	range_unite(out);
	return r;
}

static int walk_claim(struct walk *w, const struct range *c)
{
	uint64_t until;
	int r = 0;

	for (uint64_t p = c->start; p < c->end && !r; p = until) {
		uint32_t row = ledger_owner_to(w->b, p, &until), flags;

		until = until < c->end ? until : c->end;
		flags = flags_at(&w->s->pages, &w->page, p, &until) & LR_RESIDENT ? OWNED_RESIDENT
										  : 0;
		if (flags_at(&w->s->vmas, &w->vma, p, &until))
			flags |= OWNED_MAPPED;
		if (flags && is_ours(w, row))
			r = range_append(w->out, p, until, flags | w->b->l->rows.v[row].cat);
	}
	return r;
}

int owned_ranges(const struct ledger_builder *b, const struct collect_swept *s, enum category first,
		 enum category last, range_vec *out)
{
	struct walk w = { .b = b, .s = s, .first = first, .last = last, .out = out };
	range_vec claims = { 0 };
	int r = find_claims(&w, &claims);

	for (size_t i = 0; i < claims.n && !r; i++)
		r = walk_claim(&w, &claims.v[i]);
	vec_free(&claims);
	return r;
}
