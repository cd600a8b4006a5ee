/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who asked for memory: call stacks by number, each once. Bounded; numbers of stacks that nothing
 * lives of any more are used again. Pure.
 */
#ifndef RSSCOPE_MODEL_TIMELINE_ORIGINS_H
#define RSSCOPE_MODEL_TIMELINE_ORIGINS_H

#include "model/timeline/timeline.h"

enum { ORIGINS_MAX = 4096 };

struct origin {
	uint64_t hash;
	uint64_t *addr;	 /* owned; innermost first. NULL: the number is free */
	uint16_t n, ngo; /* the last ngo are the goroutine's, see struct event_call */
	bool used;
};

struct origins {
	VEC(struct origin) v;		/* number - ORIGIN_FIRST */
	uint32_t hash[2 * ORIGINS_MAX]; /* open addressing: index + 1, 0 for empty */
	uint64_t refused;		/* stacks for which there was no number: ORIGIN_UNKNOWN */
};

/* Zero-initialised is empty. */
void origins_free(struct origins *o);

/* The number of a call's stack. When all are taken those that t does not hold are given up; when
 * that does not help, or memory is short: ORIGIN_UNKNOWN. */
uint32_t origins_intern(struct origins *o, struct timeline *t, const struct event_call *c);

/* NULL for ORIGIN_BEFORE, ORIGIN_UNKNOWN and numbers that were not given. */
const struct origin *origins_get(const struct origins *o, uint32_t number);

#endif
