/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside collect/: the bytes of some categories of a ledger, by address, as its sweep saw them. */
#ifndef RSSCOPE_COLLECT_OWNED_H
#define RSSCOPE_COLLECT_OWNED_H

#include "collect/collect.h"

/* Flags of the ranges: the category, and */
enum { OWNED_RESIDENT = 1 << 8, OWNED_MAPPED = 1 << 9, OWNED_CATEGORY = 0xff };

/*
 * All bytes whose row is of a category from `first` to `last`, resident or mapped, in order of
 * address, appended to *out. Σ of the resident ones is what the ledger has for those categories,
 * as long as no claim of theirs is split. 0 or -ENOMEM.
 */
int owned_ranges(const struct ledger_builder *b, const struct collect_swept *s, enum category first,
		 enum category last, range_vec *out);

#endif
