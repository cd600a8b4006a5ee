/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of `watch`: what is said at its start, of each event, now and then, and at its end.
 * As text: a line each, for people. As JSON: an object a line, with its `type`. Both append to a
 * text and return 0 or -ENOMEM.
 */
#ifndef RSSCOPE_OUT_WATCH_H
#define RSSCOPE_OUT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "model/event/event.h"
#include "model/event/gc_cycle.h"
#include "model/report/report.h"
#include "out/text_report.h"

/* Wall clock minus CLOCK_MONOTONIC, ns, as of the start: events carry the latter. */
struct watch_clock {
	int64_t offset_ns;
};

struct watch_program {
	const char *name, *target, *reason;
	bool attached;
};

struct watch_start {
	int32_t pid;
	const char *comm, *exe, *go_version; /* may be NULL or "" */
	uint64_t now_ns;		     /* CLOCK_MONOTONIC */
	const struct watch_program *programs;
	size_t nprograms;
	bool has_overhead;
	/* what each system call of any process costs more while we watch, and one that maps */
	double overhead_ns, mapping_overhead_ns, overhead_noise_ns;
	/* parts that were asked for and are not there: "gc: why" */
	const char *const *missing;
	size_t nmissing;
};

/* What memory must not come to. Bytes. */
struct watch_limit {
	const char *name; /* static: "cgroup": its charge; "GOMEMLIMIT": what that governs */
	uint64_t used, limit;
	/* lately; absent when `used` does not rise */
	struct opt_u64 rate, seconds; /* bytes a second; until the limit at that rate */
};
enum { WATCH_LIMITS = 2 };

/* The process as /proc has it, now and then. Bytes. */
struct watch_sample {
	uint64_t now_ns;
	uint64_t rss, anon, file, shmem, swap, threads;
	uint64_t events, started, ended; /* since the last sample; threads */
	struct watch_limit limits[WATCH_LIMITS];
	size_t nlimits;
};

/* What the mapping calls came to. Bytes. */
struct watch_mappings {
	bool known;
	uint64_t calls, reordered, ambiguous, unseen, lost_regions, overflows;
	/* against the mappings at the end: settled is what was open and is decided by them */
	bool compared;
	uint64_t same, only_here, only_there, unknown, settled;
	/* of what is there: stacks that have grown, and what the kernel made on its own */
	uint64_t grown, kernel;
	/* of `same`: the protection is another one, or was open */
	uint64_t protection, protection_open;
	/* live ranges that were watched coming, and their callers' stacks */
	uint64_t ranges, bytes, stacks;
};

/* What madvise was called for. */
struct watch_advice {
	uint32_t advice;
	uint64_t calls, failed, bytes;
};

/* What was lost of one process. pid 0: of all that there was no room for. */
struct watch_loss {
	uint32_t pid;
	uint64_t lost, over_share; /* as in struct ev_losses */
};

struct watch_end {
	uint64_t now_ns, start_ns;
	const char *why; /* "signal", "duration", "exit", "output closed" */
	uint64_t events[KIND_COUNT];
	uint64_t failed;  /* calls that failed, among them */
	named_vec losses; /* all counters, by name */
	uint64_t lost;	  /* events that are missing, all told */
	struct watch_mappings mappings;
	const struct watch_advice *advice; /* borrowed */
	size_t nadvice;
	uint64_t followed, children_ended;   /* processes that were forked */
	const struct watch_loss *by_process; /* borrowed; only when children are followed */
	size_t nby_process;
};

/* A process that has become another program. Strings may be NULL or "". */
struct watch_exec {
	uint32_t pid;
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	const char *comm, *exe, *go_version;
	const char *no_gc; /* why its GC cycles are not watched */
};

/* A process that was followed and is there at the end. */
struct watch_child {
	uint32_t pid;
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	const char *comm, *exe;
	struct watch_mappings mappings;
};

