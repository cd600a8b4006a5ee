/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs put into the ring buffer, and what user space puts into their maps.
 *
 * Records: a struct rsc_rec header, then what its type says. All integers are native-endian and
 * naturally aligned; `size` is a multiple of 8. A reader skips types that it does not know.
 * Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). Process and thread ids are those of
 * the pid namespace that the observer runs in.
 *
 * Losses: whatever could not be delivered adds 1 to a named per-CPU counter (RSC_COUNTERS) and to
 * the CPU's running number, which each later record of that CPU carries in `lost`: so a reader
 * knows how many are missing, and between which two records of a CPU.
 */
#ifndef RSSCOPE_WIRE_H
#define RSSCOPE_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RSC_STACK_MAX 64 /* frames of a record, both parts together */
#define RSC_KSTACK    48 /* of these from bpf_get_stack at most; the rest is the Go side's */
#define RSC_WORDS_MAX 24 /* words of target memory read at a GC cycle */
#define RSC_COMM_LEN  16 /* TASK_COMM_LEN */
#define RSC_GC_STACK  16 /* frames of who began a GC cycle */
#define RSC_NAME_MAX  80 /* of a mapping's name: ANON_VMA_NAME_MAX_LEN, mm/madvise.c */

enum rsc_type {
	RSC_CALL = 1,	  /* struct rsc_rec_call */
	RSC_RSS,	  /* struct rsc_rec_rss */
	RSC_GC,		  /* struct rsc_rec_gc */
	RSC_THREAD_START, /* struct rsc_rec_task */
	RSC_THREAD_EXIT,
	RSC_EXEC,
	RSC_GC_START,  /* struct rsc_rec_gc_start */
	RSC_HEAP_GROW, /* struct rsc_rec_grow */
};

enum rsc_call {
	RSC_MMAP = 1,
	RSC_MUNMAP,
	RSC_MREMAP,
	RSC_BRK,
	RSC_MPROTECT,
	RSC_PKEY_MPROTECT,
	RSC_MADVISE, /* only with RSC_GROUP_MADVISE; counted in any case */
	RSC_PRCTL,   /* only the options below */
	RSC_SHMAT,
	RSC_SHMDT,
	RSC_REMAP_FILE_PAGES,
	RSC_CALL_END
};

/* From include/uapi/linux/prctl.h. */
#define RSC_PR_SET_MM  35
#define RSC_PR_SET_THP 41 /* PR_SET_THP_DISABLE */
#define RSC_PR_SET_VMA 0x53564d41

/* rsc_rec.flags */
#define RSC_F_STACK_FAILED 1  /* CALL: bpf_get_stack gave an error */
#define RSC_F_GO_FAILED	   2  /* CALL: the Go side of the stack could not be read to its end */
#define RSC_F_GROUP_DEAD   4  /* THREAD_EXIT: the last thread of the process */
#define RSC_F_NEW_PROCESS  8  /* THREAD_START: a fork, not a thread */
#define RSC_F_STACK_CUT	   16 /* CALL: deeper than fits */
#define RSC_F_FOLLOWED	   32 /* THREAD_START of a process: it is watched, too */
#define RSC_F_SHARES_MM	   64 /* THREAD_START of a process: in its parent's memory (vfork) */

struct rsc_rec {
	__u16 type; /* enum rsc_type */
	__u16 flags;
	__u32 size; /* bytes, this header included */
	__u32 tgid;
	__u32 tid;
	__u32 cpu;
	__u32 lost;	/* records that this CPU could not deliver so far; wraps */
	__u64 enter_ns; /* of a call: its entry; else the same as exit_ns */
	__u64 exit_ns;
};

/*
 * A system call that changes mappings, entry and exit joined. Failed calls are delivered too.
 * `stack` holds nname bytes of text (of prctl: the name that a mapping gets, ended by a zero), then
 * nstack return addresses, innermost first, as bpf_get_stack found
 * them at entry, then ngo addresses of the goroutine that called into C or onto the system stack,
 * as the Go runtime saved it (g.m.curg.sched).
 */
