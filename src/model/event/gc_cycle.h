/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an event of a GC cycle means beside the one before it: what started the cycle, how fast the
 * program allocates, how much of the CPU its marking took from those that allocate.
 */
#ifndef RSSCOPE_MODEL_EVENT_GC_CYCLE_H
#define RSSCOPE_MODEL_EVENT_GC_CYCLE_H

#include "model/event/event.h"
#include "model/report/report.h"

enum gc_trigger {
	GC_TRIGGER_UNKNOWN,
	GC_TRIGGER_HEAP,   /* the heap came near its goal */
	GC_TRIGGER_PERIOD, /* two minutes without a cycle */
	GC_TRIGGER_FORCED, /* runtime.GC, which debug.FreeOSMemory calls too */
};

/* How that is known. */
enum gc_witness {
	GC_BY_NOTHING,
	GC_BY_START,	/* the argument of runtime.gcStart */
	GC_BY_FORCED,	/* work.userForced */
	GC_BY_INTERVAL, /* how long it is after the cycle before: an inference */
};

/* The cycle before. All zeros: nothing is known of it. */
struct gc_track {
	bool known; /* cycle and end_ns are */
	uint64_t cycle, end_ns;
	struct opt_u64 marked, mark_term_ns; /* bytes it left, and when */
};

struct gc_cycle {
	enum gc_trigger trigger;
	enum gc_witness witness;
	struct opt_u64 interval_ns;	   /* from the end of the cycle before to its start */
	struct opt_u64 allocated, over_ns; /* bytes since the marking before ended, and that time */
	struct opt_u64 rate;		   /* allocated bytes a second */
	/* CPU time of marking, ns; the share of what all Ps had in that time that goroutines which
	 * allocate had to give, thousandths */
	struct opt_u64 assist_ns, dedicated_ns, fractional_ns, idle_ns, assist_permille;
};

/* What the runtime says of its last cycle when watching begins: memstats.numgc and
 * last_gc_nanotime, ns (0: there was none). */
void gc_track_begin(struct gc_track *t, uint64_t cycle, uint64_t end_ns);

/* Figures of the cycle, which becomes the one before the next. Pure. */
void gc_track_next(struct gc_track *t, const struct event_gc *g, struct gc_cycle *out);

/* "heap", "period", "forced"; NULL when not known. */
const char *gc_trigger_name(enum gc_trigger t);
/* "gcStart", "work.userForced", "interval"; NULL for none. */
const char *gc_witness_name(enum gc_witness w);

/* Whether it was debug.FreeOSMemory that called runtime.GC, by the names of a cycle's stack. */
bool gc_frees(const struct frame *f, size_t n);

#endif
