/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of a process, from BPF programs or from a test: open, poll, close. The only user of
 * libbpf. Needs root or CAP_BPF and CAP_PERFMON; Linux 5.10 or later with BTF.
 *
 * Events come in the order in which the records were made; calls at their exit. The ring buffer
 * wakes its reader for rare events and when it fills up: call ev_poll at least every EV_POLL_MS.
 * All that a live source attaches ends with ev_close, and with our process however it ends: links
 * are held by file descriptors, nothing is pinned.
 */
#ifndef RSSCOPE_EVENT_EV_H
#define RSSCOPE_EVENT_EV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/event/event.h"

enum { EV_POLL_MS = 100, EV_CHILDREN_MAX = 64 };

enum ev_group {
	EV_MAPPINGS = 1, /* calls that change mappings, with callers; may slow every syscall */
	EV_RSS = 2,	 /* steps of the resident set */
	EV_GC = 4,	 /* ends of GC cycles, growth of the heap; needs struct ev_gc */
	EV_THREADS = 8,	 /* threads and processes start, end, exec */
	EV_ALL = 15,	 /* what is watched unless said otherwise */
	EV_MADVISE = 16, /* with EV_MAPPINGS: an event of each madvise, not only counts */
};

/* A variable of the target: read at a GC cycle. size 0: not known, left out. */
struct ev_word {
	uint64_t addr;
	uint32_t size; /* 1, 2, 4 or 8 bytes; taken as unsigned */
};

enum { EV_CODE = 16 /* an instruction of amd64 has 15 bytes at most */ };

/* The file that was analysed, not a path: by the time of the attach that may lead to another
 * program, whose code the probe would be written into. Probes of a file are nowhere but where that
 * file is mapped. */
struct ev_gc {
	int fd;		       /* the executable or library: borrowed for the call that attaches */
	uint64_t offset;       /* of runtime.prepareFreeWorkbufs in that file, bytes; 0: unknown */
	uint64_t start_offset; /* the same of runtime.gcStart */
	uint64_t grow_offset;  /* the same of runtime.(*mheap).grow */
	uint32_t start_arg;    /* its argument: bytes above the stack pointer; 0: in a register */
	/* What the file has at these offsets; where it has changed nothing is attached. */
	uint8_t code[EV_CODE], start_code[EV_CODE], grow_code[EV_CODE];
	struct ev_word words[GCV_COUNT];
};

/* How a Go program's thread gets to the goroutine that called into C: offsets in bytes, tls_g from
 * the thread pointer. Off unless `on`. */
struct ev_gopath {
	bool on;
	int64_t tls_g;
	uint32_t g_m, m_curg, g_sched_pc, g_sched_bp;
};

/* One process that is to be observed. */
struct ev_target {
	pid_t pid;	      /* as seen in our pid namespace */
	uint32_t groups;      /* EV_*: of those that the source has */
	uint64_t rss_step;    /* bytes of RSS change that make an event; 0: 1 MiB */
	struct event_rss rss; /* sizes now (VmRSS's parts): what steps are counted from */
	struct ev_gc gc;      /* offset 0: ev_set_gc attaches its probes later */
	struct ev_gopath go;
	/* It is about to exec: RSS counts from there on. */
	bool at_exec;
	/* Processes that it forks are targets, too: see ev_options. */
	bool follow;
};

struct ev_options {
	/* The first target: 0: none, they come with ev_add. */
	pid_t pid;
	uint32_t groups;   /* EV_*: what is loaded and attached, for all targets */
	size_t ring_bytes; /* 0: 8 MiB; rounded up to a power of two of pages */
	uint64_t rss_step; /* this and what follows: of the first target */
	struct event_rss rss;
	uint32_t threads; /* of all targets now: sizes the table of calls under way */
	struct ev_gc gc;
	struct ev_gopath go;
	/* The target is about to exec: RSS counts from there on. */
	bool at_exec;
	/* With gc.offset 0, EV_GC is made ready: ev_set_gc attaches it. */
	bool gc_later;
	/* Processes that it forks are targets, too, from their first instruction on, and those that
	 * they fork: EV_CHILDREN_MAX of them at once. Needs EV_THREADS, and BTF tracepoints. */
	bool follow;
	bool fallbacks; /* for tests: take the fallback of every program that has one */
};

