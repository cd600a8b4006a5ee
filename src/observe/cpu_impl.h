/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of the CPU profile: cpu.c samples, cpu_stack.c joins a sample's stack,
 * cpu_say.c says what it means. */
#ifndef RSSCOPE_OBSERVE_CPU_IMPL_H
#define RSSCOPE_OBSERVE_CPU_IMPL_H

#include <signal.h>

#include "collect/profile_impl.h"
#include "event/cpu.h"
#include "observe/cpu.h"
#include "session/loop.h"

/* What a sample's stack is of, as far as it concerns the collector; the first that applies. */
enum cpu_class {
	CPU_MARK,      /* runtime.gcBgMarkWorker */
	CPU_MARK_IDLE, /* the same where there was nothing else to do */
	CPU_ASSIST,    /* goroutines that allocate, and have to help */
	CPU_SWEEP,
	CPU_GC_OTHER, /* starting and ending cycles */
	CPU_OTHER,
	CPU_CLASSES
};

/* Counters of the process and of its runtime at one moment. */
struct cpu_moment {
	uint64_t at_ns;	      /* CLOCK_MONOTONIC; 0: nothing is known */
	uint64_t cpu_ns;      /* of all threads, by the kernel's account; UINT64_MAX: not known */
	struct go_metrics go; /* of the main runtime; no names: not read */
};

/* What is waited for while samples come. */
struct cpu_loop {
	struct loop loop;
	struct loop_fd signals, end;
	struct loop_timer deadline, look;
	unsigned int looks;
	sigset_t before; /* signals that were blocked */
	bool blocked, over;
};

struct observe_cpu {
	struct session *s;
	struct cpu_loop l;
	const struct session_go *g; /* NULL: no Go runtime */
	struct making k;
	double seconds;
	struct ev_cpu *ev;
	struct ev_cpu_counts n;
	struct cpu_moment before, after;
	uint64_t began_ns, ended_ns;
	const char *why; /* it ended: static, a clause; NULL: the time was over */
	/* samples: */
	uint64_t class[CPU_CLASSES];
	uint64_t unread; /* without any stack */
	uint64_t c_only; /* of a Go program in C, without a Go caller */
	uint64_t cut;	 /* too deep */
};

enum { CPU_JOINED = 2 * EV_CPU_DEPTH };

/* The whole stack as addresses behind calls, innermost first (the first is one behind where the
 * thread was). Returns how many; *is_c_only: a C function without a Go caller. */
size_t cpu_stack_join(struct observe_cpu *c, const struct ev_cpu_stack *s, uint64_t out[CPU_JOINED],
		      bool *is_c_only);

enum cpu_class cpu_stack_class(struct observe_cpu *c, const uint64_t *addr, size_t n);

/* Sentences for k.p. */
void cpu_say(struct observe_cpu *c);

#endif
