/* SPDX-License-Identifier: BSD-2-Clause */
/* The diff's own: pairs of rows. */
#ifndef RSSCOPE_MODEL_REPORT_DIFF_ROWS_H
#define RSSCOPE_MODEL_REPORT_DIFF_ROWS_H

#include "model/report/diff.h"

void sizes_add(struct delta_sizes *s, bool is_b, uint64_t resident, uint64_t virtual_,
	       uint64_t swap, uint64_t huge);
bool sizes_empty(const struct delta_sizes *s);

/* Order of print: largest change of resident bytes first, then of virtual ones, then the larger.
 * The same for the opposite diff. */
int sizes_compare(const struct delta_sizes *x, const struct delta_sizes *y);

/*
 * Fills d->rows, grouped by category, in order. `as`: the category that each category stands under.
 * Rows of one id are one row. In one process a thread is its id, whatever its name; mappings
 * without a name are one where their start or their end is, as they grow at either. Of two
 * processes (a program that was started again), rows that only an address or a thread id tells
 * apart are added up: threads of one name, arenas, mappings without a name. What is left is one by
 * its name: rows of reports written before they had ids have nothing else. O(n log n). 0 or
 * -ENOMEM.
 */
int diff_rows_make(struct diff *d, const enum category as[CAT_COUNT]);

#endif