struct rsc_rec_call {
	struct rsc_rec hdr;
	__u16 call; /* enum rsc_call */
	__u16 nstack;
	__u16 ngo;
	__u16 nname;   /* 0 or RSC_NAME_MAX */
	__u64 args[6]; /* of brk: the request, and the break at the entry (0: not known) */
	__s64 ret;     /* -errno on failure, except brk: the unchanged break */
	__u64 stack[RSC_STACK_MAX];
};

/* Sizes after a change of RSS, bytes. From Linux 6.2 on each is short by what the CPUs have not
 * folded in yet: at most max(32, 2 · CPUs) pages for each CPU. */
struct rsc_rec_rss {
	struct rsc_rec hdr;
	__u32 member; /* which moved: 0 file, 1 anon, 2 swap, 3 shmem */
	__u32 pad;
	__u64 sizes[4]; /* file, anon, swap, shmem */
	__u64 high;	/* highest file + anon + shmem seen since the start */
};

/* The probe at the end of a GC cycle was hit. Words are in the order of rsc_target.words. */
struct rsc_rec_gc {
	struct rsc_rec hdr;
	__u32 have; /* bit i: words[i] was read */
	__u32 pad;
	__u64 ip;
	__u64 words[RSC_WORDS_MAX];
};

/* runtime.gcStart was entered: by somebody who wants a cycle, which it may find under way. */
struct rsc_rec_gc_start {
	struct rsc_rec hdr;
	__u32 kind; /* gcTrigger.kind: 0 heap, 1 time, 2 cycle (runtime.GC); others: not read */
	__u32 nstack;
	__u64 caller; /* return address; 0: not read */
	/* from bpf_get_stack: the function itself, then its callers; the first is often left out,
	 * there being no frame yet */
	__u64 stack[RSC_GC_STACK];
};

/* runtime.(*mheap).grow was entered: the Go heap needs more address space than it has ever had. One
 * record for all calls of RSC_GROW_GAP_NS. */
struct rsc_rec_grow {
	struct rsc_rec hdr;
	__u64 calls; /* since the process became a target */
};
#define RSC_GROW_GAP_NS 5000000

/* hdr.tgid and hdr.tid are the task that starts, ends or execs. */
struct rsc_rec_task {
	struct rsc_rec hdr;
	__u32 by_tgid;	 /* start: the creator; exec: tgid; exit: 0 */
	__u32 by_tid;	 /* exec: the thread id before (pid changes when a non-leader execs) */
	__u32 exit_code; /* exit: as in wait(2) */
	__u32 pad;
	char comm[RSC_COMM_LEN]; /* not necessarily terminated */
};

#define RSC_TARGETS_MAX 2048 /* at once, children included */

/* ---- what user space tells the programs, by tgid: map `targets`, replaced as a whole; map
 * `rss_state`, which is the programs' own after user space has set the sizes at the start */

#define RSC_GROUP_MAPPINGS 1
#define RSC_GROUP_RSS	   2
#define RSC_GROUP_GC	   4
#define RSC_GROUP_THREADS  8
#define RSC_GROUP_MADVISE  16 /* a record of each madvise, with RSC_GROUP_MAPPINGS */

struct rsc_word {
	__u64 addr; /* in the target */
	__u32 size; /* 1, 2, 4 or 8 bytes; 0: this slot is unused */
	__u32 pad;
};

/* Where a thread keeps its g, and the way from it to the saved registers of its goroutine. */
struct rsc_gopath {
	__s64 tls_g; /* address of the g pointer minus the thread pointer */
	__u32 g_m, m_curg, g_sched_pc, g_sched_bp; /* offsets, bytes */
	__u32 on;
	__u32 pad;
};

/* A process is watched from its fork on: the program at the fork puts it into `targets`. */
#define RSC_FOLLOW     32 /* in rsc_target.groups: processes that it forks, too */
#define RSC_FOLLOW_MAX 64 /* of these at once; those beyond are counted */

