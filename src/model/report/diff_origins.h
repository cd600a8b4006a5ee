/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside model/: growth by who asked for the memory. */
#ifndef RSSCOPE_MODEL_REPORT_DIFF_ORIGINS_H
#define RSSCOPE_MODEL_REPORT_DIFF_ORIGINS_H

#include "model/report/diff.h"

/* Fills d->origins, when both reports have theirs. Stacks are one when their functions are, and
 * their lines, unless the builds differ. 0 or -ENOMEM. */
int diff_origins_make(struct diff *d);

#endif
