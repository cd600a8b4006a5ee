/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the timeline: ranges that are given up and taken. */
#ifndef RSSCOPE_MODEL_TIMELINE_IMPL_H
#define RSSCOPE_MODEL_TIMELINE_IMPL_H

#include "model/timeline.h"

/* A call in the window, or (CALL_COUNT) a loss: what is needed of it. */
struct tl_call {
	uint64_t enter, exit;
	uint64_t args[5];
	int64_t ret;
	uint32_t origin, call;
};

/* What lived where a mapping was put at `until`: its unmapping began before that and is still to
 * come. */
struct tl_ghost {
	struct tl_piece p;
	uint64_t until;
};

struct tl_span {
	uint64_t start, end;  /* bytes */
	uint64_t enter, exit; /* of the call, ns */
};

enum tl_place {
	PLACE_FREE,  /* where the kernel found room: what lives there was unmapped */
	PLACE_FIXED, /* over whatever is there */
	PLACE_QUIET, /* the same, without a question of order */
};

/* Gives up what was born by s->enter; t->taken has it, sorted. 0 or -ENOMEM. */
int tl_take(struct timeline *t, const struct tl_span *s);

/* Copies instead; t->taken has it. */
int tl_peek(struct timeline *t, const struct tl_span *s);

/* The call's range becomes a piece, born at s->exit. */
int tl_place(struct timeline *t, const struct tl_span *s, enum tl_place how, uint32_t origin,
	     uint32_t flags);

/* A range whose state is open. */
int tl_doubt(struct timeline *t, uint64_t start, uint64_t end);

/* Index of the first piece that ends above addr. */
size_t tl_lower(const struct timeline *t, uint64_t addr);

/* Adds to v, which is sorted, at its end; merges with the last piece where only the place differs.
 */
int tl_append(struct timeline *t, struct tl_piece p);

#endif
