/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside `watch`: the stream from its start to its end, what its events change of what is known,
 * and what is put out. Functions return 0 or -errno.
 */
#ifndef RSSCOPE_OBSERVE_WATCH_IMPL_H
#define RSSCOPE_OBSERVE_WATCH_IMPL_H

#include "observe/bracket.h"
#include "observe/fold.h"
#include "observe/follow.h"
#include "observe/intake.h"
#include "observe/outlet.h"
#include "observe/sample.h"
#include "observe/watch.h"
#include "out/watch.h"
#include "proc/status.h"
#include "session/loop.h"
#include "session/session.h"

struct watch {
	const struct watch_opts *a;
	struct shelf *shelf; /* files of the target, and of those that are followed */
	struct session s;
	struct proc_status status; /* at the start */
	struct ev *ev;
	struct watch_text text;
	bool folds; /* text for people, bounded */
	struct fold fold;
	struct sampler sampler;
	struct bracket bracket;
	struct peak *peak; /* NULL: the heap's peak is not wanted */
	struct loop loop;
	struct outlet outlet;
	struct loop_fd signals, pidfd;
	struct loop_timer sample, deadline, stuck, folded;
	struct intake intake;
	uint64_t patience_ns; /* for a reader that takes nothing, after the end */
	struct watch_end end;
	struct follow follow;
	VEC(struct watch_advice) advice;
	VEC(uint32_t) lost; /* by CPU: what its last record said */
	bool ended, partial;
	bool abandoned; /* nobody takes what is left to write */
	bool told;	/* why figures of a cycle are missing */
};

/* ---- events (watch_event.c) */

int watch_event(struct watch *w, const struct event *e);

/* The target has called exec before there was a probe of that: what runs now is looked at, and
 * told. -ESRCH it has ended. */
int watch_exec_unseen(struct watch *w, struct err *e);

/* ---- what is put out beside events (watch_put.c) */

int watch_put_start(struct watch *w);
int watch_put_sample(struct watch *w, uint64_t now_ns);
int watch_put_end(struct watch *w);

/* ---- reports at the end (watch_report.c) */

/* What the target's heap held at its peak: its line, and its file. */
int watch_put_peak(struct watch *w);

/* Of the target and of the children that are still there. */
int watch_report(struct watch *w, struct err *e);

#endif
