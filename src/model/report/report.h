/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at one target: all facts that `report` prints, in one value. collect/ fills it, out/
 * prints it, findings are made from it. A figure that is not known is absent (has_… false, or not
 * in the list), never 0, and `missing` names it.
 */
#ifndef RSSCOPE_MODEL_REPORT_REPORT_H
#define RSSCOPE_MODEL_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/vec.h"
#include "model/ledger/ledger.h"
#include "model/report/histogram.h"

struct opt_u64 {
	bool has;
	uint64_t v;
};
#define OPT(x) ((struct opt_u64){ .has = true, .v = (x) })

/* A named integer: a runtime metric, a kernel row, a loss counter. */
struct named_u64 {
	char name[72];
	uint64_t v;
};
typedef VEC(struct named_u64) named_vec;

enum reclaim { RECLAIM_ROW_NO, RECLAIM_ROW_YES, RECLAIM_ROW_PART };

struct cgroup_out_row {
	char name[40];
	uint64_t bytes;
	enum reclaim reclaimable;
};

struct missing {
	char *path;   /* JSON path of what is absent, e.g. "go.metrics", "ledger[].pss" */
	char *reason; /* why */
	char *needs;  /* what would bring it; "" when nothing can */
	bool always;  /* so in every snapshot of this host or binary, or of every program before
		       * its first GC cycle: in JSON, not in text */
};

/* Places of the program, by code that stands behind memory; of a ledger's category. */
struct report_frame {
	uint64_t addr;
	char *func, *file, *module; /* owned; NULL: not known */
	uint32_t line;
};
typedef VEC(struct report_frame) report_frames;

struct report_site {
	struct opt_u64 bytes, count;
	struct opt_u64 used; /* of bytes, of stacks */
	char *name;	     /* of types: the type's; NULL: it is a place in code. Owned, as are */
	char *waits;	     /* of goroutines: "a channel send"; NULL: not known */
	char *creator;	     /* the function whose go statement made them; NULL: not known */
	int caller;	     /* index of the frame that a person would name; −1: none */
	report_frames stack; /* innermost first */
};

struct report_profile {
	enum category cat;
	char type[16]; /* "heap", "goroutine", "buckets": what it says of the category */
	struct opt_u64 bytes, count; /* of all, also of those that are not listed */
	struct opt_u64 samples;	     /* sampled objects that it rests on, where it is an estimate */
	VEC(struct report_site) sites; /* those that explain most first */
};

enum unit { UNIT_BYTES, UNIT_COUNT, UNIT_PERCENT, UNIT_SECONDS, UNIT_NS, UNIT_KINDS };

struct evidence {
	char *name;
	uint64_t value;
	enum unit unit;
	char *source; /* JSON path of the figure, or how it was computed from others */
};

enum severity { SEV_INFO, SEV_WARNING, SEV_CRITICAL };

struct finding {
	const char *id; /* static */
	enum severity severity;
	char *summary;
	VEC(struct evidence) evidence;
	VEC(char *) advice;
	char *next;	/* the command that shows more; NULL: none */
	uint64_t bytes; /* that it explains: the order of findings of one severity */
};
typedef VEC(struct finding) finding_vec;

struct report_target {
	int32_t pid, ns_pid; /* ns_pid 0: unknown */
	char comm[64];
	char *exe, *cmdline, *cgroup; /* owned; may be NULL */
	char container_id[80];
	uint64_t start_time_unix_ns; /* 0: unknown; moves with the host's clock */
	uint64_t start_ticks;	     /* the same in clock ticks after boot: exact; 0: unknown */
	char go_version[128];	     /* "" when not Go */
	char module[256];
	char *go_file; /* the library that holds the Go runtime; NULL: the executable. Owned */
	char build_id[80];
	bool is_go, has_binary, stripped, pie, cgo;
};

