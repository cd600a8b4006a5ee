/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goroutines: state, call stack (of those that do not run), stack memory. Sources:
 * runtime/traceback.go, runtime2.go (g, gobuf, waitReasonStrings), symtab.go (pcsp) of Go
 * 1.15–1.27.
 */
#ifndef RSSCOPE_GORUNTIME_STACKS_H
#define RSSCOPE_GORUNTIME_STACKS_H

#include "goruntime/goruntime.h"

enum { GO_STACK_DEPTH_MAX = 128 };

struct go_stack {
	uint64_t goid;
	uint64_t parent;  /* goid of the goroutine that started it; 0: not known (before 1.21) */
	uint32_t status;  /* see go_gstatus_name; GO_GDEAD and GO_GDEADEXTRA only when asked for */
	bool scan;	  /* the collector looks at its stack right now (_Gscan) */
	uint8_t reason;	  /* why it waits: see go_stack_state */
	bool locked;	  /* to its thread (runtime.LockOSThread) */
	bool cleanups;	  /* it runs functions of runtime.AddCleanup (from 1.25) */
	int64_t wait_ns;  /* since when it waits or is in a system call, nanotime() of the target
			     (CLOCK_MONOTONIC ns): the first GC cycle that saw it so sets it. 0: none
			     has */
	uint64_t labels;  /* address of the profiler's labels, see labels.h; 0: none */
	uint64_t startpc; /* the function it began with; 0: none */
	uint64_t gopc;	  /* the return address in who started it; 0: none */
	uint64_t lo, hi;  /* its stack: addresses; both 0: it has none */
	uint64_t sp;	  /* the stack pointer; 0: it runs, or has moved meanwhile */
	const uint64_t *pc; /* physical frames, innermost first, as return addresses; borrowed */
	const bool
		*in_place; /* of each: no call was made there, pc[i] is one more than the place */
	size_t npc;	   /* 0: it runs, or could not be read */
	bool cut;	   /* it ends before a goroutine begins, and not at GO_STACK_DEPTH_MAX */
};

typedef int go_stack_fn(void *ctx, const struct go_stack *s);

/*
 * Calls fn for each goroutine that is alive, in the order in which they were made, and with `dead`
 * for those that have ended and keep their stack; stops at the first value that is not 0, and
 * returns it. b holds the runtime's code. 0; -ENOENT: goroutines are not known; -errno of a read,
 * -ENOMEM.
 */
int go_stacks_read(const struct go_runtime *rt, struct bin *b, bool dead, go_stack_fn *fn,
		   void *ctx);

/* Its state as the runtime's tracebacks print it: "running", "chan receive", "select (no cases)".
 * Into buf of n bytes, which it returns. */
const char *go_stack_state(const struct go_layout *l, const struct go_stack *s, char *buf,
			   size_t n);

/* The stacks of the threads themselves (g0, gsignal), as the runtime believes: of a program with C
 * some of them are not its own. Calls fn as above with lo and hi, npc 0. */
int go_system_stacks_read(const struct go_runtime *rt, go_stack_fn *fn, void *ctx);

/* The same of n of them alone, by the addresses of their g's. */
int go_stacks_of(const struct go_runtime *rt, struct bin *b, const uint64_t *g, size_t n,
		 go_stack_fn *fn, void *ctx);

#endif
