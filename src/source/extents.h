/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sorted set of address ranges that grows in any order: what a capture has recorded of one pass.
 * Internal to src/source. Insertion and lookup take O(log n) plus a move within one small chunk.
 */
#ifndef RSSCOPE_SOURCE_EXTENTS_H
#define RSSCOPE_SOURCE_EXTENTS_H

#include <stdint.h>

#include "base/vec.h"

struct extent {
	uint64_t start, end;
	uint64_t where : 62; /* of the first byte's copy; touching extents with touching copies
			      * become one */
	uint64_t state : 2;  /* 0: data; else enum hole, and `where` means nothing */
};

enum { EXTENTS_CHUNK = 512 };

struct extents_chunk {
	size_t n; /* never 0 */
	struct extent e[EXTENTS_CHUNK];
};

struct extents {
	VEC(struct extents_chunk *) chunk;
};

/* A place in the set; valid until the next insertion. */
struct extents_pos {
	size_t chunk, i;
};

void extents_free(struct extents *x);

/* The first extent that ends above addr. */
struct extents_pos extents_lower(const struct extents *x, uint64_t addr);

/* The extent at a place, NULL behind the last. */
struct extent *extents_at(const struct extents *x, struct extents_pos p);
struct extents_pos extents_next(const struct extents *x, struct extents_pos p);

/* Adds an extent that overlaps none. 0 or -ENOMEM. */
int extents_insert(struct extents *x, struct extent e);

#endif
