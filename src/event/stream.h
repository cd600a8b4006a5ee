/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside event/: what a source is. It yields records as bytes; decode.c decodes, stream.c filters.
 */
#ifndef RSSCOPE_EVENT_STREAM_H
#define RSSCOPE_EVENT_STREAM_H

#include "base/vec.h"
#include "event/ev.h"

#include <rsscope/wire.h>

/* Takes one record (borrowed for the call). Non-zero: stop after this one. */
typedef int ev_record_fn(void *ctx, const void *rec, size_t len);

struct ev_ops {
	/* Waits up to timeout_ms, then hands over what is there. 0, -ENODATA when the source has
	 * ended, -errno. A stop by fn is 0. */
	int (*poll)(struct ev *s, int timeout_ms, ev_record_fn *fn, void *ctx);
	void (*stop)(struct ev *s);						/* may be NULL */
	int (*set_words)(struct ev *s, pid_t pid, const struct ev_word *words); /* may be NULL */
	int (*set_gc)(struct ev *s, pid_t pid, const struct ev_gc *gc,
		      struct err *e);						/* may be NULL */
	int (*set_gopath)(struct ev *s, pid_t pid, const struct ev_gopath *go); /* may be NULL */
	int (*add)(struct ev *s, const struct ev_target *t, uint32_t *groups,
		   struct err *why);					      /* may be NULL */
	void (*drop)(struct ev *s, pid_t pid);				      /* may be NULL */
	int (*set_groups)(struct ev *s, pid_t pid, uint32_t groups);	      /* may be NULL */
	int (*losses)(const struct ev *s, pid_t pid, struct ev_losses *out);  /* may be NULL */
	int (*rss)(const struct ev *s, pid_t pid, struct event_rss *out);     /* may be NULL */
	int (*lost_regions)(struct ev *s, struct ev_region **out, size_t *n); /* may be NULL */
	int (*advice)(const struct ev *s, pid_t pid, struct ev_advice **out,
		      size_t *n); /* may be NULL */
	/* Fills n[0..RSC_N_COUNT) with the sums over the CPUs. */
	void (*counters)(const struct ev *s, uint64_t *n);
	/* How often the kernel left a program out: may be NULL. */
	uint64_t (*not_run)(const struct ev *s);
	void (*close)(struct ev *s); /* frees s */
};

/* A cycle's end as it was told. */
struct ev_cycle {
	uint32_t tgid, tid;
	uint64_t ns; /* CLOCK_MONOTONIC */
	bool numbered;
	uint64_t cycle; /* where it is */
};

/* A call of runtime.gcStart. */
struct ev_gc_start {
	uint32_t tgid;
	uint64_t ns;   /* CLOCK_MONOTONIC */
	uint32_t kind; /* enum gc_kind, or more: not known */
	uint16_t nstack;
	uint64_t stack[EVENT_GC_STACK]; /* return addresses */
};

/* The part that all sources share; the first member of each. */
struct ev {
	const struct ev_ops *ops;
	int fd; /* −1: none */
	uint32_t groups;
	bool follows;
	uint64_t undecoded;  /* records that no decoder understands */
	uint64_t duplicates; /* GC records of a cycle that was already told */
	/* The last cycle that was told, by process. */
	VEC(struct ev_cycle) gc;
	VEC(struct ev_gc_start) starts; /* whose cycle has not been told yet */
	const struct ev_program *programs;
	size_t nprograms;
	bool has_overhead;
	struct ev_overhead overhead;
};

/* One record as a value. -EINVAL: not a record; -ENOTSUP: of a type that is not known. *out is
 * untouched unless 0. `rec` needs no alignment. */
int ev_decode(const void *rec, size_t len, struct event *out);

/* The same of a record that is no event by itself. -ENOTSUP: of another type. */
int ev_decode_gc_start(const void *rec, size_t len, struct ev_gc_start *out);

/* Keeps it for its cycle (gc_start.c). */
void gc_start_keep(struct ev *s, const struct ev_gc_start *g);
/* What began the cycle, into e->gc. */
void gc_start_join(struct ev *s, struct event *e);
/* Of a process that has ended or is another program. */
void gc_start_forget(struct ev *s, uint32_t tgid);

#endif
