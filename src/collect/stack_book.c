/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/stack_book.h"

#include <errno.h>
#include <string.h>

#define UNITS_MAX (1ULL << 29) /* a tebibyte */

/* ---- the spans and their pages */

static int add_spans(struct stack_book *b, const struct go_heap *h)
{
	for (size_t i = 0; i < h->spans.n; i++) {
		const struct go_span *s = &h->spans.v[i];
		struct stack_span x = { .start = s->start,
					.end = s->start + (uint64_t)s->npages * GO_PAGE_SIZE,
					.first = b->units };

		if (s->kind != GO_SPAN_STACK)
			continue;
		b->units += (x.end - x.start) / STACK_UNIT;
		if (b->units > UNITS_MAX)
			return -E2BIG;
		if (vec_push(&b->spans, x))
			return -ENOMEM;
	}
	return 0;
}

static int read_pages(struct memsrc *m, struct stack_book *b)
{
	range_vec all = { 0 };
	int r = b->spans.n ? memsrc_pages(m, 0, b->spans.v[0].start, b->spans.v[b->spans.n - 1].end,
					  &all)
			   : 0;

	for (size_t i = 0; i < all.n && !r; i++)
		if ((all.v[i].flags & (PAGE_PRESENT | PAGE_ZERO)) == PAGE_PRESENT)
			r = range_append(&b->pages, all.v[i].start, all.v[i].end, 0);
	vec_free(&all);
	return r;
}

int stack_book_open(struct memsrc *m, const struct go_heap *h, struct stack_book *out)
{
	size_t words;
	int r;

	*out = (struct stack_book){ 0 };
	r = add_spans(out, h);
	if (!r)
		r = read_pages(m, out);
	if (r)
		return r;
	words = out->units / 64 + 1;
	if (vec_reserve(&out->taken, words))
		return -ENOMEM;
	memset(out->taken.v, 0, words * sizeof(*out->taken.v));
	out->taken.n = words;
	return 0;
}

void stack_book_free(struct stack_book *b)
{
	vec_free(&b->spans);
	vec_free(&b->pages);
	vec_free(&b->taken);
	*b = (struct stack_book){ 0 };
}

/* ---- bytes */

static uint64_t resident_in(const struct stack_book *b, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = range_lower(b->pages.v, b->pages.n, start);
	     i < b->pages.n && b->pages.v[i].start < end; i++) {
		uint64_t a = b->pages.v[i].start > start ? b->pages.v[i].start : start;
		uint64_t z = b->pages.v[i].end < end ? b->pages.v[i].end : end;

		sum += z - a;
	}
	return sum;
}

static void add_range(const struct stack_book *b, uint64_t start, uint64_t end,
		      struct stack_bytes *out)
{
	if (start == end)
		return;
	out->reserved += end - start;
	out->resident += resident_in(b, start, end);
}

static const struct stack_span *span_at(const struct stack_book *b, uint64_t addr)
{
	size_t lo = 0, hi = b->spans.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->spans.v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->spans.n && b->spans.v[lo].start <= addr ? &b->spans.v[lo] : NULL;
}

/* True when it was free. */
static bool set(struct stack_book *b, uint64_t unit)
{
	uint64_t bit = 1ULL << unit % 64, was = b->taken.v[unit / 64] & bit;

	b->taken.v[unit / 64] |= bit;
	return !was;
}

bool stack_book_take(struct stack_book *b, uint64_t lo, uint64_t hi, struct stack_bytes *out)
{
	const struct stack_span *s = span_at(b, lo);
	uint64_t from = lo;

	*out = (struct stack_bytes){ 0 };
	if (!s || hi > s->end || hi <= lo || (lo - s->start) % STACK_UNIT || (hi - lo) % STACK_UNIT)
		return false;
	for (uint64_t at = lo; at < hi; at += STACK_UNIT)
		if (!set(b, s->first + (at - s->start) / STACK_UNIT)) {
			add_range(b, from, at, out);
			from = at + STACK_UNIT;
		}
	add_range(b, from, hi, out);
	return out->reserved;
}

void stack_book_rest(const struct stack_book *b, struct stack_bytes *out)
{
	*out = (struct stack_bytes){ 0 };
	for (size_t i = 0; i < b->spans.n; i++) {
		const struct stack_span *s = &b->spans.v[i];
		uint64_t from = s->start;

		for (uint64_t at = s->start, u = s->first; at < s->end; at += STACK_UNIT, u++)
			if (b->taken.v[u / 64] >> u % 64 & 1) {
				add_range(b, from, at, out);
				from = at + STACK_UNIT;
			}
		add_range(b, from, s->end, out);
	}
}
