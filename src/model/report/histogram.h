/* SPDX-License-Identifier: BSD-2-Clause */
/* A distribution of durations, in the buckets that the program itself counts in. */
#ifndef RSSCOPE_MODEL_REPORT_HISTOGRAM_H
#define RSSCOPE_MODEL_REPORT_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/* Durations lower_ns <= d < upper_ns. */
struct histogram_bucket {
	bool has_lower, has_upper; /* false: from -infinity, to +infinity */
	uint64_t lower_ns, upper_ns;
	uint64_t count;
};

struct histogram {
	char name[72];			      /* runtime/metrics' */
	uint64_t count;			      /* of all buckets */
	VEC(struct histogram_bucket) buckets; /* those whose count is not 0, ascending */
};
typedef VEC(struct histogram) histogram_vec;

void histograms_free(histogram_vec *v); /* what it owns; leaves it empty */

/* NULL: there is none of that name. */
const struct histogram *histogram_find(const histogram_vec *v, const char *name);

/* The end of the bucket that holds the duration which `percent` of all don't exceed: an upper bound
 * of that quantile, ns. 100: of the longest. False: nothing was counted, or that bucket has no end.
 */
bool histogram_quantile(const struct histogram *h, unsigned int percent, uint64_t *upper_ns);

#endif
