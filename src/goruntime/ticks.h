/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock that block and mutex profiles count in. Sources: runtime/runtime.go (ticksType,
 * ticksPerSecond; tickspersecond up to 1.21), cputicks of asm_amd64.s and asm_arm64.s,
 * Go 1.15–1.27. */
#ifndef RSSCOPE_GORUNTIME_TICKS_H
#define RSSCOPE_GORUNTIME_TICKS_H

#include "goruntime/goruntime.h"

enum go_ticks_from {
	GO_TICKS_RUNTIME,  /* what the runtime has computed and keeps: it scales with that */
	GO_TICKS_STARTED,  /* as it would compute now: from its own first reading of both clocks */
	GO_TICKS_MEASURED, /* here, in 10 ms: to some parts in 100,000 */
};

/*
 * CPU ticks a second; runtime/pprof divides cycles by a 1e9th of it. The runtime computes it once,
 * when somebody wants it first: SetBlockProfileRate, or a block or mutex profile that is written;
 * from 1.22 on from the program's start until then, before in 100 ms.
 *
 * An enum go_ticks_from; -ENOENT: a core, where the counter can't be read, or a capture whose look
 * did not ask; -ENOTSUP: another architecture than amd64 and arm64.
 */
int go_ticks_per_second(const struct go_runtime *rt, struct bin *b, double *out);

#endif
