/* SPDX-License-Identifier: BSD-2-Clause */
/* FNV-1a: of what is kept, and of keys. Whether something moved between two reads a hash from 0
 * tells as well. */
#ifndef RSSCOPE_BASE_HASH_H
#define RSSCOPE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 14695981039346656037ULL

static inline uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211ULL;
	return h;
}

#endif
