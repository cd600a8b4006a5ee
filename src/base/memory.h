/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc does with freed memory. */
#ifndef RSSCOPE_BASE_MEMORY_H
#define RSSCOPE_BASE_MEMORY_H

#include <malloc.h>

/*
 * A snapshot's tables come and go: what one gave back another takes, without new faults, up to 64
 * MiB. Of a single snapshot that is for small tables only, so that its peak is lower; where one
 * comes after the other it is for those of large heaps, too.
 */
enum { MEMORY_ONE_SNAPSHOT = 4 << 20, MEMORY_SNAPSHOTS = 32 << 20 /* malloc's most */ };
static inline void memory_keep_freed(int tables)
{
	mallopt(M_MMAP_THRESHOLD, tables);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

#endif