struct report_go {
	bool known;		  /* the runtime's books were read */
	char identified_by[160];  /* "build info + allspans + self-check" */
	char layout[64];	  /* "go1.19.4–go1.19.13 amd64" */
	named_vec metrics;	  /* runtime/metrics names → values (bytes, counts, percent) */
	histogram_vec histograms; /* runtime/metrics names: pauses, scheduling latencies */
	struct opt_u64 cycles, last_end_unix_ns, last_pause_ns, goal, live, memory_limit;
	bool has_gogc;
	int64_t gogc; /* percent; −1: off */
	struct opt_u64 goroutines;
	named_vec by_state; /* "running", "waiting", … */
	struct opt_u64 spans, retries;
	/* goroutines that have ended: their descriptors (runtime.g) are used again, never freed */
	struct opt_u64 dead_goroutines, descriptor_size; /* bytes of heap that each takes */
	/* stacks of those that are alive: their sizes, and of these what is used */
	struct opt_u64 stack_bytes, stack_used;
	struct { /* the size class whose spans hold most free slots, bytes of address space */
		struct opt_u64 size, spans, bytes, objects, free; /* size: of a slot */
	} sparse;
	/* ready to run and not done; from 1.25 on cleanups have a queue of their own, before 1.24
	 * there are none */
	struct opt_u64 finalizers_waiting, cleanups_waiting;
	/* the function that runs, or blocks, as one of them, and that the others wait for; "":
	 * none, or not known (then `missing` says so) */
	char finalizer_running[256], cleanup_running[256];
};

/* A Go runtime beside the main one. */
struct report_runtime {
	char *image; /* the file that it lies in; owned */
	char go_version[128], module[256];
	struct report_go go;
};

/* Mapped memory by the stack that asked for it: of a process whose mapping calls were watched. */
struct report_origin {
	enum category cat;	  /* of most of its resident bytes; go/heap for all its parts */
	uint64_t bytes, resident; /* mapped; of these in memory */
	uint64_t count;		  /* ranges */
	int caller;		  /* index of the frame that a person would name; −1: none */
	report_frames stack;
};

/* Where a part of the heap was allocated. */
struct report_peak_row {
	struct report_origin site; /* stack and caller; bytes, and objects as count: estimates */
	uint64_t low, high;	   /* bytes: 95 % of such samples are of a heap that lies here */
	uint64_t samples;	   /* objects that were sampled */
};

/* What the Go heap held when it was largest, of a process that is watched. */
struct report_peak {
	uint64_t at_unix_ns;
	struct opt_u64 heap; /* bytes of spans in use then; absent: nothing is known of it */
	struct opt_u64 rss;
	struct opt_u64 highest; /* bytes of spans in use, ever: more where it passed too fast */
	struct opt_u64 total, low, high; /* bytes that the samples stand for, and 95 % of such */
	struct opt_u64 samples, stacks;
	struct opt_u64 period;	 /* bytes: one object is sampled for so many */
	struct opt_u64 readings; /* of the profiler's buckets */
	bool by_growth;		 /* each growth of the heap was seen; else its size was asked for */
	VEC(struct report_peak_row) rows; /* largest first */
	VEC(char *) notes;		  /* sentences on what is not as it should be */
};

struct report_kernel {
	struct opt_u64 page_tables;   /* VmPTE, bytes */
	struct opt_u64 kernel_stacks; /* threads × kernel stack size, bytes */
	struct opt_u64 threads;
	struct opt_u64 kernel_stack_size;
	struct opt_u64 mem_available; /* the host's MemAvailable, bytes */
};

struct report_threads {
	/* of the stacks of threads that stand still: resident below the stack pointer, where no
	 * call is */
	struct opt_u64 stacks_unused;
	named_vec in; /* threads by the system call that they are in; "running" */
};

struct report_cgroup {
	int version; /* 0: none */
	char *path;
	struct opt_u64 usage, limit, effective_limit;
	struct opt_u64 high;	    /* v2: the smallest memory.high of it and its ancestors */
	struct opt_u64 working_set; /* usage - inactive_file */
	/* v2, memory.pressure, some: time in which a task of it waited for memory */
	struct opt_u64 stalled_percent; /* of the last minute */
	struct opt_u64 stalled_ns;	/* since the cgroup was made */
	struct opt_u64 high_events;	/* v2: times it was throttled for memory.high */
	VEC(struct cgroup_out_row) rows;
};

