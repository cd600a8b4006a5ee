/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Go runtime's own books, read from outside. No symbols are needed: the binary gives pclntab,
 * memory gives moduledata, and the globals are found by what they hold (discover.c).
 *
 * Sources: runtime/mheap.go, mpagealloc.go, mstats.go, metrics.go, mgcpacer.go of Go 1.19–1.27;
 * offsets come from the layout table, never from code.
 */
#ifndef RSSCOPE_GORUNTIME_GORUNTIME_H
#define RSSCOPE_GORUNTIME_GORUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/range.h"
#include "base/vec.h"
#include "binary/binary.h"
#include "goruntime/layout.h"
#include "proc/maps.h"
#include "source/memsrc.h"

/* What the runtime keeps a distribution of: how long the world stood still for the collector and
 * for others, from the wish to the restart, how long it took to stop, how long goroutines waited
 * for a P. See histograms.h. */
enum go_hist_id {
	GO_HIST_PAUSES_GC,
	GO_HIST_PAUSES_OTHER,
	GO_HIST_STOPPING_GC,
	GO_HIST_STOPPING_OTHER,
	GO_HIST_LATENCIES,
	GO_HIST_COUNT
};

/* Run-time addresses of the runtime's globals; 0: not found (go_runtime.missing says which). */
struct go_globals {
	uint64_t moduledata, text, etext, noptrdata, enoptrdata, end;
	uint64_t mheap, memstats, gccontroller;
	uint64_t allp;		    /* the slice header */
	uint64_t allgs;		    /* the slice header */
	uint64_t allm;		    /* the list head's address */
	uint64_t persistent_chunks; /* likewise */
	uint64_t gcbits_arenas;	    /* the struct {lock; free, next, current, previous} */
	uint64_t buckhash;	    /* the pointer's address */
	uint64_t sched, limiter;    /* the scheduler; gcCPULimiter (from 1.19) */
	uint64_t work;		    /* 0 until a cycle has ended */
	/* bare numbers, known only where the file has symbols */
	uint64_t starting_stack, ncgocall;
	uint64_t finqueued, finexecuted; /* likewise, or where the code names them; from 1.25 */
	/* known where the code names them: bare numbers inside of structures; the list of all
	 * blocks of finalizers, which is empty in most programs; gcCleanups (from 1.25), likewise
	 */
	uint64_t hist[GO_HIST_COUNT];
	uint64_t allfin, cleanups;
};

enum { GO_STACK_SIZES = 32 };

struct go_runtime {
	struct memsrc *m; /* borrowed */
	const struct go_layout *l;
	uint64_t bias;
	struct go_globals g;
	char identified_by[160]; /* the witnesses that agreed */
	char layout[64];	 /* "go1.19.4–go1.19.13 amd64" */
	uint64_t globals_bytes;	 /* variables that the collector scans; 0 unknown */
	uint64_t masks_bytes;	 /* bitmaps of those, charged to the profiler; 0 unknown */
	bool symbols;		 /* the file's symbol table agrees */
	bool cgo;		 /* C is linked in */
	bool swapped;		 /* some of the runtime's variables are swapped out */
	bool inline_marks;	 /* the Green Tea collector: small spans hold their marks */
	char missing[160];	 /* globals not found, comma-separated; "" when none */

	/* Places in the initialised data of which one is startingStackSize (from 1.19). */
	uint64_t stack_sizes[GO_STACK_SIZES];
	unsigned int nstack_sizes;
};

/*
 * Finds the runtime of the process behind m. Layouts are tried in order of nearness to the
 * version that the binary names; one is taken only when its self-check holds in the target
 * (sizes of mspan and mcache in the fixallocs, the three sysStat pointers, moduledata against the
 * ELF file). -ENOENT: no Go runtime, or none that any layout fits; the text says what was tried.
 * facts (may be NULL): what is known of the binary, where to look first; it learns. See facts.h.
 */
