/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside goruntime/: the span table (spans.c), for heap.c. */
#ifndef RSSCOPE_GORUNTIME_SPANS_H
#define RSSCOPE_GORUNTIME_SPANS_H

#include "goruntime/goruntime.h"
#include "goruntime/rd.h"

static inline uint64_t span_end(const struct go_span *s)
{
	return s->start + (uint64_t)s->npages * GO_PAGE_SIZE;
}

/* The mspans' addresses that `all`, allspans, holds: *ptr, which the caller frees, *n of them.
 * Memory follows what is there: a long stretch of zeros, which is no part of any table, ends it.
 * Parts that are not resident are zeros. 0, -errno of a read, -EINVAL, -ENOMEM. */
int spans_table(const struct go_runtime *rt, enum memsrc_pass pass, const struct go_slice *all,
		uint64_t **ptr, size_t *n);

/* Fills h->spans, h->keys, h->large, h->nspans, h->bad. 0, -errno of a read, -EINVAL, -ENOMEM. */
int spans_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h);

/*
 * Reads the table once more, against the keys of `first`. Where spans lie elsewhere or are of
 * another kind now, h->spans gets all of them, of which only start, npages and kind are filled in;
 * else it stays empty, and *moved is false. *used is the sum of their objects, in bytes. Needs a
 * first reading without torn spans. Errors as above.
 */
int spans_again(const struct go_runtime *rt, enum memsrc_pass pass, const struct go_heap *first,
		struct go_heap *h, bool *moved, uint64_t *used);

#endif