struct ev;

/*
 * Loads, attaches, arms. Groups whose programs this kernel or our privileges don't allow are left
 * out and named by ev_programs; when none is left, that is an error: -EPERM a capability or the
 * mount of tracefs is missing, -ENOTSUP the kernel lacks something (BTF). The texts say what to do.
 * The pid is the caller's to check.
 */
int ev_open(const struct ev_options *o, struct ev **out, struct err *e);
void ev_close(struct ev *s); /* NULL-safe */

/* Readable when ev_poll has work that should not wait; −1 when the source has no fd. Borrowed. */
int ev_fd(const struct ev *s);

/* Return 0 to go on; anything else ends ev_poll, which returns it. */
typedef int ev_fn(void *ctx, const struct event *e);

/* Waits up to timeout_ms for a wake-up and hands over all that is there. Returns the number of
 * events, fn's value, or -errno (-ENODATA: a source that has ended). */
int ev_poll(struct ev *s, int timeout_ms, ev_fn *fn, void *ctx);

/* Replaces the words that are read at a GC cycle of a target, GCV_COUNT of them: when more becomes
 * known of it. 0 or -errno; -ENOTSUP of a source that reads none; -ENOENT it has ended. */
int ev_set_words(struct ev *s, pid_t pid, const struct ev_word *words);

/* Moves the probe of a target's GC cycles to another program, and replaces the words: after an
 * exec, or when EV_GC was left for later. Cycles in between are not seen. 0; -ENOTSUP the source
 * has no EV_GC; -ENOENT it has ended; -errno of attaching. */
int ev_set_gc(struct ev *s, pid_t pid, const struct ev_gc *gc, struct err *e);

/* After an exec. As ev_set_words. */
int ev_set_gopath(struct ev *s, pid_t pid, const struct ev_gopath *go);

/*
 * One target more, at run time: EV_TARGETS_MAX at once, children included. Every target is like
 * every other; what they share is the ring, of which each has its share: one that fills more than
 * that loses mapping calls and RSS steps (counted, ev_losses), and the others lose nothing.
 * 0; -EEXIST it is one already; -ENOSPC, -ENOTSUP (a source without targets). Where the probes of
 * its GC cycles can't be attached it is added without EV_GC, *groups (may be NULL) says so and why
 * has the reason.
 */
enum { EV_TARGETS_MAX = 2048 };
int ev_add(struct ev *s, const struct ev_target *t, uint32_t *groups, struct err *why);

/* Ends a target, also a followed child that has exited: nothing of it stays in the probes, what is
 * in the ring can still be polled. */
void ev_drop(struct ev *s, pid_t pid);

/* Which events are wanted of a target from now on. 0; -ENOENT it is none; -ENOTSUP. */
int ev_set_groups(struct ev *s, pid_t pid, uint32_t groups);

/* What was not delivered of a target so far. */
struct ev_losses {
	uint64_t lost;	     /* events, for whichever reason */
	uint64_t over_share; /* of these: it had used up its share of the ring */
};
int ev_losses(const struct ev *s, pid_t pid, struct ev_losses *out);

/* Whether children are followed, as asked for. */
bool ev_follows(const struct ev *s);

/* The sizes of a target as they last changed: after the target's end, as its memory was torn down.
 * From Linux 6.2 on they lag a little, as the kernel's own high water does. -ENOTSUP without
 * EV_RSS; -EAGAIN at_exec, and no exec was seen yet. */
int ev_rss(const struct ev *s, pid_t pid, struct event_rss *out);

/* Ends the stream at once: no event that ends later is recorded; what is in the ring can still be
 * polled. Detaching is ev_close's, which waits for grace periods of the kernel: event/detach.h.
 * Idempotent. */
void ev_stop(struct ev *s);

/* A named count of what is missing or incomplete. */
struct ev_counter {
	const char *name, *what;
	bool lost; /* events are missing; else parts of events */
	uint64_t n;
};

/* Fills out[0..max), returns how many there are. */
size_t ev_counters(const struct ev *s, struct ev_counter *out, size_t max);
enum { EV_COUNTERS_MAX = 24 };