struct go_facts;
int go_runtime_open(struct memsrc *m, struct bin *b, uint64_t bias, const struct maps *maps,
		    struct go_facts *facts, struct go_runtime *out, struct err *e);

/* The same with the caller's choice of layouts, in that order. */
int go_runtime_try(struct memsrc *m, struct bin *b, uint64_t bias, const struct maps *maps,
		   const struct go_layout *const *l, size_t n, struct go_facts *facts,
		   struct go_runtime *out, struct err *e);

/* Before it is read again: what can have changed of the runtime itself. 0; -ESRCH, other -errno. */
int go_runtime_renew(struct go_runtime *rt);

/* ---- metrics */

/* What the heap's address space is used for, bytes: as the runtime adds it up, or as spans and page
 * bitmaps say. At rest the two are equal. */
struct go_sums {
	uint64_t objects; /* spans of objects, free slots included */
	uint64_t stacks;
	uint64_t manual; /* work buffers; not separate in the runtime's sums before 1.16 */
	uint64_t free;
	uint64_t released;
	uint64_t used; /* objects without free slots; 0: not known (the runtime's own, from 1.16) */
};
/* The runtime's own, at once. -EAGAIN: read in the middle of a change. */
int go_sums_read(const struct go_runtime *rt, struct go_sums *out);
/* The largest difference, bytes; *what names the sum when there is one. */
uint64_t go_sums_differ(const struct go_sums *a, const struct go_sums *b, const char **what);

/* Of finalizers, or of cleanups. */
struct go_queue {
	/* Ready and not done, one that runs included; of cleanups that run together with others as
	 * a block (some 20), all of the block. */
	bool has_waiting;
	uint64_t waiting;
	/* Since the program began, from 1.25 on: as runtime/metrics has them from 1.26 on. Those of
	 * a block that runs (100 finalizers) count as executed when all of it is. */
	bool has_counts;
	uint64_t queued, executed;
	bool wanted, wants_counts; /* the release has them */
};

struct go_finals {
	struct go_queue finalizers, cleanups;
};

struct go_metric {
	const char *name; /* static, runtime/metrics' */
	uint64_t value;
};

struct go_metrics {
	VEC(struct go_metric) v;
	uint64_t total, live, goal, last_gc_unix_ns, last_pause_ns, gc_cycles;
	uint64_t goroutines; /* as the runtime counts: its own included from 1.26 */
	bool has_live, has_goal, has_pause, has_gogc, has_limit, has_goroutines;
	int64_t gogc;	       /* percent, −1 off */
	uint64_t memory_limit; /* bytes; has_limit false when math.MaxInt64 */
	unsigned int retries;  /* torn reads that were thrown away */
	bool torn;	       /* the last attempt was torn too: figures may mix two moments */
	struct go_sums sums;
	struct go_finals finals; /* see finals.h */
	char absent[256];	 /* names that the release has and that could not be read; "" */
	char never[128];	 /* of these: those that no snapshot of this binary can have */
	char early[64];		 /* of these: those that the first GC cycle brings */
};

/*
 * All that could be read. CPU classes come in nanoseconds, not as seconds: the unit is part of the
 * name, ":cpu-nanoseconds". 0; -errno when even memstats can't be read.
 */
int go_metrics_read(const struct go_runtime *rt, struct go_metrics *out, struct err *e);
void go_metrics_free(struct go_metrics *g);

/*
 * The counters alone: those of go_metrics_read that need no walk over goroutines or threads, so
 * that the cost does not grow with these. Left out, also in `absent`: /gc/stack/starting-size, and
 * in programs with C the threads and calls. The goroutines' number is as the runtime itself counts,
 * without the check against their states.
 */
int go_counters_read(const struct go_runtime *rt, struct go_metrics *out, struct err *e);

/* ---- the heap: spans and pages */

enum go_span_kind { GO_SPAN_OBJECTS, GO_SPAN_STACK, GO_SPAN_MANUAL, GO_SPAN_USERARENA };

