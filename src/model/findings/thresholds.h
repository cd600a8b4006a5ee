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
	/* what dominates: goroutine-stacks, dead-goroutines, thread-stacks, profiler-buckets,
	 * gc-garbage, heap-fragmented, lazily-freed, live-not-resident */
	LARGE_MIB = 32,
	LARGE_PERCENT_OF_RSS = 25,
	/* live-not-resident: swapped objects of the live heap */
	SWAPPED_MIB = 16,
	SWAPPED_PERCENT_OF_LIVE = 10,
	/* goroutine-stacks: so much of what is reserved is not used */
	STACKS_UNUSED_PERCENT = 50,
	/* gc-garbage: of the live heap; GOGC=100 gives a little more than the live heap itself */
	GARBAGE_PERCENT_OF_LIVE = 125,
	/* gc-pressure: GC without what it does on idle CPUs, of the CPU time that is used; at
	 * least so much of it, of one CPU over the program's life, and in so many cycles */
	GC_CPU_PERCENT = 25,
	GC_CPU_MIN_MS = 1000,
	GC_LIFE_PERCENT = 5,
	GC_CYCLES_MIN = 20,
	/* allocation-stalls: assists, of the goroutines' CPU time, likewise; stalls of the cgroup,
	 * of the last minute */
	ASSIST_PERCENT = 10,
	ASSIST_MIN_MS = 500,
	ASSIST_LIFE_PERCENT = 1,
	STALLED_PERCENT = 10,
	HIGH_EVENTS_A_SECOND = 1,
	/* threads-blocked */
	BLOCKED_THREADS = 100,
	BLOCKED_PERCENT = 25,
	THREADS_LIMIT = 10000, /* proc.go, sched.maxmcount: beyond it the program is ended */
	/* finalizers-stuck */
	FINALIZERS_QUEUED = 1000,
	FINALIZERS_MANY = 100000,
	/* advice: room that is left for what nobody foresees, percent of the limit */
	RESERVE_PERCENT = 5,
};

/* x percent of a whole, without overflow. */
static inline uint64_t percent_of(uint64_t whole, unsigned int percent)
{
	return whole / 100 * percent + whole % 100 * percent / 100;
}

#endif
