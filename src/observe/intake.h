/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events as a stream of the loop: in batches, within a budget, as fast as the output takes what
 * they make; and now and then the regions in which events were lost.
 */
#ifndef RSSCOPE_OBSERVE_INTAKE_H
#define RSSCOPE_OBSERVE_INTAKE_H

#include "event/ev.h"
#include "observe/outlet.h"
#include "session/loop.h"

struct intake {
	struct loop_stream ring; /* its fn, with ctx, calls intake_batch */
	struct outlet *out;	 /* borrowed: a batch ends where it is full */
	/* Each returns 0, or -errno, which ends the batch. */
	int (*event)(void *ctx, const struct event *e);
	int (*losses)(void *ctx, const struct ev_region *g, size_t n); /* n may be 0 */
	/* the rest is its own */
	struct ev *ev;
	uint64_t losses_ns; /* when they were booked last */
};

/* Reads ev, which is borrowed, from here on. event, losses, out, ring.fn and ring.ctx (theirs, too)
 * are set before; the caller adds `ring` to its loop. */
void intake_begin(struct intake *t, struct ev *ev);

/* One batch. 1: there may be more; 0: the ring is empty; -errno: of the source or the callbacks. */
int intake_batch(struct intake *t, struct loop_budget *budget);

/* Books what was lost up to now. 0 or -errno. */
int intake_losses(struct intake *t);

/* Nothing is read while the output is full. To be called at each turn. */
void intake_pace(struct intake *t);

#endif
