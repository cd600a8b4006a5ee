/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/builder.h"

#include <errno.h>
#include <string.h>

int ledger_builder_init(struct ledger_builder *b, struct ledger *l)
{
	*b = (struct ledger_builder){ .l = l };
	*l = (struct ledger){ 0 };
	return ledger_row(b, CAT_UNKNOWN, ROW_ORIGIN, "not attributed by any rule",
			  &b->unknown_row);
}

void ledger_builder_free(struct ledger_builder *b)
{
	vec_free(&b->row_hash);
	for (int i = 0; i < LEVEL_COUNT; i++)
		vec_free(&b->claims[i]);
	*b = (struct ledger_builder){ 0 };
}

static uint64_t take(uint64_t *from, uint64_t n)
{
	n = n < *from ? n : *from;
	*from -= n;
	return n;
}

uint64_t ledger_move(struct ledger *l, uint32_t from, uint32_t to, uint64_t resident, uint64_t huge)
{
	struct ledger_row *a = &l->rows.v[from], *b = &l->rows.v[to];

	if (from == to || a->cat != b->cat)
		return 0;
	resident = take(&a->resident, resident);
	b->resident += resident;
	b->huge += take(&a->huge, huge < resident ? huge : resident);
	b->virtual_ += take(&a->virtual_, resident);
	return resident;
}

/* ---- rows */

/* The slot of that row, or the empty slot where it belongs. */
static uint32_t *row_slot(const struct ledger_builder *b, enum category cat,
			  const struct row_id *id)
{
	size_t mask = b->row_hash.n - 1;

	for (size_t i = (row_hash(id) + cat) & mask;; i = (i + 1) & mask) {
		uint32_t *s = &b->row_hash.v[i];
		const struct ledger_row *r = *s ? &b->l->rows.v[*s - 1] : NULL;

		if (!r || (r->cat == cat && !row_compare(&r->id, id)))
			return s;
	}
}

/* Keeps the table at most half full. */
static int row_hash_grow(struct ledger_builder *b)
{
	size_t n = b->row_hash.n ? b->row_hash.n * 2 : 64;

	if (b->l->rows.n + 1 <= b->row_hash.n / 2)
		return 0;
	if (vec_reserve(&b->row_hash, n))
		return -ENOMEM;
	b->row_hash.n = n;
	memset(b->row_hash.v, 0, n * sizeof(*b->row_hash.v));
	for (size_t i = 0; i < b->l->rows.n; i++) {
		const struct ledger_row *r = &b->l->rows.v[i];

		*row_slot(b, r->cat, &r->id) = i + 1;
	}
	return 0;
}

int ledger_row_of(struct ledger_builder *b, enum category cat, const struct row_id *id,
		  uint32_t *out)
{
	uint32_t *slot;

	if (row_hash_grow(b))
		return -ENOMEM;
	slot = row_slot(b, cat, id);
	if (!*slot) {
		if (ledger_add_row(b->l, cat, id, out))
			return -ENOMEM;
		*slot = *out + 1;
	}
	*out = *slot - 1;
	return 0;
}

int ledger_row(struct ledger_builder *b, enum category cat, enum row_kind kind, const char *label,
	       uint32_t *out)
{
	struct row_id id = row_labelled(kind, label);

	id.image = b->image;
	return ledger_row_of(b, cat, &id, out);
}

/* ---- claims */

int ledger_claim(struct ledger_builder *b, enum claim_level level, uint64_t start, uint64_t end,
		 uint32_t row, enum method method, uint32_t splitter)
{
	claim_vec *v;

	if (level >= LEVEL_COUNT || row >= b->l->rows.n || method >= METHOD_COUNT)
		return -EINVAL;
	if (start >= end)
		return 0;
	v = &b->claims[level];
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

uint32_t ledger_owner_to(const struct ledger_builder *b, uint64_t addr, uint64_t *end)
{
	*end = UINT64_MAX;
	for (int lv = LEVEL_COUNT - 1; lv >= 0; lv--) {
		const claim_vec *v = &b->claims[lv];
		size_t lo = 0, hi = v->n;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (v->v[mid].end > addr)
				hi = mid;
			else
				lo = mid + 1;
		}
		if (lo == v->n)
			continue;
		if (v->v[lo].start <= addr) {
			*end = v->v[lo].end < *end ? v->v[lo].end : *end;
			return v->v[lo].row;
		}
		*end = v->v[lo].start < *end ? v->v[lo].start : *end;
	}
	return b->unknown_row;
}

uint32_t ledger_owner(const struct ledger_builder *b, uint64_t addr)
{
	uint64_t end;

	return ledger_owner_to(b, addr, &end);
}
