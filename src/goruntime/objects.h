/* SPDX-License-Identifier: BSD-2-Clause */
/* The objects of one span, a bit each: the one rule for which of them are live. */
#ifndef RSSCOPE_GORUNTIME_OBJECTS_H
#define RSSCOPE_GORUNTIME_OBJECTS_H

#include "goruntime/goruntime.h"

enum { GO_SLOTS_MAX = 8192, GO_SLOTS_WORDS = GO_SLOTS_MAX / 64 };

/* A bit a slot; those above the last slot are 0. live: of the allocated ones, those that the last
 * completed cycle marked; see go_span_divide. Words behind the last slot's are not set. */
struct go_slots {
	uint64_t alloc[GO_SLOTS_WORDS], live[GO_SLOTS_WORDS];
};

/* Where the last slot ends: an address; below it there are no bytes of a span without objects. */
static inline uint64_t go_span_limit(const struct go_span *s)
{
	return s->start + (uint64_t)s->nelems * s->elemsize;
}

/* Reads the bitmaps (PASS_SPANS, present pages only); false when they can't be read. */
bool go_slots_read(const struct go_runtime *rt, const struct go_span *s, struct go_slots *out);

/* As go_span_divide, of bits that were read; b NULL: they could not be. */
void go_slots_divide(const struct go_slots *b, const struct go_span *s, uint64_t start,
		     uint64_t end, uint64_t *live, uint64_t *dead, bool *odd);

/* Set bits among [from, to), to ≤ GO_SLOTS_MAX. */
uint64_t go_slots_count(const uint64_t *bits, uint64_t from, uint64_t to);

/* Bytes of [start, end) that lie in slot i. */
uint64_t go_slot_overlap(const struct go_span *s, uint64_t i, uint64_t start, uint64_t end);

static inline bool go_slot_has(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

#endif
