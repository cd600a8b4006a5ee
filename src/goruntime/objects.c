/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects inside a span, from its bitmaps; see go_span_divide. */
#include "goruntime/goruntime.h"

#include "goruntime/rd.h"

enum {
	MAX_SLOTS = 8192,
	MAP_BYTES = MAX_SLOTS / 8,
	/* Green Tea: spanInlineMarkBits {scans [63]; owned; marks [63]; class} ends the page */
	INLINE_MARKS = GO_PAGE_SIZE - 64,
	INLINE_BYTES = 63,
	INLINE_MIN = 16,
	INLINE_MAX = 512, /* heapBitsInSpan: MinSizeForMallocHeader */
};

struct slots {
	uint8_t alloc[MAP_BYTES], live[MAP_BYTES];
};

static inline bool bit(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/* Bytes of [start, end) that lie in slot i. */
static uint64_t slot_overlap(const struct go_span *s, uint64_t i, uint64_t start, uint64_t end)
{
	uint64_t a = s->start + i * s->elemsize, z = a + s->elemsize;

	a = a > start ? a : start;
	z = z < end ? z : end;
	return z > a ? z - a : 0;
}

/* Set bits among [from, to). */
static uint64_t count_bits(const uint8_t *bits, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (; from < to && from % 8; from++)
		n += bit(bits, from);
	for (; from + 64 <= to; from += 64)
		n += __builtin_popcountll(load_u64(bits + from / 8));
	for (; from + 8 <= to; from += 8)
		n += __builtin_popcount(bits[from / 8]);
	for (; from < to; from++)
		n += bit(bits, from);
	return n;
}

/* Bytes of [start, end), which lies below the span's tail, in slots whose bit is set. */
static uint64_t bytes_in(const uint8_t *bits, const struct go_span *s, uint64_t start, uint64_t end)
{
	uint64_t first = (start - s->start) / s->elemsize;
	uint64_t last = (end - 1 - s->start) / s->elemsize, sum;

	if (first == last)
		return bit(bits, first) ? slot_overlap(s, first, start, end) : 0;
	sum = count_bits(bits, first + 1, last) * s->elemsize;
	if (bit(bits, first))
		sum += slot_overlap(s, first, start, end);
	if (bit(bits, last))
		sum += slot_overlap(s, last, start, end);
	return sum;
}

static void add_inline_marks(const struct go_runtime *rt, const struct go_span *s, size_t n,
			     uint8_t *marks)
{
	uint8_t imb[INLINE_BYTES + 1];

	if (!rt->inline_marks || s->elemsize < INLINE_MIN || s->elemsize > INLINE_MAX)
		return;
	/* the last byte repeats the span class: a check that this is what it seems */
	if (rd(rt, PASS_SPANS, s->start + INLINE_MARKS, imb, sizeof(imb)) ||
	    imb[INLINE_BYTES] != s->spanclass)
		return;
	for (size_t i = 0; i < n && i < INLINE_BYTES; i++)
		marks[i] |= imb[i];
}

static bool read_slots(const struct go_runtime *rt, const struct go_span *s, struct slots *b)
{
	size_t n = (s->nelems + 7) / 8, full = s->freeindex / 8;

	if (s->nelems > MAX_SLOTS || !s->allocbits || rd(rt, PASS_SPANS, s->allocbits, b->alloc, n))
		return false;
	if (s->unswept) {
		if (!s->markbits || rd(rt, PASS_SPANS, s->markbits, b->live, n))
			return false;
		add_inline_marks(rt, s, n, b->live);
	} else {
		memcpy(b->live, b->alloc, n);
	}
	memset(b->alloc, 0xff, full);
	if (s->freeindex % 8)
		b->alloc[full] |= (1 << s->freeindex % 8) - 1;
	for (size_t i = 0; i < n; i++)
		b->live[i] &= b->alloc[i];
	return true;
}

bool go_span_divide(const struct go_runtime *rt, const struct go_span *s, uint64_t start,
		    uint64_t end, uint64_t *live, uint64_t *dead)
{
	uint64_t limit = s->start + (uint64_t)s->nelems * s->elemsize;
	struct slots b;

	*live = *dead = 0;
	end = end < limit ? end : limit;
	if (start >= end)
		return true;
	if (read_slots(rt, s, &b)) {
		*live = bytes_in(b.live, s, start, end);
		*dead = bytes_in(b.alloc, s, start, end) - *live;
		return true;
	}
	limit = s->start + s->freeindex * s->elemsize;
	end = end < limit ? end : limit;
	*dead = start < end ? end - start : 0;
	return false;
}