struct rsc_target {
	__u32 groups; /* RSC_GROUP_*, RSC_FOLLOW */
	__u32 page_size;
	__u32 at_exec; /* RSC_GROUP_* and RSC_FOLLOW from its exec on; 0: it is watched no more */
	/* It lives in the memory of this process, of which its calls are; 0: in its own. */
	__u32 memory_of;
	__u32 forked; /* it was put here by a program, and goes with its end */
	/* The argument of runtime.gcStart: bytes above the stack pointer; 0: in a register. */
	__u32 gc_arg;
	__u64 rss_step; /* bytes of change that make a record */
	struct rsc_gopath go;
	struct rsc_word words[RSC_WORDS_MAX];
};

/*
 * Where lost mapping calls changed memory: map `lost_regions`, one entry for each region of
 * 1 << RSC_REGION_SHIFT bytes with the exit of the last such call (CLOCK_MONOTONIC, ns).
 * RSC_REGION_ALL: a call of which the place is not known, or that spans more than RSC_REGIONS_CALL
 * of them, or that the map had no room for; user space puts this entry there when it begins.
 */
#define RSC_REGION_SHIFT 25
#define RSC_REGION_ALL	 0xffffffffU
#define RSC_REGIONS_CALL 16
#define RSC_REGIONS_MAX	 4096

struct rsc_region {
	__u32 tgid;
	__u32 region; /* address >> RSC_REGION_SHIFT */
};

/* What madvise was called for: map `advice`. */
#define RSC_ADVICE_MAX 4096

struct rsc_advice_key {
	__u32 tgid;
	__u32 advice; /* MADV_*, include/uapi/asm-generic/mman-common.h */
};

struct rsc_advice {
	__u64 calls;
	__u64 failed; /* of these */
	__u64 bytes;  /* that the others were about, in whole pages */
};

struct rsc_rss_state {
	__u64 sizes[4]; /* file, anon, swap, shmem, bytes */
	__u64 sent;	/* file + anon + shmem of the last record */
	__u64 swap_sent;
	__u64 high;
	__u32 on; /* 0: not before the target's next exec, which sets it and starts from there */
	__u32 pad;
};

/*
 * What a target has put into the ring, and what was kept back: map `tally`, put there with the
 * target, and given up with it by user space. A target's share of the ring is `ring_share` bytes
 * between two moments at which the ring was empty (`ring_epoch` counts them); beyond it its mapping
 * calls and RSS steps are counted and not delivered, so that others lose nothing.
 */
struct rsc_tally {
	__u64 epoch; /* in which `bytes` were put in */
	__u64 bytes;
	__u64 lost;	  /* records that could not be delivered, for whichever reason */
	__u64 over_share; /* of these: its share was used up */
	__u64 grows;	  /* calls of runtime.(*mheap).grow */
	__u64 grow_ns;	  /* when the last record of one was made */
};

/*
 * CPU samples: bpf/cpu.bpf.c. Map `cpu_stacks` has the different stacks, by a hash of each, with
 * how often each was seen. Addresses are innermost first; behind nnative and ngo of them lies
 * anything.
 */
#define RSC_CPU_NATIVE 127 /* kernel.perf_event_max_stack, unless it was changed */
#define RSC_CPU_GO     128
#define RSC_CPU_STACKS 8192 /* different ones */

#define RSC_CPU_PUSHED 1 /* rsc_cpu_stack.flags: `caller` lies above a frame pointer just saved */

struct rsc_cpu_stack {
	__u64 count;
	/* What lies where the return address does while the innermost function has no frame, when
	 * that is an address of Go code: whether it has one yet its code tells. 0: nothing. */
	__u64 caller;
	__u32 flags;
	__u16 nnative, ngo;
	__u64 native[RSC_CPU_NATIVE +
		     1];      /* the first is where the thread was, then return addresses */
	__u64 go[RSC_CPU_GO]; /* of g.m.curg.sched, while the thread is on m.g0 */
};