struct go_span {
	uint64_t start;	    /* address */
	uint64_t elemsize;  /* bytes; 0 for work buffers */
	uint64_t allocbits; /* addresses of the bitmaps; 0 for spans without objects */
	uint64_t markbits;
	uint32_t npages; /* runtime pages of 8 KiB */
	uint16_t nelems, freeindex, alloccount;
	uint8_t kind; /* enum go_span_kind */
	uint8_t spanclass;
	bool unswept; /* the last completed cycle's marks are still in markbits */
};

enum {
	GO_PAGE_SIZE = 8192,
	GO_USER_ARENA_PAGES = 1024, /* userArenaChunkBytes, 8 MiB (arena.go, from 1.20) */
};

/* Flags of go_heap.pages. */
enum { GO_PAGES_FREE = 1, GO_PAGES_RELEASED = 2, GO_PAGES_CACHED = 4 };

/* What a second reading is held against; kind 0: no span, else its enum go_span_kind + 1. */
struct go_span_key {
	uint64_t start;
	uint32_t npages;
	uint32_t kind;
};

/* A large object that holds pointers. */
struct go_large {
	uint64_t start;
	uint64_t type; /* mspan.largeType, an address (from 1.22); 0: not written yet */
};

struct go_heap {
	VEC(struct go_span) spans;    /* in use or manual; sorted by start, no overlap */
	VEC(struct go_span_key) keys; /* one an entry of allspans; only of a first reading */
	VEC(struct go_large) large;   /* sorted by start; only of a first reading */
	range_vec inuse;	      /* address ranges that the page allocator manages */
	range_vec pages;   /* free pages: GO_PAGES_FREE or _RELEASED, | _CACHED from a P's cache */
	uint64_t nspans;   /* entries of allspans, dead ones included */
	uint64_t bad;	   /* span structures that made no sense or overlapped (torn) */
	uint64_t conflict; /* bytes that a span and a free bit both claim (torn) */
	struct go_sums sums;
	bool same; /* see go_heap_again */
};

/* Memory: 64 bytes an entry of allspans, 24 more while it reads; 16 a large object with pointers.
 */
int go_heap_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *out,
		 struct err *e);

/*
 * A second reading (PASS_AGAIN), to tell what changed hands since the first: out->same when spans
 * and pages lie where they lay, then out has no spans. Else they are all there, but of those only
 * start, npages and kind are sure to be known. out->sums either way.
 */
int go_heap_again(const struct go_runtime *rt, const struct go_heap *first, struct go_heap *out,
		  struct err *e);
void go_heap_free(struct go_heap *h);

/* Whether no P runs Go code, or is in a system call: nobody changes the heap then (proc.go: a P is
 * what one needs to). False as well where that can't be told. */
bool go_is_idle(const struct go_runtime *rt);

/* The span that holds addr, or NULL. */
const struct go_span *go_heap_span(const struct go_heap *h, uint64_t addr);

/* The type of the large object that begins there: an address; 0: not known. */
uint64_t go_heap_large_type(const struct go_heap *h, uint64_t start);

/*
 * Divides the bytes [start, end) of span s among its objects: *live gets those in slots that the
 * last completed cycle marked, *dead those allocated since or not yet swept. Free slots, padding
 * and the span's tail are the rest. Reads the bitmaps (present pages only); false when they can't
 * be read, then *dead holds what freeindex says is allocated and *live is 0. *odd, unless NULL: the
 * span says another number of objects than its bitmap.
 *
 * A slot is allocated below freeindex, or where allocBits has its bit. Sweeping makes the mark
 * bits the alloc bits, so a swept span's allocBits are the last cycle's marks (mgcsweep.go); an
 * unswept one's are gcmarkBits and, with the Green Tea collector, the marks at the end of its
 * page (mgcmark_greenteagc.go, spanInlineMarkBits; 1.26, or 1.25 by experiment).
 */
bool go_span_divide(const struct go_runtime *rt, const struct go_span *s, uint64_t start,
		    uint64_t end, uint64_t *live, uint64_t *dead, bool *odd);

