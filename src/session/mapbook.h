/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mappings of a watched process and who asked for them: events in, ranges for a report out.
 * Joins the timeline (model) with the mappings at the start (proc), and the stacks with the names
 * of code (symbol).
 */
#ifndef RSSCOPE_SESSION_MAPBOOK_H
#define RSSCOPE_SESSION_MAPBOOK_H

#include "symbol/stacks.h"
#include "symbol/symbolize.h"
#include "model/timeline/timeline.h"

/* Who asked for memory: a call stack, innermost first. */
struct mapping_origin {
	const struct frame *frame;
	size_t n;
};

/* A range of mapped memory of which that is known. */
struct mapping_range {
	uint64_t start, end; /* bytes */
	uint32_t origin;     /* index into mappings_known.origins */
};

/* All that is known. Borrowed; ranges sorted and without overlap; zeros: nothing. */
struct mappings_known {
	const struct mapping_range *ranges;
	const struct mapping_origin *origins;
	size_t nranges, norigins;
};

/* What programs name their mappings; and the sizes of System V segments. */
struct mapbook_name {
	char text[EVENT_NAME_MAX];
};

struct mapbook_segment {
	int32_t id;
	uint64_t bytes;
};

struct mapbook {
	struct memsrc *m;	  /* borrowed */
	struct symbolizer *names; /* borrowed */
	struct timeline t;	  /* its origins are ids of stacks, see mapbook_stack */
	struct stacks *stacks;	  /* borrowed or own */
	struct stacks *own;
	VEC(struct mapbook_name) names_given; /* tl_piece.name - 1 */
	VEC(struct mapbook_segment) segments; /* of the last ones attached */
	/* of the last mapbook_settle: before it */
	struct timeline_difference off;
	/* what mapbook_give gave */
	VEC(struct mapping_range) ranges;
	VEC(struct mapping_origin) stacks_given;
	VEC(struct frame) frames;
};

/* Call it when the probes are there already; then give it all their events. stacks: the table that
 * processes share, borrowed; NULL: one of its own. b stays in place until mapbook_close. 0 or
 * -errno. */
int mapbook_open(struct memsrc *m, struct symbolizer *names, struct stacks *stacks,
		 struct mapbook *b, struct err *e);
void mapbook_close(struct mapbook *b); /* safe on a zeroed struct */

/* After an exec: the memory and the names that the process has now. names NULL: nothing is known of
 * it, and b is not used until the next exec. */
void mapbook_bind(struct mapbook *b, struct memsrc *m, struct symbolizer *names);

/* Calls, and execs of the process itself; others are of no interest. After an exec: when the
 * symbolizer has been reset. 0 or -ENOMEM. */
int mapbook_event(struct mapbook *b, const struct event *e);

/* As timeline_lost; what was lost before the mappings were read is in them, but for an order that
 * may be wrong: that is compared in the end. */
int mapbook_lost(struct mapbook *b, uint64_t start, uint64_t end, uint64_t ns);

/* The id of the stack that made a piece, as far as it is known: else STACKS_NONE. */
uint32_t mapbook_stack(const struct mapbook *b, const struct tl_piece *p);

/* What a piece is named: "" for nothing. Borrowed. */
const char *mapbook_name(const struct mapbook *b, const struct tl_piece *p);

/* Reads the mappings as they are now, and decides what is open. 0 or -errno. */
int mapbook_settle(struct mapbook *b, struct err *e);

/* What is known, into *out: borrowed until the next mapbook_give or mapbook_close, or the reset of
 * the symbolizer, whose strings are in it. Events, losses and mapbook_settle leave it as it is, so
 * that another thread may read it meanwhile. 0 or -ENOMEM. */
int mapbook_give(struct mapbook *b, struct mappings_known *out);

#endif