/* Set by user space before and cleared after; mm is the program's own. */
struct rsc_cpu_target {
	__u32 tgid;		/* 0: nothing is counted */
	__u32 m_g0, g_sched_sp; /* offsets, bytes */
	__u32 pad;
	__u64 text, etext; /* Go code: moduledata's; 0: not known */
	__u64 mm;	   /* address space of the first sample */
	struct rsc_gopath go;
};

/* A goroutine's saved registers. */
struct rsc_gobuf {
	__u64 sp, pc, bp;
};

struct rsc_cpu_count {
	__u64 seen;  /* samples of the process */
	__u64 lost;  /* of these: no room for their stack */
	__u64 other; /* in the process after an exec: not counted above */
	__u64 ns;    /* that samples took, without the interrupt itself */
};

/*
 * Counters: X(ID, name, lost, what it counts). lost = 1: a record is missing; 0: it came, but a
 * part of it is missing.
 */
#define RSC_COUNTERS(X)                                                                            \
	X(RING_CALL, "ring_full_calls", 1, "mapping calls: the ring buffer was full")              \
	X(RING_RSS, "ring_full_rss", 1, "RSS steps: the ring buffer was full")                     \
	X(RING_GC, "ring_full_gc", 1, "GC cycles: the ring buffer was full")                       \
	X(RING_TASK, "ring_full_threads", 1, "threads and execs: the ring buffer was full")        \
	X(SHARE, "over_share", 1,                                                                  \
	  "mapping calls and RSS steps: their process had used up its share of the ring buffer")   \
	X(ENTRY_LOST, "call_entry_lost", 1, "mapping calls: no room to remember the entry")        \
	X(EXIT_ALONE, "call_exit_alone", 1, "mapping calls: began before the probes, or evicted")  \
	X(EXIT_LOST, "call_exit_lost", 1, "mapping calls: their exit was not seen")                \
	X(STACK, "stack_unreadable", 0, "mapping calls without a user stack")                      \
	X(GO_STACK, "go_stack_unreadable", 0, "mapping calls whose Go stack is cut short")         \
	X(ADVICE, "advice_uncounted", 0, "madvise calls that were not counted: too many kinds")    \
	X(UNFOLLOWED, "children_unfollowed", 0,                                                    \
	  "processes that were forked, beyond those followed")                                     \
	X(GC_START, "gc_start_lost", 0, "GC cycles whose trigger was not observed")                \
	X(GROW, "heap_growth_lost", 0, "growths of the Go heap that were not reported")            \
	X(WORD, "gc_word_unreadable", 0, "runtime variables that could not be read at a GC cycle") \
	X(MAP, "map_update_failed", 0, "entries for which a map of the probes had no room")

enum rsc_counter {
#define X(id, name, lost, what) RSC_N_##id,
	RSC_COUNTERS(X)
#undef X
		RSC_N_LOST, /* all of the above with lost = 1; what rsc_rec.lost carries */
	RSC_N_COUNT
};

