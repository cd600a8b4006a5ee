/* SPDX-License-Identifier: BSD-2-Clause */
/* One walk over resident ranges, mappings and claims: each byte is posted to its owner. */
#include <errno.h>

#include "model/ledger/builder.h"
#include "model/ledger/resolve.h"

/* A page that is being filled, to tell whether several categories share it. Whole pages of one
 * owner never come here, so the work is per piece, not per page. */
struct open_page {
	bool open, mixed; /* mixed: shared already within one claim */
	uint64_t index;
	uint64_t bytes[CAT_COUNT];
	unsigned int cats; /* how many bytes[] are not 0 */
};

struct sweep {
	const struct ledger_builder *b;
	struct ledger *l; /* b->l */
	const struct ledger_input *in;
	size_t at[LEVEL_COUNT]; /* per level: the first claim that ends above the position */
	struct open_page page;
	/* the piece in hand */
	const struct claim *claim; /* NULL: nobody's */
	uint32_t flags;		   /* LR_*, SWEEP_VIRTUAL */
	uint64_t left;		   /* bytes of it that are not posted yet */
	uint64_t cats;		   /* categories that got resident bytes: bit by number */
	uint64_t cat_bytes[CAT_COUNT];
};
_Static_assert(CAT_COUNT <= 64, "sweep.cats");

enum { SWEEP_VIRTUAL = 1 << 16 }; /* beside LR_* */

/* The owner of position p, and up to where (at most `limit`) it stays the owner. */
static const struct claim *owner_at(struct sweep *s, uint64_t p, uint64_t limit, uint64_t *until)
{
	*until = limit;
	for (int lv = LEVEL_COUNT - 1; lv >= 0; lv--) {
		const claim_vec *v = &s->b->claims[lv];
		const struct claim *c;

		while (s->at[lv] < v->n && v->v[s->at[lv]].end <= p)
			s->at[lv]++;
		if (s->at[lv] == v->n)
			continue;
		c = &v->v[s->at[lv]];
		if (c->start <= p) {
			if (c->end < *until)
				*until = c->end;
			return c;
		}
		if (c->start < *until)
			*until = c->start;
	}
	return NULL;
}

static void page_close(struct sweep *s)
{
	struct open_page *pg = &s->page;

	if (!pg->open)
		return;
	if (pg->cats > 1 || pg->mixed)
		for (int i = 0; i < CAT_COUNT; i++)
			s->l->cat[i].split += pg->bytes[i];
	*pg = (struct open_page){ 0 };
}

/* Notes that `bytes` bytes of the page are the category's; `mixed` ones are booked already. */
static void page_fill(struct sweep *s, uint64_t index, enum category cat, uint64_t bytes,
		      bool mixed)
{
	struct open_page *pg = &s->page;

	if (pg->open && pg->index != index)
		page_close(s);
	pg->open = true;
	pg->index = index;
	if (mixed) {
		pg->mixed = true;
		return;
	}
	pg->cats += !pg->bytes[cat];
	pg->bytes[cat] += bytes;
}

/* Books [start, end) of one category (or of several, when mixed) on the pages at its edges. */
static void page_piece(struct sweep *s, uint64_t start, uint64_t end, enum category cat, bool mixed)
{
	uint64_t ps = s->in->page_size, mask = ps - 1;
	uint64_t head = start & mask ? ps - (start & mask) : 0, tail = end & mask;

	if (!head && !tail)
		return;
	if (start / ps == (end - 1) / ps && end - start < ps) {
		page_fill(s, start / ps, cat, end - start, mixed);
		return;
	}
	if (head)
		page_fill(s, start / ps, cat, head, mixed);
	if (tail)
		page_fill(s, end / ps, cat, tail, mixed);
}

static void post(void *arg, uint32_t row, uint64_t bytes)
{
	struct sweep *s = arg;
	struct ledger *l = s->l;
	struct ledger_row *r;
	struct ledger_cat *c;

	if (bytes > s->left)
		bytes = s->left;
	if (!bytes || row >= l->rows.n)
		return;
	s->left -= bytes;
	r = &l->rows.v[row];
	c = &l->cat[r->cat];
	if (s->flags & SWEEP_VIRTUAL) {
		r->virtual_ += bytes;
		c->virtual_ += bytes;
	}
	if (s->flags & LR_SWAP) {
		r->swap += bytes;
		c->swap += bytes;
	}
	if (!(s->flags & LR_RESIDENT))
		return;
	r->resident += bytes;
	c->resident += bytes;
	s->cat_bytes[r->cat] += bytes;
	s->cats |= 1ULL << r->cat;
	if (s->flags & LR_HUGE) {
		r->huge += bytes;
		c->huge += bytes;
	}
	if (s->claim && s->claim->method == METHOD_ESTIMATED)
		c->estimated += bytes;
	if (s->claim && s->claim->method == METHOD_RUNTIME)
		c->runtime += bytes;
}