/* Sum of those that lost events. */
uint64_t ev_lost(const struct ev *s);

/* A part of the address space in which mapping calls were lost, the last of them at `ns`. */
struct ev_region {
	uint64_t start, end; /* bytes */
	uint64_t ns;	     /* exit of the last lost call, CLOCK_MONOTONIC */
	pid_t pid;	     /* whose */
};

/* Those since the last call of it, or all the address space: a malloc'ed array for the caller to
 * free, NULL when there are none. 0 or -errno. */
int ev_lost_regions(struct ev *s, struct ev_region **out, size_t *n);

/* What the process has called madvise for: MADV_* and its calls, the bytes of those that worked. */
struct ev_advice {
	uint32_t advice;
	uint64_t calls, failed, bytes;
};

/* In the order of `advice`: a malloc'ed array for the caller to free, NULL when there are none. 0
 * or -errno. */
int ev_advice(const struct ev *s, pid_t pid, struct ev_advice **out, size_t *n);

/* One program of the attach table, for "what is attached" and for doctor. */
struct ev_program {
	const char *name;   /* of the BPF program */
	const char *target; /* "tracepoint syscalls/sys_enter_mmap" */
	enum ev_group group;
	bool required; /* its group does not work without it */
	bool attached;
	bool is_fallback;
	const char *reason; /* why it is not attached: "" when it is */
};
size_t ev_programs(const struct ev *s, const struct ev_program **out);
enum { EV_PROGRAMS_MAX = 96 };

/* Groups that work. */
uint32_t ev_groups(const struct ev *s);

/* What a system call of any process costs more while we are attached, ns, measured by ourselves
 * when attaching: any, and one that EV_MAPPINGS hooks. noise: how far the same measurement was off
 * itself; an overhead below it may be none. false: not measured (no EV_MAPPINGS). */
struct ev_overhead {
	double any, mapping, noise;
};
bool ev_syscall_overhead(const struct ev *s, struct ev_overhead *out);

/* ---- what this kernel can do, without a target: for doctor */
enum ev_feature {
	EVF_BTF,       /* /sys/kernel/btf/vmlinux */
	EVF_LOAD,      /* BPF programs load: privilege, kernel.unprivileged_bpf_disabled */
	EVF_RINGBUF,   /* BPF_MAP_TYPE_RINGBUF, Linux 5.8 */
	EVF_TRACEFS,   /* tracefs or debugfs is mounted */
	EVF_FENTRY,    /* trampolines at system call functions: fentry, fexit */
	EVF_SYSCALLS,  /* tracepoints syscalls:sys_enter_mmap … (CONFIG_FTRACE_SYSCALLS) */
	EVF_RSS_BTF,   /* tp_btf/rss_stat and a known shape of mm_struct.rss_stat */
	EVF_RSS_TP,    /* tracepoint kmem:rss_stat, Linux 5.5 */
	EVF_SCHED_BTF, /* tp_btf/sched_process_{fork,exit,exec} */
	EVF_SCHED_TP,  /* tracepoints sched:sched_process_{fork,exit,exec} */
	EVF_UPROBE,    /* perf's uprobe PMU */
	EVF_CPU_CLOCK, /* perf events of the CPUs' clocks: event/cpu.h */
	EVF_COUNT
};

struct ev_features {
	uint32_t have;		     /* bit per enum ev_feature */
	char reason[EVF_COUNT][160]; /* why not, and what to do; "" when it is there */
	bool rss_percpu; /* mm_struct.rss_stat is per CPU (Linux 6.2): figures lag a little */
};
const char *ev_feature_name(enum ev_feature f);

/* 0 also when nothing works. -ENOMEM. */
int ev_probe(struct ev_features *out);

/* ---- sources for tests: records as bytes, as a ring would give them */
struct ev_synth_record {
	const void *p;
	size_t n;
};

/* Records are borrowed. No regions are lost. They pass the same decoder; counters[] (may be NULL)
 * is indexed by enum rsc_counter. */
int ev_open_synthetic(const struct ev_synth_record *r, size_t n, const uint64_t *counters,
		      struct ev **out);

#endif
