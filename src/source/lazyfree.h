/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages a process gave back with MADV_FREE and the kernel has not taken yet: anonymous, not
 * dirty, without PG_swapbacked (mm/madvise.c, folio_mark_lazyfree in mm/swap.c). Internal to
 * src/source.
 */
#ifndef RSSCOPE_SOURCE_LAZYFREE_H
#define RSSCOPE_SOURCE_LAZYFREE_H

#include "source/pagemap.h"

/*
 * Their bytes in n sorted ranges, whole pages only. Memory is fixed; time is linear in the pages,
 * with a system call for each 64 MiB, and one for each run of frames.
 * 0; -ENOTSUP: frames or /proc/kpageflags are hidden from us; -errno.
 */
int lazyfree_bytes(const struct pagemap *p, const struct range *r, size_t n, uint64_t *bytes);

/* The same of n frames, which are sorted: how many. kflags: /proc/kpageflags. */
size_t lazyfree_count(int kflags, const uint64_t *pfn, size_t n);

#endif
