/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of a process as values: what happened, when, who called. Decoded from the probes' records
 * by event/, printed by out/. Nothing here points anywhere: an event can be kept and copied.
 *
 * A call has an entry and an exit time. Calls of different threads overlap, and they arrive in the
 * order of their exits, which is not the order in which memory changed.
 */
#ifndef RSSCOPE_MODEL_EVENT_EVENT_H
#define RSSCOPE_MODEL_EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
	EVENT_CALL,
	EVENT_RSS,
	EVENT_GC,
	EVENT_HEAP_GROW,
	EVENT_THREAD_START,
	EVENT_THREAD_EXIT,
	EVENT_EXEC,
	EVENT_TYPE_COUNT
};

enum event_callno {
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_BRK,
	CALL_MPROTECT,
	CALL_PKEY_MPROTECT,
	CALL_MADVISE,
	CALL_PRCTL, /* PR_SET_VMA, PR_SET_MM and PR_SET_THP_DISABLE only */
	CALL_SHMAT,
	CALL_SHMDT,
	CALL_REMAP_FILE_PAGES,
	CALL_COUNT
};

enum { EVENT_STACK_MAX = 64, EVENT_NAME_MAX = 80 };

/* Of prctl(2): include/uapi/linux/prctl.h. */
enum {
	EVENT_PR_SET_MM = 35,
	EVENT_PR_SET_THP_DISABLE = 41,
	EVENT_PR_SET_VMA = 0x53564d41,
	EVENT_PR_SET_MM_BRK = 7,
	EVENT_PR_SET_MM_MAP = 14,
};

struct event_call {
	enum event_callno call;
	uint64_t args[6]; /* as the kernel got them; event_call_nargs() of them mean something */
	int64_t ret;
	/* return addresses, innermost first: the thread's own stack, then (for calls from C or from
	 * the runtime's system stack) the goroutine that it works for */
	uint16_t nstack, ngo;
	bool stack_failed, go_failed, stack_cut;
	char name[EVENT_NAME_MAX]; /* prctl: what a mapping is named; "" for none */
	uint64_t stack[EVENT_STACK_MAX];
};

/* Bytes. */
struct event_rss {
	uint64_t file, anon, swap, shmem;
	uint64_t high; /* highest file + anon + shmem since watching began */
};

/* What is read of the runtime when a GC cycle ends. Times are nanotime() (CLOCK_MONOTONIC ns),
 * heaps in bytes. Order: the slots of struct rsc_target.words. */
enum gc_value {
	GCV_CYCLE,	  /* memstats.numgc: the number that gctrace prints */
	GCV_SWEEP_TERM,	  /* work.tSweepTerm */
	GCV_MARK,	  /* work.tMark */
	GCV_MARK_TERM,	  /* work.tMarkTerm */
	GCV_END,	  /* work.tEnd */
	GCV_HEAP_START,	  /* work.heap0 */
	GCV_HEAP_END,	  /* work.heap1 */
	GCV_HEAP_MARKED,  /* work.heap2 */
	GCV_GOAL,	  /* work.heapGoal or gcController.lastHeapGoal: this cycle's goal */
	GCV_PAUSE,	  /* work.pauseNS, ns */
	GCV_FORCED,	  /* work.userForced */
	GCV_STACK_SCAN,	  /* gcController.stackScan, maxStackScan or lastStackScan, bytes */
	GCV_GLOBALS_SCAN, /* gcController.globalsScan, bytes */
	GCV_MAXPROCS,	  /* work.maxprocs */
	GCV_CPU_FRACTION, /* memstats.gc_cpu_fraction, a float64's bits */
	GCV_STWPROCS,	  /* work.stwprocs */
	GCV_INIT_TIME,	  /* runtimeInitTime */
	/* of gcController, CPU time of this cycle's marking, ns */
	GCV_ASSIST,	/* assistTime: goroutines that allocate */
	GCV_DEDICATED,	/* dedicatedMarkTime */
	GCV_FRACTIONAL, /* fractionalMarkTime */
	GCV_IDLE,	/* idleMarkTime: threads that had nothing else to do */
	GCV_COUNT
};

/* runtime.gcTriggerKind: what those who called runtime.gcStart wanted a cycle for. */
enum gc_kind {
	GC_KIND_HEAP,  /* the heap came near its goal */
	GC_KIND_TIME,  /* two minutes without a cycle */
	GC_KIND_CYCLE, /* runtime.GC, and debug.FreeOSMemory, which calls it */
	GC_KIND_COUNT
};
enum { EVENT_GC_STACK = 17 };

