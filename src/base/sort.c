/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sort.h"

#include <string.h>

uint64_t *sort_keys(uint64_t *from, uint64_t *tmp, size_t n, unsigned int low, uint64_t max)
{
	enum { DIGIT = 11, BUCKETS = 1 << DIGIT };
	size_t count[BUCKETS];

	for (unsigned int done = 0; done < 64 - low && max >> done; done += DIGIT) {
		unsigned int shift = low + done;
		uint64_t *t = from;
		size_t at = 0;

		memset(count, 0, sizeof(count));
		for (size_t i = 0; i < n; i++)
			count[from[i] >> shift & (BUCKETS - 1)]++;
		for (size_t i = 0; i < BUCKETS; i++) {
			size_t c = count[i];

			count[i] = at;
			at += c;
		}
		for (size_t i = 0; i < n; i++)
			tmp[count[from[i] >> shift & (BUCKETS - 1)]++] = from[i];
		from = tmp;
		tmp = t;
	}
	return from;
}
