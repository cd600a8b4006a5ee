/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: ELF files of the target. */
#ifndef RSSCOPE_COLLECT_FILES_H
#define RSSCOPE_COLLECT_FILES_H

#include "collect/look.h"

/* Opens the file that is mapped at [start, end) ("exe": the executable), and lets a capture keep
 * the pieces of it that matter. The caller closes *out with bin_close. */
int look_open_file(struct look *k, const char *path, uint64_t start, uint64_t end, struct bin **out,
		   struct err *e);

#endif
