/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: proportional sizes, from smaps, after the look. */
#ifndef RSSCOPE_COLLECT_PSS_H
#define RSSCOPE_COLLECT_PSS_H

#include "collect/look.h"

/* The first line of a mapping in smaps: true, and where it lies. */
struct smaps_line {
	uint64_t start, end;
};
bool smaps_mapping(const char *line, struct smaps_line *out);

/* Without --pss only names the absence. 0 or -errno. */
int collect_pss(struct look *k);

#endif
