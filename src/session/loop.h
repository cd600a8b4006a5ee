/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: descriptors, timers, and streams that may never run dry. A turn serves each timer
 * that is due and each descriptor that is ready once, then gives each stream one batch within its
 * budget. So a signal, a deadline or a sample waits for one batch of each stream at most, whatever
 * their rate.
 *
 * Members of the loop are the caller's, who sets them before they are added and keeps them until
 * they are removed or the loop is closed. Functions return 0 or -errno, which ends the turn; they
 * may add and remove members and change timers.
 */
#ifndef RSSCOPE_SESSION_LOOP_H
#define RSSCOPE_SESSION_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct loop_fd {
	int fd;	      /* −1: left out */
	short events; /* POLLIN, POLLOUT or 0: errors alone */
	int (*fn)(void *ctx, short revents);
	void *ctx;
};

struct loop_timer {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0: off, as it is again when fn is called */
	int (*fn)(void *ctx, uint64_t now_ns);
	void *ctx;
};

/* What is left of a batch. */
struct loop_budget {
	unsigned int items;
	uint64_t until_ns;
};

/* Takes one item: false when that was the last one of this batch. */
bool loop_budget_take(struct loop_budget *b);

struct loop_stream {
	int fd;		    /* readable when there is something; −1: none */
	uint64_t every_ns;  /* asked at least so often, though fd is silent; 0: never */
	unsigned int items; /* of a batch at most */
	uint64_t ns;	    /* of a batch at most, as loop_budget_take sees it */
	bool paused;	    /* not asked, whatever there is; the caller's to set */
	bool more;	    /* the last batch ended before the stream was dry */
	uint64_t last_ns;   /* when it was asked last */
	/* 1: there may be more; 0: it is dry; -errno. */
	int (*fn)(void *ctx, struct loop_budget *b);
	void *ctx;
};

struct loop {
	VEC(struct loop_fd *) fds;
	VEC(struct loop_timer *) timers;
	VEC(struct loop_stream *) streams;
	VEC(struct pollfd) polled; /* of the turn */
};

/* 0 or -ENOMEM. */
int loop_add_fd(struct loop *l, struct loop_fd *f);
int loop_add_timer(struct loop *l, struct loop_timer *t);
int loop_add_stream(struct loop *l, struct loop_stream *s);
/* One that is not there is no error. It is not called again, in this turn neither. */
void loop_remove_fd(struct loop *l, const struct loop_fd *f);
void loop_remove_timer(struct loop *l, const struct loop_timer *t);
void loop_remove_stream(struct loop *l, const struct loop_stream *s);

/* When something is due though no descriptor becomes ready: now or before: at once; UINT64_MAX:
 * never. ns. */
uint64_t loop_due(const struct loop *l, uint64_t now_ns);

/* Waits until something is ready or due, and serves it. 0, the first function's -errno, or that of
 * poll(2). A signal that is not blocked ends the wait and is no error. */
int loop_turn(struct loop *l);

void loop_close(struct loop *l); /* safe on a zeroed struct, and twice */

#endif