/*
 * A process that was watched from its first instruction: `run`. As of its end, or of now while it
 * goes on. The ledger beside it is one that was taken while it lived.
 */
struct report_run {
	bool known, ended;
	char ledger_at[8]; /* which ledger stands beside: "last", "peak" (the largest RSS) */
	int status;	   /* exit status; of no meaning when it did not end by itself */
	int signal;	   /* that ended it; 0: none */
	bool core_dumped;
	struct opt_u64 wall_ns, user_ns, system_ns;
	struct opt_u64 ledgers;	      /* complete ones */
	struct opt_u64 ledger_age_ns; /* from the ledger beside to the end, or to now */
	struct opt_u64 last_rss;      /* bytes, before the kernel took the memory down */
	struct opt_u64 tree_max_rss;  /* bytes, its own peak or that of a child it waited for */
	struct opt_u64 minor_faults, major_faults, gc_cycles;
	struct opt_u64 followed, followed_ended; /* processes that it and its children forked */
	named_vec events;			 /* by kind */
};

struct report {
	/* tool and host */
	uint64_t time_unix_ns;
	struct {
		char boot_id[40], kernel[80], arch[16]; /* "" when unknown */
		uint32_t page_size;
	} host;
	char source[16]; /* "live", "capture", "core" */

	struct report_target target;
	struct {
		struct opt_u64 before, after, high_water, churn;
		struct opt_u64
			distinct; /* of scanned: each page of a file once, however often mapped */
		uint64_t scanned;
		char observed_by[24]; /* "first-instruction", "attach", "none" */
	} rss;
	struct ledger ledger;
	bool no_ledger; /* the ledger, and rss.scanned, are not known */
	struct report_run run;
	struct report_go go;		     /* of the main runtime */
	VEC(struct report_runtime) runtimes; /* the others */
	struct report_kernel kernel;
	struct report_threads threads;
	struct report_cgroup cgroup;
	VEC(struct report_origin) origins; /* largest first */
	VEC(struct report_profile) profiles;
	struct report_peak peak;
	finding_vec findings;
	VEC(struct missing) missing;
	named_vec losses;
	struct {
		struct opt_u64 wall_ns, cpu_ns, probes, max_rss; /* max_rss bytes */
	} cost;
	bool partial; /* exit code 5: something that was asked for could not be read */
};

void report_init(struct report *r);   /* empties it */
void finding_free(struct finding *f); /* what it owns */
void findings_free(finding_vec *v);   /* and leaves it empty */
void report_origin_free(struct report_origin *o);
void report_frames_free(report_frames *v); /* and leaves it empty */
void report_site_free(struct report_site *s);
void report_profile_free(struct report_profile *p);

/* The profile of a category, or NULL. */
const struct report_profile *report_profile_find(const struct report *r, enum category cat,
						 const char *type);
void report_peak_free(struct report_peak *p); /* and leaves it empty */
void report_free(struct report *r);	      /* all it owns; safe after report_init alone */

/* The sentence that opens a report without a ledger. Appended to *out. 0 or -ENOMEM. */
int report_no_ledger(struct text *out);

/* Names an absence. 0 or -ENOMEM. */
int report_missing(struct report *r, const char *path, const char *needs, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same of what is no news: sets `always`. */
int report_missing_always(struct report *r, const char *path, const char *needs, const char *fmt,
			  ...) __attribute__((format(printf, 4, 5)));

/* The metric of that name, or NULL. */
const struct named_u64 *named_find(const named_vec *v, const char *name);
/* Whether a Go function is the program's, whose module that is ("": not known), or of a module that
 * it uses, and not of Go's library: the first element of its package's path has a dot, as no
 * package of the library has. */
bool report_is_own(const char *func, const char *module);

int named_add(named_vec *v, const char *name, uint64_t value);

#endif
