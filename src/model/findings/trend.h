/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The course of a figure, in bounded memory: whether what grew over the whole of it still grows at
 * its end. A cache that fills comes to rest, a leak does not.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_TREND_H
#define RSSCOPE_MODEL_FINDINGS_TREND_H

#include <stdbool.h>
#include <stdint.h>

enum { TREND_POINTS = 96 };

/* All zeros: nothing yet. */
struct trend {
	struct {
		uint64_t ns, v;
	} p[TREND_POINTS];
	unsigned int n;
	unsigned int every, skipped; /* of how many figures one is kept; 0: of one */
};

void trend_add(struct trend *t, uint64_t ns, uint64_t v);

/*
 * Whether the growth has come to an end: the least of the last third is not above the least of the
 * middle one by a sixth of the whole growth. The least: what a figure falls back to, not what it
 * swings up to. Thirds of the figures, or of the time: either is enough. False with fewer than 6.
 */
bool trend_rests(const struct trend *t);

#endif
