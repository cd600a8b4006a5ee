/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside goruntime/: what the readers of regions share. */
#ifndef RSSCOPE_GORUNTIME_REGIONS_H
#define RSSCOPE_GORUNTIME_REGIONS_H

#include "goruntime/goruntime.h"

/* Appends a region. Those inside persistent chunks become one where they touch. 0 or -ENOMEM. */
int region_put(go_region_vec *out, uint64_t start, uint64_t end, enum go_region_kind kind);
/* The pages of [start, start + size); nothing where that is none, or nonsense. */
int region_put_pages(const struct go_runtime *rt, go_region_vec *out, uint64_t start, uint64_t size,
		     enum go_region_kind kind);

/* A bucket: header, nstk program counters, then a record whose size depends on its type (mprof.go:
 * newBucket; 1 memory, 2 block, 3 mutex). b[0..n) begins with the header. 0: that is none. */
uint64_t bucket_size(const struct go_layout *l, const uint8_t *b, size_t n);

/* The table of the profile's buckets and the buckets. -ERANGE: they are not what the runtime has
 * charged for them, when it was read at *moment; -ENODATA: some are swapped out. */
int buckets_read(const struct go_runtime *rt, go_region_vec *out, uint64_t *moment);
/* 1: appended are those that are kept, since the runtime has charged nothing since; 0: they must be
 * read; -errno. */
int buckets_again(const struct go_runtime *rt, const struct go_regions_kept *k, go_region_vec *out);
/* Keeps v[0..n), what buckets_read has appended, if it is all that is charged. k may be NULL. */
void buckets_keep(const struct go_runtime *rt, struct go_regions_kept *k, const struct go_region *v,
		  size_t n);

#endif
