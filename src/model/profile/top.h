/* SPDX-License-Identifier: BSD-2-Clause */
/* A profile by function. */
#ifndef RSSCOPE_MODEL_PROFILE_TOP_H
#define RSSCOPE_MODEL_PROFILE_TOP_H

#include "model/profile/profile.h"

struct profile_sum {
	uint32_t name;	   /* string: of the function, or of the file where that is not known */
	int64_t flat, cum; /* in it alone; in it and what it called */
	double variance;   /* of flat, where the column that is wanted most is an estimate */
};
typedef VEC(struct profile_sum) profile_sum_vec;

/* Fills *out, which the caller frees, the largest flat first; *total is the sum of all samples.
 * column: of the values. 0 or -ENOMEM. */
int profile_top(const struct profile *p, unsigned int column, profile_sum_vec *out, int64_t *total);

/* Half the width of the interval that holds the true value of an estimate with 95 % probability. */
double profile_margin(double variance);
/* Of a whole profile, of the column that is wanted most. */
double profile_variance(const struct profile *p);

/* Samples whose column is not 0. */
size_t profile_stacks_with(const struct profile *p, unsigned int column);

/* The names of a stack, outermost first, as flame graphs take them. 0 or what fn gave. */
typedef int profile_name_fn(void *ctx, const char *name, bool first);
int profile_stack_names(const struct profile *p, const struct profile_sample *s,
			profile_name_fn *fn, void *ctx);

#endif
