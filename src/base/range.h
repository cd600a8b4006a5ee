/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Half-open address ranges [start, end) with flags. Readers return them sorted by start and
 * without overlap; `range_find` needs that.
 */
#ifndef RSSCOPE_BASE_RANGE_H
#define RSSCOPE_BASE_RANGE_H

#include <stdint.h>

#include "base/vec.h"

struct range {
	uint64_t start, end; /* bytes */
	uint32_t flags;	     /* meaning belongs to whoever made the range */
};

typedef VEC(struct range) range_vec;

/* Index of the range that holds addr, or -1. */
long range_find(const struct range *r, size_t n, uint64_t addr);

/* Index of the first range whose end lies above addr (n when none): where a sweep starts. */
size_t range_lower(const struct range *r, size_t n, uint64_t addr);

/* Sorts by start. */
void range_sort(struct range *r, size_t n);

/* Appends, merging with the last range when it touches it and has the same flags. 0 or -ENOMEM. */
int range_append(range_vec *v, uint64_t start, uint64_t end, uint32_t flags);

/* Sorts and merges what overlaps or touches; flags are lost. */
void range_unite(range_vec *v);

#endif
