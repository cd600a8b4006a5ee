/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: proportional sizes, from smaps, after the look. */
#ifndef RSSCOPE_COLLECT_PSS_H
#define RSSCOPE_COLLECT_PSS_H

#include "collect/look.h"

/* Without --pss only names the absence. 0 or -errno. */
int collect_pss(struct look *k);

#endif
