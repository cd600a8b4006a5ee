/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Go heap held when it was largest, while its process is watched: a thread of its own, with
 * a session of its own, reads the profiler's buckets when the heap has grown, and keeps the largest
 * that it has seen (peak_pace.h says when). The spike may last some hundred milliseconds: the one
 * who takes in events says that something grew, and is not held up.
 */
#ifndef RSSCOPE_OBSERVE_PEAK_H
#define RSSCOPE_OBSERVE_PEAK_H

#include "collect/held.h"
#include "event/ev.h"
#include "model/event/event.h"
#include "observe/peak_pace.h"

struct peak;

/* Begins, after the probes are there and privileges are given up: ev says how growth is told. The
 * process need not be a Go program yet; it is left alone for wait_ns. cache is borrowed, may be
 * NULL. -errno: there is no thread, or no memory. */
int peak_open(pid_t pid, struct go_cache *cache, const struct ev *ev, uint64_t wait_ns,
	      struct peak **out);

/* An event of the process: its heap or its RSS is larger than ever, or it is another program. */
void peak_event(struct peak *p, const struct event *e, const struct ev *ev); /* p may be NULL */

/* Ends the thread; where the process is still there, its heap is asked for once more. Idempotent.
 */
void peak_stop(struct peak *p); /* NULL-safe */
void peak_close(struct peak *p);

/* What is known now: *out is empty (heap is absent) where there is nothing, and *why has the
 * reason, "" when the process is no Go program. The names need the files of the process, which are
 * open. 0 or -ENOMEM. */
int peak_report(struct peak *p, struct report_peak *out, struct err *why);

/* Writes it as pprof has it. 0; -ENOENT: there is nothing, for the reason given; -errno. */
int peak_write(struct peak *p, int fd, struct err *e);

#endif
