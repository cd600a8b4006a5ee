/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where one process spends CPU time: the stacks of its threads at the ticks of each CPU's cpu-clock
 * (PERF_COUNT_SW_CPU_CLOCK, kernel/events/core.c), counted in the kernel. A tick takes what runs on
 * its CPU, so that threads that begin later are seen, no switch of threads costs anything, and
 * other processes pay for one comparison a tick. Needs root or CAP_BPF and CAP_PERFMON.
 *
 * All ends with ev_cpu_close, and with our process however it ends.
 */
#ifndef RSSCOPE_EVENT_CPU_H
#define RSSCOPE_EVENT_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "event/ev.h"

enum { EV_CPU_HZ_MAX = 1000 };

struct ev_cpu_options {
	pid_t pid;	      /* as seen in our pid namespace */
	unsigned int hz;      /* ticks a second of each CPU, 1 to EV_CPU_HZ_MAX */
	uint64_t text, etext; /* Go code in the process; 0: none */
	struct ev_gopath go;
	uint32_t m_g0, g_sched_sp; /* with go.on: offsets, bytes */
};

struct ev_cpu;

/* Loads and attaches; nothing is counted yet. 0; -EPERM a capability is missing; -ENOTSUP the
 * kernel lacks something; other -errno. The texts say what to do. */
int ev_cpu_open(const struct ev_cpu_options *o, struct ev_cpu **out, struct err *e);
void ev_cpu_close(struct ev_cpu *s); /* NULL-safe */

void ev_cpu_start(struct ev_cpu *s);
void ev_cpu_stop(struct ev_cpu *s);

struct ev_cpu_counts {
	uint64_t period_ns; /* that a sample stands for */
	uint64_t seen;	    /* samples of the process */
	uint64_t lost;	    /* of these: more different stacks than EV_CPU_STACKS */
	uint64_t other;	    /* after an exec of the process: not among those */
	uint64_t spent_ns; /* CPU time that taking the samples took, without the interrupt itself */
	unsigned int cpus; /* that have a clock of ours */
	uint64_t bytes;	   /* of the kernel's memory that the maps take, about */
};
void ev_cpu_counts(const struct ev_cpu *s, struct ev_cpu_counts *out);

/* A stack, innermost first; arrays are borrowed for the call. */
struct ev_cpu_stack {
	uint64_t count; /* samples */
	/* Where the thread's own code was, then return addresses, by frame pointers: they lead past
	 * the caller of a function without a frame. n 0: it could not be read. */
	const uint64_t *native;
	size_t nnative;
	/* On the runtime's system stack or in C: the goroutine that the thread works for, as the
	 * runtime saved it; its first is runtime.systemstack_switch. */
	const uint64_t *go;
	size_t ngo;
	/* What lies where the innermost function's return address does if it has no frame (pushed:
	 * if it has pushed a frame pointer and nothing else); 0: no Go code. */
	uint64_t caller;
	bool pushed;
	bool cut; /* deeper than fits */
};

enum { EV_CPU_STACKS = 8192, EV_CPU_DEPTH = 256 };

/* All different stacks, in no order; stops at the first value of fn that is not 0, and returns it.
 * After ev_cpu_stop. */
typedef int ev_cpu_fn(void *ctx, const struct ev_cpu_stack *s);
int ev_cpu_stacks(const struct ev_cpu *s, ev_cpu_fn *fn, void *ctx);

/* Whether this kernel has such a clock and lets us have it: 0 or -errno. */
int ev_cpu_probe(void);

#endif
