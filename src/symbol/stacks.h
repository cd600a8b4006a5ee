/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call stacks interned to ids, for all processes and kinds of stacks together. A frame is a place
 * in a file, so that processes of one binary have equal ids for equal stacks wherever it is loaded;
 * a bare address where no file is known.
 *
 * Bounded: when all ids are taken, those that no user of the table keeps are given up and used
 * again. For one thread.
 */
#ifndef RSSCOPE_SYMBOL_STACKS_H
#define RSSCOPE_SYMBOL_STACKS_H

#include "symbol/symbolize.h"

struct stacks;

enum {
	STACKS_NONE = 0, /* no id */
	STACKS_MAX = 4096,
	STACKS_FILES_MAX = 1024, /* beyond them frames are bare addresses */
};

/* max: ids, 0: STACKS_MAX; they are 1 to max. 0 or -ENOMEM. */
int stacks_create(uint32_t max, struct stacks **out);
void stacks_destroy(struct stacks *t); /* NULL-safe */

/* Whoever stores ids says which: fn calls stacks_keep(t, id) for each, some perhaps twice. ctx
 * stays in place until stacks_leave. 0 or -ENOMEM. */
typedef void stacks_user_fn(void *ctx, struct stacks *t);
int stacks_join(struct stacks *t, stacks_user_fn *fn, void *ctx);
void stacks_leave(struct stacks *t, const void *ctx);
void stacks_keep(struct stacks *t, uint32_t id); /* of any id */

/*
 * The id of a stack of return addresses, innermost first, of the process that s names; the last ngo
 * of n are the goroutine's (see struct event_call). STACKS_NONE when it is empty, when all ids are
 * kept, or memory is short. It holds until the next call of this, unless a user keeps it.
 */
uint32_t stacks_intern(struct stacks *t, struct symbolizer *s, const uint64_t *addr, size_t n,
		       size_t ngo);

/* Addresses in the stack, *ngo of them the goroutine's; 0 for ids that were not given. */
size_t stacks_depth(const struct stacks *t, uint32_t id, size_t *ngo);

/* One of its addresses, as it is in the process that s names: where its file is loaded there, else
 * where it was seen first. */
uint64_t stacks_address(const struct stacks *t, struct symbolizer *s, uint32_t id, size_t i);

/* How many stacks got no id for want of one. */
uint64_t stacks_refused(const struct stacks *t);

#endif
