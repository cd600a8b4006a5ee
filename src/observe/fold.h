/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events for people, about ten lines a second at most: some are put out as they come; what comes
 * beyond that in the same second, and what repeats the last line, is kept and put out at its end:
 * calls of one stack as one line with their number and bytes, of RSS steps and GC cycles the last,
 * and how much there was besides.
 */
#ifndef RSSCOPE_OBSERVE_FOLD_H
#define RSSCOPE_OBSERVE_FOLD_H

#include "base/vec.h"
#include "model/event/event.h"
#include "out/watch.h"

struct fold_key {
	uint64_t stack; /* of a call; else 0 */
	uint32_t pid;
	int32_t kind, error;
};

struct fold_entry {
	struct fold_key key;
	uint64_t first_ns, count, bytes;
	struct text line;   /* of the last one; of calls: of the first */
	struct text caller; /* of calls */
	bool has_from;	    /* RSS before the first of them */
	struct event_rss from;
};

struct fold {
	VEC(struct fold_entry) v;
	uint64_t since_ns;   /* when this second began, CLOCK_MONOTONIC */
	unsigned int direct; /* lines put out as they came in it */
	struct fold_key last;
	uint64_t rest, rest_bytes; /* events beyond what is kept */
	uint64_t lost;
};

enum {
	FOLD_DIRECT = 4, /* lines of a second as they come */
	FOLD_LINES = 5,	 /* at its end, and one or two for the rest */
	FOLD_KEPT = 128, /* entries; twice as many of what matters most */
};

/* As watch_text_event, now or later. 0 or -ENOMEM. */
int fold_event(struct fold *f, struct watch_text *w, const struct event *e,
	       const struct frame *frames, size_t n, uint64_t now_ns, struct text *out);
/* As watch_text_lost. */
void fold_lost(struct fold *f, uint64_t n, uint64_t now_ns);

/* For a line of another kind: whether it may be put out now; else it counts as one of the rest. */
bool fold_direct(struct fold *f);

/* When fold_flush is due; 0: nothing is kept. */
uint64_t fold_due(const struct fold *f);
/* Puts out what is kept. 0 or -ENOMEM. */
int fold_flush(struct fold *f, struct watch_text *w, uint64_t now_ns, struct text *out);
void fold_free(struct fold *f); /* safe on a zeroed struct */

#endif
