/* SPDX-License-Identifier: BSD-2-Clause */
/* From where on a fact is a finding. doc/findings.md says why it is these numbers. */
#ifndef RSSCOPE_MODEL_FINDINGS_THRESHOLDS_H
#define RSSCOPE_MODEL_FINDINGS_THRESHOLDS_H

#define MIB_BYTES ((uint64_t)1 << 20)

enum {
	/* gomemlimit-missing: charge at the goal, percent of the limit */
	CLOSE_TO_LIMIT_PERCENT = 85,
	/* limit-too-small: what collecting can't free, percent of the limit */
	FLOOR_PERCENT = 90,
	/* memory-high: usage, percent of it; the kernel charges in batches below it */
	HIGH_PERCENT = 98,
	/* heap-retained: free and not needed at the goal */
	RETAINED_MIB = 32,
	RETAINED_PERCENT_OF_RSS = 25,
	/* thp-bloat: returned to the OS, still resident in huge pages */
	THP_MIB = 16,
	THP_PERCENT_OF_RSS = 5,
	/* go-heap-leak: growth of what collections leave */
	LEAK_CYCLES = 3,
	LEAK_MIB = 16,
	LEAK_PERCENT = 10,
	/* goroutine-leak */
	GOROUTINES_MORE = 100,
	GOROUTINES_PERCENT = 50,
	GOROUTINES_WAITING_PERCENT = 90,
	/* advice: room that is left for what nobody foresees, percent of the limit */
	RESERVE_PERCENT = 5,
};

/* x percent of a whole, without overflow. */
static inline uint64_t percent_of(uint64_t whole, unsigned int percent)
{
	return whole / 100 * percent + whole % 100 * percent / 100;
}

#endif
