/* SPDX-License-Identifier: BSD-2-Clause */
/* What changed from one profile to another. */
#ifndef RSSCOPE_MODEL_PROFILE_SUBTRACT_H
#define RSSCOPE_MODEL_PROFILE_SUBTRACT_H

#include "model/profile/profile.h"

/*
 * *out becomes p without base: each value is p's minus base's, of equal stacks. Stacks are equal
 * when their functions, files and lines are, whatever the addresses: the profiles may be of
 * different processes. Columns go by name. Labels and the sizes of objects tell samples apart;
 * samples without a difference are left out. No interval is known of a difference. Names of
 * columns are p's, which outlives *out. 0; -EINVAL: base
 * lacks a column of p; -ENOMEM, -EOVERFLOW. profile_free(out) in any case.
 */
int profile_subtract(const struct profile *p, const struct profile *base, struct profile *out);

#endif
