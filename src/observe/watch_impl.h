/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside `watch`: the stream from its start to its end, what its events change of what is known,
 * and what is put out. Functions return 0 or -errno.
 */
#ifndef RSSCOPE_OBSERVE_WATCH_IMPL_H
#define RSSCOPE_OBSERVE_WATCH_IMPL_H

#include "observe/bracket.h"
#include "observe/follow.h"
#include "observe/sample.h"
#include "observe/watch.h"
#include "out/watch.h"
#include "session/mapbook.h"
#include "session/program.h"

struct watch {
	const struct watch_opts *a;
	struct program t;
	struct memsrc *own; /* of what the target has become by an exec; t.m is it then */
	struct ev *ev;
	struct watch_text text;
	struct sampler sampler;
	struct bracket bracket;
	struct text out; /* of one poll: written at its end */
	struct watch_end end;
	bool has_book;
	struct mapbook book;
	struct follow follow;
	VEC(struct watch_advice) advice;
	VEC(uint32_t) lost; /* by CPU: what its last record said */
	uint64_t next_sample_ns;
	int write_rc; /* of standard output: 0 or -errno */
	bool ended, partial;
	bool told; /* why figures of a cycle are missing */
};

/* ---- events (watch_event.c) */

/* As ev_poll's function; ctx: the struct watch. */
int watch_event(void *ctx, const struct event *e);

/* ---- what is put out beside events (watch_put.c) */

int watch_put_start(struct watch *w);
int watch_put_sample(struct watch *w, uint64_t now_ns);
int watch_put_end(struct watch *w);

/* Writes what has been put out so far. */
int watch_flush(struct watch *w);

/* ---- reports at the end (watch_report.c) */

/* Of the target and of the children that are still there. */
int watch_report(struct watch *w, struct err *e);

#endif
