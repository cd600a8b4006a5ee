/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/peak_pace.h"

static void save(struct peak_pace *p, uint64_t now)
{
	if (!p->begun)
		p->saved_ns = PEAK_SAVED_NS;
	else if (now > p->at_ns)
		p->saved_ns += (int64_t)((now - p->at_ns) / PEAK_SHARE);
	if (p->saved_ns > PEAK_SAVED_NS)
		p->saved_ns = PEAK_SAVED_NS;
	p->begun = true;
	p->at_ns = now;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool peak_pace_wants(struct peak_pace *p, uint64_t heap, bool settled, uint64_t now_ns)
{
	uint64_t step =
		settled ? larger(p->heap / 128, PEAK_STEP / 4) : larger(p->heap / 16, PEAK_STEP);
	/* of a rise only what leaves enough for the reading at its end */
	int64_t needs = settled ? 0 : 2 * (int64_t)p->cost_ns;

	save(p, now_ns);
	return heap > p->heap && heap - p->heap >= step && p->saved_ns > needs;
}

void peak_pace_read(struct peak_pace *p, uint64_t heap, uint64_t cost_ns)
{
	p->heap = larger(p->heap, heap);
	p->cost_ns = cost_ns < INT64_MAX / 4 ? cost_ns : INT64_MAX / 4;
	p->saved_ns -= (int64_t)p->cost_ns;
}
