/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The GC cycles of a session's program: where their probes go, and which variables of its runtime
 * are read when one ends. Of a process with several runtimes it is the first one's, as session.go
 * has them.
 */
#ifndef RSSCOPE_SESSION_GC_H
#define RSSCOPE_SESSION_GC_H

#include "event/ev.h"
#include "goruntime/facts.h"
#include "model/event/gc_cycle.h"

struct session;

struct session_gc {
	struct bin *bin; /* the file that has the runtime, one of session.go; NULL: none */
	uint64_t bias;
	struct go_facts known;	   /* of it */
	struct ev_gc at;	   /* without the file: see session_gc_probe */
	bool ready;		   /* words have been looked for in the runtime */
	uint64_t work, controller; /* where the words of a cycle are; 0: not known */
	bool settled;	    /* what the words say has been held against what a cycle left behind */
	unsigned int tries; /* to settle, after a GC cycle */
	unsigned int opens; /* of a runtime that was not there yet */
	uint64_t next_open_ns;
	char no_gc[256];    /* why GC cycles can't be watched; "" when they can */
	char no_words[512]; /* what of a cycle is not known, and why; "" when all is */
};

/* Fills s->gc from the files and runtimes of s as they are; what is missing is no failure. */
void session_gc_find(struct session *s);

/* Where the probes go (that of the heap's growth only with s->heap_growth), with the file that was
 * analysed: its descriptor is borrowed until the next read of a binary. offset 0: nowhere, no_gc
 * says why. */
void session_gc_probe(struct session *s, struct ev_gc *out);

/* The runtime whose cycles these are; NULL: it is not known. */
const struct go_runtime *session_gc_runtime(struct session *s);

/* The last cycle before watching begins, as the runtime has it. */
void session_gc_track(struct session *s, struct gc_track *out);

/* After a cycle: looks again for what could not be found in a heap that had hardly begun, and
 * whether what was found holds; tells the probes when that has changed. */
void session_gc_tick(struct session *s, struct ev *ev);

/* The way from a thread to the goroutine it works for; off where it is not known. */
void session_gopath(struct session *s, struct ev_gopath *out);
/* The same of one of session.go; NULL: off. */
struct session_go;
void session_go_path(const struct session_go *g, struct ev_gopath *out);

/* ---- gc_places.c */

/* Where the executable's file holds the functions at whose entry a GC cycle is over, and begins,
 * and the heap grows: sets gc->offset, start_offset, grow_offset (0: not there), their code,
 * start_arg. text: see binary.h, 0 when not known; known may be NULL. */
void gc_places_find(struct go_facts *known, struct bin *b, uint64_t text, struct ev_gc *gc);

#endif
