/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast a figure that is looked at now and then has risen lately. */
#ifndef RSSCOPE_MODEL_FINDINGS_PACE_H
#define RSSCOPE_MODEL_FINDINGS_PACE_H

#include "model/report/report.h"

enum { PACE_POINTS = 7 };

/* The last looks, oldest first. All zeros: none. */
struct pace {
	struct {
		uint64_t ns, v;
	} p[PACE_POINTS];
	unsigned int n;
};

void pace_add(struct pace *p, uint64_t ns, uint64_t v);

/* From the oldest look to the newest, a second; absent before the second look and when the figure
 * is not above what it was. */
struct opt_u64 pace_rise(const struct pace *p);

/* Seconds until the figure comes to `limit`, 0 when it is there; absent when it does not rise. */
struct opt_u64 pace_until(const struct pace *p, uint64_t limit);

#endif
