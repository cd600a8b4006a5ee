/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of pagemap. */
#ifndef RSSCOPE_SOURCE_PAGEMAP_IMPL_H
#define RSSCOPE_SOURCE_PAGEMAP_IMPL_H

#include "source/pagemap.h"

/* Bits of /proc/kpageflags, include/uapi/linux/kernel-page-flags.h */
#define KPF_THP	      (1ULL << 22)
#define KPF_ZERO_PAGE (1ULL << 24)

/* Those of a frame; 0 where they may not be seen. */
uint64_t pagemap_frame_flags(const struct pagemap *p, uint64_t pfn);

/* ---- pagemap_scan.c */

/* Fills p->scan, p->scan_guard. */
void pagemap_scan_probe(struct pagemap *p);

/* As pagemap_present. */
long pagemap_scan_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n);

/* As pagemap_ranges, of what begins and ends with a page. */
int pagemap_scan_ranges(const struct pagemap *p, const struct maps *maps, const range_vec *lasting,
			uint64_t start, uint64_t end, range_vec *out);

#endif
