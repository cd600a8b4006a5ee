/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RSS of one process, exactly, as cheaply as the kernel has it.
 *
 * The kernel's counters of resident pages are exact at any moment, but what /proc shows of them is
 * not on every kernel: before 6.2 each thread keeps up to 64 faults to itself (SPLIT_RSS_COUNTING,
 * include/linux/mm_types_task.h), from 6.2 each CPU does (commit f1a7941243c1), and only since
 * 82241a83cd15 (2025; also in stable kernels) are the CPUs' parts added up for status and statm:
 * so it is tried, not asked of the version. smaps_rollup is exact on all of them, but walks the
 * page tables and looks at each page.
 *
 * Huge pages are in smaps_rollup alone. Where they are the rule (transparent_hugepage/enabled says
 * "always") that walk is taken, and is short.
 */
#ifndef RSSCOPE_PROC_RSS_H
#define RSSCOPE_PROC_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proc/texts.h"

struct proc_rss {
	uint64_t rss;	    /* bytes */
	uint64_t anon_huge; /* bytes mapped by PMDs */
	bool has_huge;	    /* by smaps_rollup */
};

/* Whether statm is exact, and to be used: by the texts host/rss_counters and host/thp. */
bool proc_rss_counted(const struct proc_texts *m);

/* `counted`: from statm, else from smaps_rollup (Linux 4.14). 0; -errno of the text; -EINVAL. */
int proc_rss_read(const struct proc_texts *m, bool counted, unsigned int seq, struct proc_rss *out,
		  struct err *e);

/* Whether this kernel's statm counts each page at once: tried on pages of our own. */
bool rss_counters_exact(void);

#endif