#define RSC_AT(type, field, at)                                                                    \
	_Static_assert(__builtin_offsetof(type, field) == (at), #type "." #field)
#define RSC_SIZE(type, n) _Static_assert(sizeof(type) == (n), #type)
RSC_SIZE(struct rsc_rec, 40);
RSC_AT(struct rsc_rec, flags, 2);
RSC_AT(struct rsc_rec, size, 4);
RSC_AT(struct rsc_rec, tgid, 8);
RSC_AT(struct rsc_rec, tid, 12);
RSC_AT(struct rsc_rec, cpu, 16);
RSC_AT(struct rsc_rec, lost, 20);
RSC_AT(struct rsc_rec, enter_ns, 24);
RSC_AT(struct rsc_rec, exit_ns, 32);
RSC_SIZE(struct rsc_rec_call, 104 + 8 * RSC_STACK_MAX);
RSC_AT(struct rsc_rec_call, call, 40);
RSC_AT(struct rsc_rec_call, nstack, 42);
RSC_AT(struct rsc_rec_call, ngo, 44);
RSC_AT(struct rsc_rec_call, nname, 46);
RSC_AT(struct rsc_rec_call, args, 48);
RSC_AT(struct rsc_rec_call, ret, 96);
RSC_AT(struct rsc_rec_call, stack, 104);
RSC_SIZE(struct rsc_rec_rss, 88);
RSC_AT(struct rsc_rec_rss, member, 40);
RSC_AT(struct rsc_rec_rss, sizes, 48);
RSC_AT(struct rsc_rec_rss, high, 80);
RSC_SIZE(struct rsc_rec_gc, 56 + 8 * RSC_WORDS_MAX);
RSC_AT(struct rsc_rec_gc, have, 40);
RSC_AT(struct rsc_rec_gc, ip, 48);
RSC_AT(struct rsc_rec_gc, words, 56);
RSC_SIZE(struct rsc_rec_gc_start, 56 + 8 * RSC_GC_STACK);
RSC_AT(struct rsc_rec_gc_start, kind, 40);
RSC_AT(struct rsc_rec_gc_start, caller, 48);
RSC_AT(struct rsc_rec_gc_start, stack, 56);
RSC_SIZE(struct rsc_rec_grow, 48);
RSC_AT(struct rsc_rec_grow, calls, 40);
RSC_SIZE(struct rsc_rec_task, 72);
RSC_AT(struct rsc_rec_task, by_tgid, 40);
RSC_AT(struct rsc_rec_task, by_tid, 44);
RSC_AT(struct rsc_rec_task, exit_code, 48);
RSC_AT(struct rsc_rec_task, comm, 56);
RSC_SIZE(struct rsc_word, 16);
RSC_SIZE(struct rsc_gopath, 32);
RSC_AT(struct rsc_gopath, g_m, 8);
RSC_AT(struct rsc_gopath, on, 24);
RSC_SIZE(struct rsc_target, 64 + 16 * RSC_WORDS_MAX);
RSC_AT(struct rsc_target, at_exec, 8);
RSC_AT(struct rsc_target, memory_of, 12);
RSC_AT(struct rsc_target, gc_arg, 20);
RSC_AT(struct rsc_target, rss_step, 24);
RSC_AT(struct rsc_target, go, 32);
RSC_AT(struct rsc_target, words, 64);
RSC_SIZE(struct rsc_tally, 48);
RSC_AT(struct rsc_tally, lost, 16);
RSC_AT(struct rsc_tally, over_share, 24);
RSC_SIZE(struct rsc_cpu_stack, 24 + 8 * (RSC_CPU_NATIVE + 1) + 8 * RSC_CPU_GO);
RSC_AT(struct rsc_cpu_stack, caller, 8);
RSC_AT(struct rsc_cpu_stack, nnative, 20);
RSC_AT(struct rsc_cpu_stack, native, 24);
RSC_SIZE(struct rsc_cpu_target, 72);
RSC_AT(struct rsc_cpu_target, text, 16);
RSC_AT(struct rsc_cpu_target, go, 40);
RSC_SIZE(struct rsc_cpu_count, 32);
RSC_AT(struct rsc_tally, grows, 32);
RSC_AT(struct rsc_tally, grow_ns, 40);
RSC_SIZE(struct rsc_region, 8);
RSC_AT(struct rsc_region, region, 4);
RSC_SIZE(struct rsc_advice_key, 8);
RSC_SIZE(struct rsc_advice, 24);
RSC_AT(struct rsc_advice, bytes, 16);
RSC_SIZE(struct rsc_rss_state, 64);
RSC_AT(struct rsc_rss_state, sent, 32);
RSC_AT(struct rsc_rss_state, high, 48);
RSC_AT(struct rsc_rss_state, on, 56);

#endif
