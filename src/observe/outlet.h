/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a stream is written: a reader that is slow, or has stopped, holds up nothing but the
 * stream. What can't be written yet is kept, so much that the caller knows when to stop adding.
 */
#ifndef RSSCOPE_OBSERVE_OUTLET_H
#define RSSCOPE_OBSERVE_OUTLET_H

#include "base/text.h"
#include "session/loop.h"

/* Kept bytes from which on `full`: nothing more should be taken from a stream. */
enum { OUTLET_FULL = 1 << 20 };

struct outlet {
	struct text out; /* the caller appends here, then calls outlet_flush */
	int rc;		 /* of writing: 0 or -errno; then all is dropped */
	/* the rest is its own */
	struct loop *loop;
	struct loop_fd fd;
	size_t at;	   /* bytes of `out` that are written */
	bool file;	   /* writing never waits for a reader */
	bool no_nowait;	   /* the descriptor knows no RWF_NOWAIT */
	uint64_t since_ns; /* nothing has been taken since then; 0: nothing is left */
};

/* fd is borrowed, and stays as it is: others may share it. The loop writes when fd takes more. 0 or
 * -ENOMEM. */
int outlet_open(struct outlet *o, struct loop *l, int fd);
void outlet_close(struct outlet *o); /* drops what is left; safe on a zeroed struct */

/* Writes what fd takes without waiting. 0 or o->rc. */
int outlet_flush(struct outlet *o);

/* Bytes that are not written yet. */
size_t outlet_left(const struct outlet *o);
bool outlet_full(const struct outlet *o);

/* For how long nothing has been taken though there was something, ns. */
uint64_t outlet_stuck_ns(const struct outlet *o, uint64_t now_ns);

/* Tells that what is left is given up; on standard error, unless nobody reads that either. */
void outlet_warn_left(const struct outlet *o);

#endif
