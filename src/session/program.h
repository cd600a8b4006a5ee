/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that a live process runs, while it is watched: its files, names of its code, where
 * the Go runtime is, and which variables of it are read when a GC cycle ends.
 */
#ifndef RSSCOPE_SESSION_PROGRAM_H
#define RSSCOPE_SESSION_PROGRAM_H

#include "event/ev.h"
#include "goruntime/cache.h"
#include "goruntime/goruntime.h"
#include "model/event/gc_cycle.h"
#include "proc/status.h"
#include "session/files.h"
#include "source/memsrc.h"
#include "symbol/symbolize.h"

struct program {
	struct memsrc *m;	/* borrowed */
	struct shelf *shelf;	/* borrowed; NULL: its files are its own */
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
	struct ev_gc gc;	   /* without the file: see program_gc */
	uint64_t work, controller; /* where the words of a cycle are; 0: not known */
	bool settled;	    /* what the words say has been held against what a cycle left behind */
	unsigned int tries; /* to settle, after a GC cycle */
	unsigned int opens; /* of a runtime that was not there yet */
	uint64_t next_open_ns;
	char no_gc[256];    /* why GC cycles can't be watched; "" when they can */
	char no_words[512]; /* what of a cycle is not known, and why; "" when all is */
};

/* Fills *p from the live process behind m, with its files on a shelf that others share (NULL: on
 * its own), which outlives it. 0 or -errno; what is missing for GC events alone is no failure. The
 * caller ends it with program_close in any case, before m. */
int program_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct program *p,
		 struct err *e);
/* Nothing is known of it any more, names among it: all but m, the shelf and the cache is zero. */
void program_close(struct program *p);

/* The process has called exec, and ended before it could be looked at. As program_close, but names
 * stays, where it was there: of an address space of which nothing is known. */
void program_forget(struct program *p);

/* Of a process that was just forked: its names alone. 0 or -errno; program_close in any case. */
int program_begin(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct program *p,
		  struct err *e);

/* Where the probes of its cycles go, with the file that was analysed: its descriptor is borrowed
 * until the next read of a binary. offset 0: nowhere, no_gc says why. */
void program_gc(struct program *p, struct ev_gc *out);

/* The way from a thread to the goroutine it works for; off where it is not known. */
void program_gopath(const struct program *p, struct ev_gopath *out);

/* The process has called exec: all is looked up again, with m, which was opened since (the old one
 * is of a memory that is gone), and the probe of its cycles is set. Its runtime is not up yet:
 * program_tick finds that, and with it the figures of cycles and the way to goroutines. 0, or
 * -errno: it has ended, or has called exec once more, which will be the next event; it is closed
 * then. */
int program_exec(struct program *p, struct memsrc *m, struct ev *ev);

/* The same with the memory that the process has now: in *own, which is closed before and may be
 * NULL. Where that can't be opened (the process has ended) *own stays, and p is as after
 * program_forget. */
int program_reopen(struct program *p, pid_t pid, struct memsrc **own, struct ev *ev);

/* After a cycle: looks again for what could not be found in a heap that had hardly begun, and
 * whether what was found holds; tells the probes when that has changed. */
void program_tick(struct program *p, struct ev *ev);

/* Between batches of events: names may be looked up again, a runtime that was not up may be now. */
void program_turn(struct program *p, struct ev *ev);

/* ---- gc_places.c */

/* Where the executable's file holds the functions at whose entry a GC cycle is over, and begins:
 * sets gc->offset, start_offset (0: not there), their code, start_arg. text: see binary.h, 0 when
 * not known; known may be NULL. */
void gc_places_find(struct go_facts *known, struct bin *b, uint64_t text, struct ev_gc *gc);

/* ---- gc_words.c */

/* Fills p->gc.words, p->no_words, p->settled from what is known of the runtime. */
void gc_words_set(struct program *p);

/* The last cycle before watching begins, as the runtime has it. */
void gc_words_track(struct program *p, struct gc_track *out);

#endif
