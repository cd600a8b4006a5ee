/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger's own: puts the claims of one level in order. */
#ifndef RSSCOPE_MODEL_LEDGER_RESOLVE_H
#define RSSCOPE_MODEL_LEDGER_RESOLVE_H

#include "model/ledger/builder.h"

/*
 * Sorts the claims by start and cuts them so that they do not overlap: bytes that several claim
 * stay with the one that was added first (smallest seq), and *conflict grows by their number, each
 * byte once. In place unless there are overlaps; then at most 2n − 1 pieces result.
 * O(n log n) whatever the input. 0 or -ENOMEM (the claims are sorted but still overlap).
 */
int claims_resolve(claim_vec *v, uint64_t *conflict);

#endif
