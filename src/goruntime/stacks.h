/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The call stacks of goroutines that do not run. Sources: runtime/traceback.go, runtime2.go (g,
 * gobuf), symtab.go (pcsp) of Go 1.15–1.27.
 */
#ifndef RSSCOPE_GORUNTIME_STACKS_H
#define RSSCOPE_GORUNTIME_STACKS_H

#include "goruntime/goruntime.h"

enum { GO_STACK_DEPTH_MAX = 128 };

struct go_stack {
	uint64_t goid;
	uint32_t status;  /* see go_gstatus_name */
	uint64_t startpc; /* the function it began with; 0: none */
	uint64_t gopc;	  /* the return address of the go statement that made it; 0: none */
	uint64_t stack_bytes, stack_used; /* its stack is so large; so much of it is used, 0 if it
					   * runs */
	const uint64_t *pc; /* physical frames, innermost first, as return addresses; borrowed */
	size_t npc;	    /* 0: it runs, or could not be read */
	bool cut;	    /* it ends before a goroutine begins, and not at GO_STACK_DEPTH_MAX */
};

typedef int go_stack_fn(void *ctx, const struct go_stack *s);

/*
 * Calls fn for each goroutine that is alive, in the order in which they were made; stops at the
 * first value that is not 0, and returns it. b holds the runtime's code. 0; -ENOENT: goroutines are
 * not known; -errno of a read, -ENOMEM.
 */
int go_stacks_read(const struct go_runtime *rt, struct bin *b, go_stack_fn *fn, void *ctx);

/* The same of n of them alone, by the addresses of their g's. */
int go_stacks_of(const struct go_runtime *rt, struct bin *b, const uint64_t *g, size_t n,
		 go_stack_fn *fn, void *ctx);

#endif
