/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects inside a span, from its bitmaps; see go_span_divide. */
#include "goruntime/objects.h"

#include "goruntime/rd.h"

enum {
	/* Green Tea: spanInlineMarkBits {scans [63]; owned; marks [63]; class} ends the page */
	INLINE_MARKS = GO_PAGE_SIZE - 64,
	INLINE_BYTES = 63,
	INLINE_MIN = 16,
	INLINE_MAX = 512, /* heapBitsInSpan: MinSizeForMallocHeader */
};

uint64_t go_slot_overlap(const struct go_span *s, uint64_t i, uint64_t start, uint64_t end)
{
	uint64_t a = s->start + i * s->elemsize, z = a + s->elemsize;

	a = a > start ? a : start;
	z = z < end ? z : end;
	return z > a ? z - a : 0;
}

/* The low n bits, n ≤ 63. */
static inline uint64_t low(uint64_t n)
{
	return (1ULL << n) - 1;
}

/* amd64's instruction is not in the base set, and the compiler's substitute is a call. */
static inline uint64_t popcount(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return x * 0x0101010101010101 >> 56;
}

uint64_t go_slots_count(const uint64_t *bits, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (uint64_t w = from / 64; w * 64 < to; w++) {
		uint64_t x = bits[w];

		if (w == from / 64)
			x &= ~low(from % 64);
		if (w == to / 64)
			x &= low(to % 64);
		n += popcount(x);
	}
	return n;
}

/* Slots whose bit is set: of the live, and all. */
static void count_slots(const struct go_slots *b, const struct go_span *s, uint64_t *live,
			uint64_t *alloc)
{
	*live = *alloc = 0;
	for (size_t w = 0; w * 64 < s->nelems; w++) {
		*live += popcount(b->live[w]);
		*alloc += popcount(b->alloc[w]);
	}
}

/* Bytes of [start, end), which lies below the span's tail, in slots whose bit is set. */
static uint64_t bytes_in(const uint64_t *bits, const struct go_span *s, uint64_t start,
			 uint64_t end)
{
	uint64_t first = (start - s->start) / s->elemsize;
	uint64_t last = (end - 1 - s->start) / s->elemsize, sum;

	if (first == last)
		return go_slot_has(bits, first) ? go_slot_overlap(s, first, start, end) : 0;
	sum = go_slots_count(bits, first + 1, last) * s->elemsize;
	if (go_slot_has(bits, first))
		sum += go_slot_overlap(s, first, start, end);
	if (go_slot_has(bits, last))
		sum += go_slot_overlap(s, last, start, end);
	return sum;
}

static void add_inline_marks(const struct go_runtime *rt, const struct go_span *s, size_t n,
			     uint64_t *marks)
{
	uint8_t imb[INLINE_BYTES + 1];

	if (!rt->inline_marks || s->elemsize < INLINE_MIN || s->elemsize > INLINE_MAX)
		return;
	/* the last byte repeats the span class: a check that this is what it seems */
	if (rd(rt, PASS_SPANS, s->start + INLINE_MARKS, imb, sizeof(imb)) ||
	    imb[INLINE_BYTES] != s->spanclass)
		return;
	for (size_t i = 0; i < n && i < INLINE_BYTES; i++)
		marks[i / 8] |= (uint64_t)imb[i] << i % 8 * 8;
}

static bool read_bits(const struct go_runtime *rt, uint64_t addr, size_t n, uint64_t *bits)
{
	bits[(n - 1) / 8] = 0;
	return addr && !rd(rt, PASS_SPANS, addr, bits, n);
}

bool go_slots_read(const struct go_runtime *rt, const struct go_span *s, struct go_slots *b)
{
	size_t n = (s->nelems + 7) / 8, words = (s->nelems + 63) / 64;

	if (s->nelems > GO_SLOTS_MAX || !read_bits(rt, s->allocbits, n, b->alloc))
		return false;
	if (s->unswept) {
		if (!read_bits(rt, s->markbits, n, b->live))
			return false;
		add_inline_marks(rt, s, n, b->live);
	} else {
		memcpy(b->live, b->alloc, words * 8);
	}
	for (size_t w = 0; w * 64 < s->freeindex; w++)
		b->alloc[w] |= s->freeindex / 64 > w ? ~0ULL : low(s->freeindex % 64);
	if (s->nelems % 64)
		b->alloc[words - 1] &= low(s->nelems % 64);
	for (size_t w = 0; w < words; w++)
		b->live[w] &= b->alloc[w];
	return true;
}

void go_slots_divide(const struct go_slots *b, const struct go_span *s, uint64_t start,
		     uint64_t end, uint64_t *live, uint64_t *dead, bool *odd)
{
	uint64_t limit = b ? go_span_limit(s) : s->start + s->freeindex * s->elemsize;
	uint64_t nlive, nalloc;

	*live = *dead = 0;
	if (odd)
		*odd = false;
	end = end < limit ? end : limit;
	if (start >= end)
		return;
	if (!b) {
		*dead = end - start;
		return;
	}
	count_slots(b, s, &nlive, &nalloc);
	if (odd)
		*odd = nalloc != s->alloccount;
	if (start == s->start && end == limit) {
		*live = nlive * s->elemsize;
		*dead = (nalloc - nlive) * s->elemsize;
		return;
	}
	*live = bytes_in(b->live, s, start, end);
	*dead = bytes_in(b->alloc, s, start, end) - *live;
}

bool go_span_divide(const struct go_runtime *rt, const struct go_span *s, uint64_t start,
		    uint64_t end, uint64_t *live, uint64_t *dead, bool *odd)
{
	bool any = start < end && start < go_span_limit(s), known;
	struct go_slots b;

	known = !any || go_slots_read(rt, s, &b);
	go_slots_divide(known ? &b : NULL, s, start, any ? end : start, live, dead, odd);
	return known;
}
