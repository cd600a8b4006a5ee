/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RSSCOPE_TEST_RANGES_H
#define RSSCOPE_TEST_RANGES_H

#include "base/range.h"

/* Bytes in the ranges that have all the bits of `mask` set. */
static inline uint64_t range_sum(const struct range *r, size_t n, uint32_t mask)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if ((r[i].flags & mask) == mask)
			sum += r[i].end - r[i].start;
	return sum;
}

#endif
