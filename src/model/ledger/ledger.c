/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/ledger/resolve.h"

const char *method_name(enum method m)
{
	static const char *const name[] = { "measured", "split", "runtime", "estimated" };

	return name[m];
}

const char *row_kind_name(enum row_kind k)
{
	static const char *const name[] = { "file", "thread", "arena", "origin", "type" };

	return name[k];
}

int ledger_init(struct ledger *l)
{
	*l = (struct ledger){ 0 };
	return ledger_row(l, CAT_UNKNOWN, ROW_ORIGIN, "no rule claims it", &l->unknown_row);
}

void ledger_free(struct ledger *l)
{
	for (size_t i = 0; i < l->rows.n; i++)
		free(l->rows.v[i].name);
	vec_free(&l->rows);
	vec_free(&l->row_hash);
	for (int i = 0; i < LEVEL_COUNT; i++)
		vec_free(&l->claims[i]);
}

/* ---- rows */

static uint64_t row_hash(enum category cat, enum row_kind kind, const char *name)
{
	uint64_t h = 14695981039346656037u ^ ((uint64_t)cat << 8 | kind); /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h ^ h >> 32;
}

/* The slot of that row, or the empty slot where it belongs. */
static uint32_t *row_slot(const struct ledger *l, enum category cat, enum row_kind kind,
			  const char *name)
{
	size_t mask = l->row_hash.n - 1;

	for (size_t i = row_hash(cat, kind, name) & mask;; i = (i + 1) & mask) {
		uint32_t *s = &l->row_hash.v[i];
		const struct ledger_row *r = *s ? &l->rows.v[*s - 1] : NULL;

		if (!r || (r->cat == cat && r->kind == kind && !strcmp(r->name, name)))
			return s;
	}
}

/* Keeps the table at most half full. */
static int row_hash_grow(struct ledger *l)
{
	size_t n = l->row_hash.n ? l->row_hash.n * 2 : 64;

	if (l->rows.n + 1 <= l->row_hash.n / 2)
		return 0;
	if (vec_reserve(&l->row_hash, n))
		return -ENOMEM;
	l->row_hash.n = n;
	memset(l->row_hash.v, 0, n * sizeof(*l->row_hash.v));
	for (size_t i = 0; i < l->rows.n; i++) {
		const struct ledger_row *r = &l->rows.v[i];

		*row_slot(l, r->cat, r->kind, r->name) = i + 1;
	}
	return 0;
}

int ledger_row(struct ledger *l, enum category cat, enum row_kind kind, const char *name,
	       uint32_t *out)
{
	struct ledger_row row = { .cat = cat, .kind = kind };
	uint32_t *slot;

	if (row_hash_grow(l))
		return -ENOMEM;
	slot = row_slot(l, cat, kind, name);
	if (!*slot) {
		row.name = strdup(name);
		if (!row.name || vec_push(&l->rows, row)) {
			free(row.name);
			return -ENOMEM;
		}
		*slot = l->rows.n;
	}
	*out = *slot - 1;
	return 0;
}

/* ---- claims */

int ledger_claim(struct ledger *l, enum claim_level level, uint64_t start, uint64_t end,
		 uint32_t row, enum method method, uint32_t splitter)
{
	claim_vec *v;

	if (level >= LEVEL_COUNT || row >= l->rows.n || method >= METHOD_COUNT)
		return -EINVAL;
	if (start >= end)
		return 0;
	v = &l->claims[level];
	if (v->n) {
		struct claim *last = &v->v[v->n - 1];

		if (last->end == start && last->row == row && last->method == method &&
		    !last->splitter && !splitter) {
			last->end = end;
			return 0;
		}
	}
	return vec_push(v, (struct claim){ .start = start,
					   .end = end,
					   .row = row,
					   .level = level,
					   .method = method,
					   .splitter = splitter,
					   .seq = v->n });
}

uint32_t ledger_owner(const struct ledger *l, uint64_t addr)
{
	for (int lv = LEVEL_COUNT - 1; lv >= 0; lv--) {
		const claim_vec *v = &l->claims[lv];
		size_t lo = 0, hi = v->n;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (v->v[mid].end > addr)
				hi = mid;
			else
				lo = mid + 1;
		}
		if (lo < v->n && v->v[lo].start <= addr)
			return v->v[lo].row;
	}
	return l->unknown_row;
}

/* ---- the sweep */

/* A page that is being filled, to tell whether several categories share it. Whole pages of one
 * owner never come here, so the work is per piece, not per page. */
struct open_page {
	bool open, mixed; /* mixed: shared already within one claim */
	uint64_t index;
	uint64_t bytes[CAT_COUNT];
	unsigned int cats; /* how many bytes[] are not 0 */
};

struct sweep {
	struct ledger *l;
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
		const claim_vec *v = &s->l->claims[lv];
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
	uint32_t row = s->claim ? s->claim->row : s->l->unknown_row;
	bool several;
	int cat = s->l->rows.v[row].cat;

	s->left = end - start;
	s->cats = 0;
	if (s->claim && s->claim->splitter && s->in->split)
		s->in->split(s->in->split_ctx, s->claim, start, end, post, s);
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

int ledger_sweep(struct ledger *l, const struct ledger_input *in)
{
	struct sweep s = { .l = l, .in = in };
	int rc;

	if (!in->page_size || in->page_size & (in->page_size - 1) ||
	    !in_order(in->pages, in->npages) || !in_order(in->vmas, in->nvmas))
		return -EINVAL;
	for (int lv = 0; lv < LEVEL_COUNT; lv++) {
		rc = claims_resolve(&l->claims[lv], &l->conflict);
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

/* ---- after the sweep */

enum method ledger_cat_method(const struct ledger_cat *c)
{
	if (c->estimated)
		return METHOD_ESTIMATED;
	if (c->runtime)
		return METHOD_RUNTIME;
	return c->split ? METHOD_SPLIT : METHOD_MEASURED;
}

static int by_size(const void *a, const void *b, void *arg)
{
	const struct ledger *l = arg;
	const struct ledger_row *x = &l->rows.v[*(const uint32_t *)a];
	const struct ledger_row *y = &l->rows.v[*(const uint32_t *)b];
	int d;

	if (x->cat != y->cat)
		return x->cat < y->cat ? -1 : 1;
	if (x->resident != y->resident)
		return x->resident > y->resident ? -1 : 1;
	if (x->virtual_ != y->virtual_)
		return x->virtual_ > y->virtual_ ? -1 : 1;
	d = strcmp(x->name, y->name);
	return d ? d : (x->kind > y->kind) - (x->kind < y->kind);
}

void ledger_order(const struct ledger *l, uint32_t *idx)
{
	for (size_t i = 0; i < l->rows.n; i++)
		idx[i] = i;
	if (l->rows.n)
		qsort_r(idx, l->rows.n, sizeof(*idx), by_size, (void *)l);
}
