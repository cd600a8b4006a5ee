/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/PID/pagemap of a live process. Internal to src/source.
 *
 * Sources: Documentation/admin-guide/mm/pagemap.rst; fs/proc/task_mmu.c; the PAGEMAP_SCAN ioctl is
 * commit 52526ca7fdb9 (6.7), PAGE_IS_GUARD 6.16, entry bit 58 (guard region) 6.15.
 */
#ifndef RSSCOPE_SOURCE_PAGEMAP_H
#define RSSCOPE_SOURCE_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "proc/maps.h"

#define PM_PRESENT (1ULL << 63)
#define PM_SWAP	   (1ULL << 62)
#define PM_FILE	   (1ULL << 61)
#define PM_GUARD   (1ULL << 58) /* MADV_GUARD_INSTALL: reads as swap, is nothing */
/* A page that holds something, or must not be touched. */
#define PM_SOMEWHERE (PM_PRESENT | PM_SWAP | PM_GUARD)
#define PM_PFN_MASK  ((1ULL << 55) - 1)

struct pagemap {
	int fd;	    /* /proc/PID/pagemap: bound to the mm that was there at the open */
	int kflags; /* /proc/kpageflags, -1 when not permitted */
	uint32_t page_size;
	bool scan;	     /* PAGEMAP_SCAN works */
	uint64_t scan_guard; /* PAGE_IS_GUARD when the kernel knows it, else 0 */
	uint64_t zero_pfn;   /* frame of the zero page, 0: PFNs are hidden from us */
};

/* 0, -errno of the open; -ESRCH when the process has no memory any more. */
int pagemap_open(int proc_fd, uint32_t page_size, struct pagemap *out);
void pagemap_close(struct pagemap *p);

/* The mm is still there. False after exit and after execve. */
bool pagemap_has_mm(const struct pagemap *p);

/* n entries from virtual page number vpn on. How many were read (fewer at the end of the address
 * space), or -errno. */
long pagemap_entries(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n);

/* The same (0, too, when the process is gone) where only PM_PRESENT is asked for, and PM_SWAP (of
 * guard regions, too) of what is not present. */
long pagemap_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n);

/* What memsrc_pages does. The mappings: NULL where they are not wanted; without PAGEMAP_SCAN only
 * what they hold is looked at. lasting as of memsrc_set_lasting, NULL: none. */
int pagemap_ranges(const struct pagemap *p, const struct maps *maps, const range_vec *lasting,
		   uint64_t start, uint64_t end, range_vec *out);
bool pagemap_wants_maps(const struct pagemap *p, uint64_t start, uint64_t end);

const char *pagemap_how(const struct pagemap *p);

#endif
