/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose the bytes of Go's stack spans are. Each unit of them is booked once: what several claim is
 * the first one's, what nobody claims is the rest. So all that is given adds up to the spans.
 */
#ifndef RSSCOPE_COLLECT_STACK_BOOK_H
#define RSSCOPE_COLLECT_STACK_BOOK_H

#include "goruntime/goruntime.h"

enum { STACK_UNIT = 2048 }; /* bytes: no stack is smaller (runtime/stack.go, stackMin) */

struct stack_span {
	uint64_t start, end;
	uint64_t first; /* unit, of all */
};

struct stack_book {
	VEC(struct stack_span) spans; /* by address */
	range_vec pages;	      /* resident, of these spans */
	VEC(uint64_t) taken;	      /* a bit a unit */
	uint64_t units;
};

struct stack_bytes {
	uint64_t reserved, resident;
};

/* Of the spans in h, with the page map of m as it is now. 0; -E2BIG: more than a tebibyte of
 * stacks; -ENOMEM, -errno of the page map. stack_book_free in any case. */
int stack_book_open(struct memsrc *m, const struct go_heap *h, struct stack_book *out);
void stack_book_free(struct stack_book *b); /* safe on a zeroed struct, and twice */

/* Books the stack [lo, hi). *out: what of it is new. False where it does not lie in one of the
 * spans, at a place where stacks begin, or all of it is booked already: nothing is. */
bool stack_book_take(struct stack_book *b, uint64_t lo, uint64_t hi, struct stack_bytes *out);

/* What is left. */
void stack_book_rest(const struct stack_book *b, struct stack_bytes *out);

#endif