/* ---- memory outside the heap */

enum go_region_kind {
	GO_REGION_PERSISTENT, /* persistentalloc chunk: the runtime's small immortal things */
	GO_REGION_ARENA_INDEX,
	GO_REGION_HEAP_ARENA,
	GO_REGION_PAGE_SUMMARY,
	GO_REGION_PAGE_BITMAP,
	GO_REGION_SCAV_INDEX,
	GO_REGION_ALLSPANS,
	GO_REGION_GCBITS,
	GO_REGION_BUCKHASH,
	GO_REGION_MARK_QUEUE, /* of the Green Tea collector */
	GO_REGION_GETRANDOM,  /* pages that the vDSO's getrandom asked for */
	GO_REGION_ARENA, /* a whole heap arena; what the page allocator manages of it is in go_heap
			  */
	/* inside persistent chunks */
	GO_REGION_MSPAN,
	GO_REGION_MCACHE,
	GO_REGION_BUCKET,
	GO_REGION_COUNT
};

struct go_region {
	uint64_t start, end;
	enum go_region_kind kind;
};
typedef VEC(struct go_region) go_region_vec;

/* What is the same in the next snapshot of this runtime: buckets are never freed and stay where
 * they are, and each new one is charged. Zeroed: nothing is kept. */
struct go_regions_kept {
	uint64_t charged; /* the runtime's own sum for them (mstats.buckhash_sys), bytes; 0: none */
	go_region_vec buckets;
};
void go_regions_kept_free(struct go_regions_kept *k); /* safe on a zeroed struct, and twice */

/* Appended to *out, unsorted; regions of the first group are page-aligned. Lists are walked with
 * a bound and cycle check. kept: from the last snapshot and for the next, may be NULL. 0, or -errno
 * with what was read until then. After 0 the text of e, if any, names parts that did not add up and
 * were left out. */
int go_regions_read(const struct go_runtime *rt, go_region_vec *out, struct go_regions_kept *kept,
		    struct err *e);
/* Only the blocks of mark and alloc bits, which move between lists with every cycle. */
int go_gcbits_read(const struct go_runtime *rt, go_region_vec *out);
const char *go_region_name(enum go_region_kind k);

/* ---- threads and goroutines */

struct go_thread {
	uint64_t m;		     /* address of the m */
	uint64_t procid;	     /* thread id in the target's own pid namespace */
	uint64_t stack_lo, stack_hi; /* of g0, as the runtime believes */
};
typedef VEC(struct go_thread) go_thread_vec;
int go_threads_read(const struct go_runtime *rt, go_thread_vec *out, struct err *e);

/* Where each thread was made (m.createstack): return addresses, innermost first; n 0: not told, as
 * of most. Stops at the first value of fn that is not 0, and returns it. 0; -ENOENT: not known;
 * -errno. */
typedef int go_createstack_fn(void *ctx, const uint64_t *pc, size_t n);
int go_createstacks_read(const struct go_runtime *rt, go_createstack_fn *fn, void *ctx);

enum { GO_GSTATUS_COUNT = 12, GO_GSCAN = 0x1000, GO_GDEAD = 6, GO_GDEADEXTRA = 11 };
struct go_goroutines {
	uint64_t total;			      /* without dead ones */
	uint64_t by_status[GO_GSTATUS_COUNT]; /* runtime2.go: 0 idle, 1 runnable, 2 running, … */
	bool truncated;			      /* more than were walked */
	uint64_t dead;	 /* descriptors (runtime.g) of goroutines that have ended: used again, never
			  * freed (proc.go, gfget, malg) */
	uint64_t any;	 /* address of one descriptor, alive or not: in the heap; 0: none */
	bool has_stacks; /* the stacks of all that are alive: */
	uint64_t stack_bytes,
		stack_used; /* what they are large; from where they stand to their top */
};
int go_goroutines_read(const struct go_runtime *rt, struct go_goroutines *out, struct err *e);
const char *go_gstatus_name(unsigned int status);

#endif
