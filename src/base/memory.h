/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc does with freed memory. */
#ifndef RSSCOPE_BASE_MEMORY_H
#define RSSCOPE_BASE_MEMORY_H

#include <malloc.h>

/*
 * For a program that takes snapshots: their tables come and go, and what one gave back the next
 * takes, without new faults, up to 64 MiB. Larger single tables go back to the kernel at once.
 */
static inline void memory_keep_freed(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20); /* malloc's largest */
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

#endif