/* What an event is held against: those before. */
struct watch_seen {
	struct watch_clock clock;
	struct gc_track gc;
	bool has_rss;
	struct event_rss rss;
	uint64_t brk; /* the break as last seen, 0: not yet */
};

/* Another program starts at its own beginning. */
static inline void seen_task(struct watch_seen *w, const struct event *e)
{
	if (e->type != EVENT_EXEC)
		return;
	gc_track_begin(&w->gc, 0, 0);
	w->brk = 0;
}

struct watch_text {
	struct watch_seen seen;
	struct text_style style;
	bool pids;    /* each line tells whose it is: */
	uint32_t pid; /* of the line under way */
};

int watch_text_start(struct watch_text *w, const struct watch_start *s, struct text *out);
/* frames: the named stack of a call (its own part, then the goroutine's), may be empty. */
int watch_text_event(struct watch_text *w, const struct event *e, const struct frame *frames,
		     size_t n, struct text *out);
int watch_text_sample(struct watch_text *w, const struct watch_sample *s, struct text *out);
/* `n` events of that CPU are missing between its last event and this one. */
int watch_text_lost(struct watch_text *w, const struct event *e, uint32_t n, struct text *out);

/* Calls of one stack, told together. */
struct watch_calls {
	int kind;    /* enum event_kind */
	int error;   /* errno of all of them, 0: they worked */
	uint64_t ns; /* CLOCK_MONOTONIC */
	uint64_t count, bytes;
	const char *caller; /* as watch_text_caller gives it; may be NULL */
};
int watch_text_calls(struct watch_text *w, const struct watch_calls *c, struct text *out);
/* The caller alone, as at the end of a call's line. */
int watch_text_caller(const struct watch_text *w, const struct frame *f, size_t n,
		      struct text *out);
/* "  (96 more)" and the end of the line. */
int watch_text_more(uint64_t n, struct text *out);
/* Events that have no line of their own; events that are lost, on whichever CPU. */
int watch_text_rest(struct watch_text *w, uint64_t now_ns, uint64_t n, uint64_t bytes,
		    struct text *out);
int watch_text_gap(struct watch_text *w, uint64_t now_ns, uint64_t n, struct text *out);
int watch_text_exec(struct watch_text *w, const struct watch_exec *x, struct text *out);
int watch_text_child(struct watch_text *w, const struct watch_child *c, struct text *out);
/* Before the report; nothing where it is not known. */
int watch_text_peak(const struct text_style *s, const struct report_peak *k, struct text *out);
int watch_text_end(struct watch_text *w, const struct watch_end *e, struct text *out);

/* A line as GODEBUG=gctrace=1 has it; "?" for what is not known. scans: with the sizes of stacks
 * and globals, as from Go 1.18 on. */
int watch_gctrace(const struct event_gc *g, bool scans, struct text *out);

/* JSON Schema (draft-07) of the lines, and of nothing but them. */
const char *watch_json_schema(void);
int watch_json_start(const struct watch_clock *c, const struct watch_start *s, struct text *out);
int watch_json_event(struct watch_seen *w, const struct event *e, const struct frame *frames,
		     size_t n, struct text *out);
int watch_json_sample(const struct watch_clock *c, const struct watch_sample *s, struct text *out);
int watch_json_lost(const struct watch_clock *c, const struct event *e, uint32_t n,
		    struct text *out);
/* One live mapping as it is known, before it is compared: for tests. prot: as in /proc/PID/maps. */
int watch_json_mapping(uint32_t pid, uint64_t start, uint64_t stop, const char *origin,
		       const char *prot, const char *name, struct text *out);
int watch_json_exec(const struct watch_clock *c, const struct watch_exec *x, struct text *out);
int watch_json_child(const struct watch_clock *c, const struct watch_child *p, struct text *out);
/* why: it is not known. */
int watch_json_peak(uint32_t pid, const struct report_peak *k, const char *why, struct text *out);
int watch_json_end(const struct watch_clock *c, const struct watch_end *e, struct text *out);

#endif
