/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the runtime's code says of where the collector's variables lie: for those that nothing else
 * tells, before the first cycle or at all. Instructions are not decoded one by one: every address
 * that some bytes of a function would name is taken, and only what fits a whole structure, in two
 * functions, counts. Chance does not fit.
 */
#ifndef RSSCOPE_GORUNTIME_GCCODE_H
#define RSSCOPE_GORUNTIME_GCCODE_H

#include "binary/binary.h"
#include "goruntime/layout.h"

/* Link-time addresses; 0: not said. */
struct go_gc_code {
	uint64_t work, controller;
	/* runtimeInitTime: 8 bytes that runtime.main writes and gcMarkTermination names. It is a
	 * bare number: the caller looks at its value before believing it. */
	uint64_t init_time;
	enum go_field stack_scan; /* what of the controller gctrace prints as stacks;
				     GO_FIELD_COUNT: not told, or the release prints none */
	bool memstats; /* the fields of it that are used are named at the caller's address */
};

/*
 * runtime/mgc.go, gcMarkTermination and gcStart, and proc.go, main. text: see binary.h. [lo, hi):
 * where the runtime's variables are; memstats: its address. -ENOENT: such a function is not there,
 * or its code is for another architecture than amd64 and arm64.
 */
int go_gc_code(struct bin *b, const struct go_layout *l, uint64_t text, uint64_t lo, uint64_t hi,
	       uint64_t memstats, struct go_gc_code *out);

/*
 * Where a rate of the profilers lies (mprof.go): what both the function that takes a sample and
 * those that decide whether to name. It is a bare number, so fn looks at each such place, and one
 * alone must do. 0, -ENOENT, -ENOMEM.
 */
struct go_rate_code {
	const char *symbol; /* of the variable */
	const char *takes[2], *decide[3];
};
typedef bool go_place_fn(void *ctx, uint64_t addr);
int go_profile_rate_code(struct bin *b, const struct go_rate_code *c, uint64_t text, uint64_t lo,
			 uint64_t hi, go_place_fn *fn, void *ctx, uint64_t *out);

#endif
