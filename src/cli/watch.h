/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside `watch`: what is known of the target before and while it is watched. */
#ifndef RSSCOPE_CLI_WATCH_H
#define RSSCOPE_CLI_WATCH_H

#include "collect/collect.h"
#include "session/files.h"
#include "symbol/symbolize.h"
#include "event/ev.h"
#include "goruntime/cache.h"
#include "goruntime/goruntime.h"
#include "model/findings/pace.h"
#include "model/report/report.h"
#include "model/findings/trend.h"
#include "out/watch.h"
#include "source/memsrc.h"
#include "proc/status.h"

struct watch_target {
	struct memsrc *m;	/* borrowed */
	struct go_cache *cache; /* borrowed, may be NULL */
	struct go_facts known;	/* of the binary in `go` */
	struct proc_status status;
	char exe[4096];
	struct bin *bin; /* NULL: can't be read */
	uint64_t bias;
	struct libs libs;  /* when the executable is not Go's */
	struct go_file go; /* where the Go runtime is; its bin is NULL: nowhere */
	struct symbolizer *names;
	bool has_go; /* rt is open */
	struct go_runtime rt;
	struct ev_gc gc;
	uint64_t work, controller; /* where the words of a cycle are; 0: not known */
	bool settled;	    /* what the words say has been held against what a cycle left behind */
	unsigned int tries; /* to settle, after a GC cycle */
	unsigned int opens; /* of a runtime that was not there yet */
	uint64_t next_open_ns;
	char no_gc[256];    /* why GC cycles can't be watched; "" when they can */
	char no_words[512]; /* what of a cycle is not known, and why; "" when all is */
};

/* Fills *t from the live process behind m. 0 or -errno; what is missing for GC events alone is no
 * failure. The caller ends it with watch_target_close in any case. */
int watch_target_open(struct memsrc *m, struct go_cache *c, struct watch_target *t, struct err *e);
void watch_target_close(struct watch_target *t);

/* Of a process that was just forked: its names alone. 0 or -errno; watch_target_close in any case.
 */
int watch_target_begin(struct memsrc *m, struct go_cache *c, struct watch_target *t, struct err *e);

/* The way from a thread to the goroutine it works for; off where it is not known. */
void watch_target_gopath(const struct watch_target *t, struct ev_gopath *out);

/* Where the executable's file holds the functions at whose entry a GC cycle is over, and begins:
 * sets gc->offset, start_offset (0: not there), start_arg. text: see binary.h, 0 when not known;
 * known may be NULL. */
void watch_gc_places(struct go_facts *known, struct bin *b, uint64_t text, struct ev_gc *gc);

/* Fills t->gc.words, t->no_words, t->settled from what is known of the runtime. */
void watch_words_set(struct watch_target *t);

/* The last cycle before watching begins, as the runtime has it. */
void watch_words_track(struct watch_target *t, struct gc_track *out);

/* Between two samples; all zeros to begin with. */
struct watch_sampler {
	uint64_t events, started, ended;
	struct pace pace[WATCH_LIMITS];
};

void watch_sample_count(struct watch_sampler *s, const struct event *e);
/* 0 or -errno: it ends. What can't be had of the limits is left out. */
int watch_sample_take(struct watch_sampler *s, struct watch_target *t, uint64_t now_ns,
		      struct watch_sample *out);

/* Looks at the beginning and at the end; all zeros to begin with. */
struct watch_looks {
	bool has;
	struct report first;
	struct trend live; /* what each cycle left alive */
};

/* Without one, findings that need two looks are not made. */
void watch_look_first(struct watch_looks *l, pid_t pid, struct go_cache *c);
void watch_look_cycle(struct watch_looks *l, const struct event_gc *g);
void watch_look_free(struct watch_looks *l);

/* The process has called exec: all is looked up anew, with m, which was opened since (the old one
 * is of a memory that is gone), and the probe of its cycles is set. Its runtime is not up yet:
 * watch_target_tick finds that, and with it the figures of cycles and the way to goroutines. 0, or
 * -errno: it has ended. */
int watch_target_exec(struct watch_target *t, struct memsrc *m, struct ev *ev);

/* After a cycle: looks again for what could not be found in a heap that had hardly begun, and
 * whether what was found holds; tells the probes when that has changed. */
void watch_target_tick(struct watch_target *t, struct ev *ev);

/* Between batches of events: names may be looked up anew, a runtime that was not up may be now. */
void watch_target_turn(struct watch_target *t, struct ev *ev);

#endif
