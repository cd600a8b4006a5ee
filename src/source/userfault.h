/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges whose absent pages are another program's to fill: userfaultfd. Internal to src/source.
 *
 * Only the VmFlags of /proc/PID/smaps tell (um missing, uw write-protected, ui minor:
 * fs/proc/task_mmu.c, show_smap_vma_flags), which costs a walk of the page tables. The descriptor
 * may be held by another process, so that those of the target don't tell.
 */
#ifndef RSSCOPE_SOURCE_USERFAULT_H
#define RSSCOPE_SOURCE_USERFAULT_H

#include <stdbool.h>

#include "base/range.h"

/* Whether no process of the host has a userfaultfd: by the count of its slab's objects, as the
 * kernel writes it ("0", or "12 N0=12"). NULL: the kernel does not tell, false. */
bool userfault_none(const char *objects);

/* Those of the process, appended to *out in order. 0 or -errno. */
int userfault_read(int proc_fd, range_vec *out);

/* The same of smaps' text, as open at fd from its beginning. -EINVAL: that is none. */
int userfault_parse(int fd, range_vec *out);

#endif
