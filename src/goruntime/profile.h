/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime's own profiles, read from its buckets: what was allocated where, and what goroutines
 * were blocked on. Sources: runtime/mprof.go of Go 1.15–1.27.
 */
#ifndef RSSCOPE_GORUNTIME_PROFILE_H
#define RSSCOPE_GORUNTIME_PROFILE_H

#include "goruntime/goruntime.h"

/* mprof.go, bucketType. */
enum go_profile_kind { GO_PROFILE_MEMORY = 1, GO_PROFILE_BLOCK = 2, GO_PROFILE_MUTEX = 3 };

/* Sampled allocations, not scaled. */
struct go_mem_count {
	uint64_t allocs, frees; /* objects */
	uint64_t alloc_bytes, free_bytes;
};

/*
 * A bucket. Of memory: `published` is what runtime.MemProfile shows, as of the last mark; `next` is
 * what the mark before the present sweep found dead, counted as it is swept, and what was allocated
 * in the cycle before; all: both, and what was allocated since.
 */
struct go_bucket {
	enum go_profile_kind kind;
	const uint64_t *pc; /* return addresses, innermost first; borrowed for the call */
	size_t npc;
	uint64_t size; /* memory: bytes of each object */
	struct go_mem_count published, next, all;
	/* block and mutex: events, and how long, in CPU ticks. What was sampled stands for all, but
	 * of mutexes up to 1.19: one in so many was (go_profile_rate). */
	double count, cycles;
};

typedef int go_bucket_fn(void *ctx, const struct go_bucket *b);

struct go_profile_info {
	uint64_t buckets;  /* of the kind */
	uint64_t torn;	   /* that made no sense, though they were read again */
	uint32_t gc_cycle; /* completed cycles, as of the buckets */
	bool moved;	   /* that changed while they were read */
};

/*
 * Calls fn for each bucket of that kind, in order of address; stops at the first value that is not
 * 0, and returns it. 0; -ENOENT: the program has no profiler (the linker has left it out); -errno
 * of a read, -ENOMEM.
 */
int go_profile_read(const struct go_runtime *rt, enum go_profile_kind kind, go_bucket_fn *fn,
		    void *ctx, struct go_profile_info *info);

/*
 * The rate of that profiler. Of memory, runtime.MemProfileRate: bytes allocated between two
 * samples, on average. Of blocking, blockprofilerate: ticks of which one event is sampled, on
 * average. Of mutexes, mutexprofilerate: one event of so many is sampled. 0: the profiler is off.
 * Known by the file's symbols, else by the runtime's code. 0; -ENOENT: not found; -errno.
 */
int go_profile_rate(const struct go_runtime *rt, struct bin *b, enum go_profile_kind kind,
		    uint64_t *out);

#endif
