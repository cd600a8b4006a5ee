/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One file that is mapped N times counts N times in RSS, though each of its pages is in memory
 * once. Frame numbers need privileges (CAP_SYS_ADMIN); the place in the file tells as much: two
 * pages of the same device, inode and offset that the page map calls PAGE_FILE are one page of the
 * page cache, whereas private copies are not PAGE_FILE.
 */
#ifndef RSSCOPE_COLLECT_REPEATED_H
#define RSSCOPE_COLLECT_REPEATED_H

#include <stdint.h>

#include "base/range.h"
#include "proc/maps.h"

/*
 * Bytes of `pages` (as memsrc_pages gives them) that show a page of a file, of a memfd, of shared
 * anonymous memory which an earlier page of them shows already. Same files under several names
 * (hard links) count as several, and so does what drivers map through anon_inodefs. Memory and
 * time: of the mappings, and of the ranges inside those that overlap in their file. 0 or -ENOMEM.
 */
int repeated_bytes(const struct maps *m, const range_vec *pages, uint64_t *out);

#endif
