/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the timeline: ranges that are given up and taken. */
#ifndef RSSCOPE_MODEL_TIMELINE_TIMELINE_IMPL_H
#define RSSCOPE_MODEL_TIMELINE_TIMELINE_IMPL_H

#include "model/timeline/timeline.h"

/* A call in the window, or (CALL_COUNT) a loss: what is needed of it. */
struct tl_call {
	uint64_t enter, exit;
	uint64_t args[5];
	int64_t ret;
	uint64_t length;
	uint32_t origin, call, name;
	bool failed; /* of interest for what it may have done on the way */
};

/* What lived where a mapping was put at `until`: its unmapping began before that and is still to
 * come. */
struct tl_ghost {
	struct tl_piece p;
	uint64_t until;
};

struct tl_segment {
	uint64_t start, end;
	uint64_t born; /* exit of its shmat */
	uint32_t number;
};

struct tl_span {
	uint64_t start, end;  /* bytes */
	uint64_t enter, exit; /* of the call, ns */
	/* of what is placed there: */
	uint64_t changed;
	uint32_t name, segment;
	/* of what is taken: only pieces with these flags, and of that segment */
	uint32_t only;
};

/* What a call does to pieces that stay. */
struct tl_change {
	uint32_t clear, set; /* flags */
	bool open;	     /* it has failed: perhaps */
	bool names;
	uint32_t name;
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

/* [start, start + len) in whole pages; empty when it makes no sense. */
struct tl_span tl_span_of(const struct timeline *t, const struct tl_call *c, uint64_t start,
			  uint64_t len);

int tl_shmat(struct timeline *t, const struct tl_call *c);
int tl_shmdt(struct timeline *t, const struct tl_call *c);

/* Changes what was born by s->enter. 0 or -ENOMEM. */
int tl_change(struct timeline *t, const struct tl_span *s, const struct tl_change *c);

/* A change of protection in [start, end) may have been of what is yet to be placed there. */
void tl_idle(struct timeline *t, uint64_t start, uint64_t end, uint64_t enter, uint64_t exit);

/* The protection of what is in t->opened is open, and of what the call placed in the span where a
 * change at the same time found nothing. Empties t->opened. */
int tl_open(struct timeline *t, const struct tl_span *s);

/* Whether p, there when the maps were read, may have come after a call that began at `enter`. */
bool tl_is_later(const struct timeline *t, const struct tl_piece *p, uint64_t enter);

/* A part of a piece; and t->pieces[i, j) give way to t->next. */
struct tl_piece tl_part(const struct tl_piece *p, uint64_t start, uint64_t end);
int tl_splice(struct timeline *t, size_t i, size_t j);

/* A range whose state is open. */
int tl_doubt(struct timeline *t, uint64_t start, uint64_t end);

/* Index of the first piece that ends above addr. */
size_t tl_lower(const struct timeline *t, uint64_t addr);

/* Adds to v, which is sorted, at its end; merges with the last piece where only the place differs.
 */
int tl_append(struct timeline *t, struct tl_piece p);

#endif