struct event_gc {
	uint32_t have; /* bit per enum gc_value */
	uint64_t v[GCV_COUNT];
	/* bit per enum gc_kind: calls of runtime.gcStart before this cycle began; 0: none was seen
	 */
	uint32_t asked;
	/* of the last one with GC_KIND_CYCLE: return addresses, innermost first */
	uint16_t nstack;
	uint64_t stack[EVENT_GC_STACK];
};

static inline bool gc_has(const struct event_gc *g, enum gc_value i)
{
	return g->have >> i & 1;
}

/* The Go heap needs more address space than it has ever had: calls of runtime.(*mheap).grow. One
 * event stands for those of some milliseconds. */
struct event_grow {
	uint64_t calls; /* since watching began */
};

struct event_task {
	uint32_t by_tgid, by_tid; /* start: the creator; exec: by_tid is the id before */
	bool new_process;	  /* start: a fork, not a thread */
	bool followed;		  /* start of a process: its events come, too */
	bool shares_memory;	  /* start of a process: with its parent, until it execs or ends */
	bool group_dead;	  /* exit: the process ends with it */
	uint32_t exit_code;	  /* as in wait(2) */
	char comm[17];
};

struct event {
	enum event_type type;
	uint32_t tgid, tid, cpu;
	uint32_t lost; /* events that this CPU lost so far (wraps): grows where something is missing
			*/
	uint64_t enter_ns, exit_ns; /* CLOCK_MONOTONIC; equal except for calls */
	union {
		struct event_call call;
		struct event_rss rss;
		struct event_gc gc;
		struct event_grow grow;
		struct event_task task;
	};
};

/* Kinds of events as people count them: calls by name, starts and ends of threads apart from those
 * of processes. */
enum event_kind {
	KIND_MMAP,
	KIND_MUNMAP,
	KIND_MREMAP,
	KIND_BRK,
	KIND_MPROTECT,
	KIND_PKEY_MPROTECT,
	KIND_MADVISE,
	KIND_PRCTL,
	KIND_SHMAT,
	KIND_SHMDT,
	KIND_REMAP_FILE_PAGES,
	KIND_RSS,
	KIND_GC,
	KIND_HEAP_GROW,
	KIND_THREAD_START,
	KIND_THREAD_EXIT,
	KIND_FORK,
	KIND_EXIT,
	KIND_EXEC,
	KIND_COUNT
};
enum event_kind event_kind(const struct event *e);

/* "mmap", "rss", "gc", "thread_start", ...: the `type` of JSON lines. */
const char *event_kind_name(enum event_kind k);

/* "MADV_DONTNEED"; NULL for one that is not known. */
const char *event_advice_name(uint32_t advice);
unsigned int event_call_nargs(enum event_callno c);

/* errno of a failed call, 0 when it worked. brk(2) in the kernel never returns an error but the
 * unchanged break: -ENOMEM when that is not what was asked for. */
int event_call_errno(const struct event_call *c);

/* How many addresses of stack[] tell the story: without the goroutine's part where the thread's own
 * part leads through it anyway (Go keeps the chain across its system stack since 1.21). */
size_t event_call_depth(const struct event_call *c);

/* One frame of a stack, named. Strings are borrowed and may be NULL. */
struct frame {
	uint64_t addr;
	const char *func;
	const char *file; /* source file */
	uint32_t line;
	const char *module; /* the mapped file, or "[vdso]" */
	bool go;	    /* Go code: func and line come from pclntab */
};

/* Index of the frame that a person would call the caller: the innermost named one that is not
 * between the program and the call: libc and its allocator, syscall, x/sys, the runtime, cgo's glue
 * (_Cfunc_, _cgo_, …), a function that is called mmap like the call. Else the best there is. -1
 * when there are no frames. */
int event_caller(const struct frame *f, size_t n);

/* The caller, and those who called it: indices of up to max frames, innermost first, without those
 * that event_caller passes over and without a function's repetitions. Returns how many. */
enum { EVENT_CHAIN = 3 };
size_t event_chain(const struct frame *f, size_t n, int caller, int *out, size_t max);

/* When the Go runtime itself made the call (to grow the heap, for its own structures): index of
 * the frame that wanted the memory, past the plumbing of runtime/mem*.go. -1 otherwise. */
int event_maker(const struct frame *f, size_t n);

#endif
