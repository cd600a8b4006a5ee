/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that make profiles. */
#ifndef RSSCOPE_COLLECT_PROFILE_IMPL_H
#define RSSCOPE_COLLECT_PROFILE_IMPL_H

#include "collect/profile.h"
#include "symbol/symbolize.h"

/* A profile under way. */
struct making {
	enum profile_kind kind;
	struct profile *p;
	struct symbolizer *names;
	struct profile_note *note;
	uint64_t rate; /* of the heap's samples: bytes */
	size_t n;      /* locations of the stack under way, innermost first: */
	uint32_t stack[PROFILE_DEPTH_MAX];
};

/*
 * Fills k->stack from n return addresses. Logical ones, as the runtime keeps them: each stands for
 * one function, that which was inlined there, the next one for that into which it was. Physical
 * ones, as they are on a stack: each stands for all that was inlined there. Either way without
 * wrappers that the compiler has made, and without where goroutines begin, as runtime/pprof does. 0
 * or -errno.
 */
enum addresses { ADDRESSES_LOGICAL, ADDRESSES_PHYSICAL };
int profile_take_stack(struct making *k, enum addresses kind, const uint64_t *addr, size_t n);

/* The innermost function that the call before a return address is in; "": not known. */
const char *profile_function_at(struct making *k, uint64_t addr);

/* profile_heap.c, profile_goroutine.c. 0; -ENOTSUP, -errno with a text. */
int profile_make_heap(struct making *k, const struct session_go *g, struct err *e);
int profile_make_goroutine(struct making *k, const struct session_go *g, struct err *e);

#endif