/* Posts [start, end), which has one owner, to its rows. */
static void sweep_piece(struct sweep *s, uint64_t start, uint64_t end)
{
	uint32_t row = s->claim ? s->claim->row : s->b->unknown_row;
	bool several;
	int cat = s->l->rows.v[row].cat;

	s->left = end - start;
	s->cats = 0;
	if (s->claim && s->claim->splitter && s->in->split)
		s->in->split(s->in->split_ctx, s->claim, start, end, s->flags & ~SWEEP_VIRTUAL,
			     post, s);
	post(s, row, s->left);
	if (!(s->flags & LR_RESIDENT))
		return;
	several = s->cats & (s->cats - 1);
	for (; s->cats; s->cats &= s->cats - 1) {
		cat = __builtin_ctzll(s->cats);
		if (several)
			s->l->cat[cat].split += s->cat_bytes[cat];
		s->cat_bytes[cat] = 0;
	}
	page_piece(s, start, end, cat, several);
}

static bool in_order(const struct range *r, size_t n)
{
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (r[i].start >= r[i].end)
			continue;
		if (r[i].start < last)
			return false;
		last = r[i].end;
	}
	return true;
}

/* The first range that ends above p, from r[i] on. */
static size_t skip_to(const struct range *r, size_t i, size_t n, uint64_t p)
{
	while (i < n && (r[i].end <= p || r[i].start >= r[i].end))
		i++;
	return i;
}

/* Whether p lies in *r; *until comes down to where that changes. r may be NULL. */
static bool inside(const struct range *r, uint64_t p, uint64_t *until)
{
	uint64_t edge = !r ? UINT64_MAX : r->start > p ? r->start : r->end;

	if (edge < *until)
		*until = edge;
	return r && r->start <= p;
}

/* Walks pages, mappings and claims together, all in order of address. */
static void sweep_ranges(struct sweep *s)
{
	const struct ledger_input *in = s->in;
	size_t i = 0, j = 0;

	for (uint64_t p = 0, until;; p = until) {
		i = skip_to(in->pages, i, in->npages, p);
		j = skip_to(in->vmas, j, in->nvmas, p);
		if (i == in->npages && j == in->nvmas)
			break;
		until = UINT64_MAX;
		s->flags = 0;
		if (inside(i < in->npages ? &in->pages[i] : NULL, p, &until))
			s->flags = in->pages[i].flags & (LR_RESIDENT | LR_SWAP | LR_HUGE);
		if (inside(j < in->nvmas ? &in->vmas[j] : NULL, p, &until))
			s->flags |= SWEEP_VIRTUAL;
		if (!s->flags)
			continue;
		s->claim = owner_at(s, p, until, &until);
		sweep_piece(s, p, until);
		if (s->flags & LR_RESIDENT)
			s->l->scanned += until - p;
	}
	page_close(s);
}

int ledger_sweep(struct ledger_builder *b, const struct ledger_input *in)
{
	struct ledger *l = b->l;
	struct sweep s = { .b = b, .l = l, .in = in };
	int rc;

	if (!in->page_size || in->page_size & (in->page_size - 1) ||
	    !in_order(in->pages, in->npages) || !in_order(in->vmas, in->nvmas))
		return -EINVAL;
	for (int lv = 0; lv < LEVEL_COUNT; lv++) {
		rc = claims_resolve(&b->claims[lv], &l->conflict);
		if (rc)
			return rc;
	}
	sweep_ranges(&s);
	l->unexplained = l->cat[CAT_UNKNOWN].resident;
	for (size_t i = 0; i < l->rows.n; i++)
		if (l->rows.v[i].unexplained && l->rows.v[i].cat != CAT_UNKNOWN)
			l->unexplained += l->rows.v[i].resident;
	return 0;
}
