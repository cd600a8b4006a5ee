/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about threads: their stacks, and what they are blocked in. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

static const enum category stacks[] = { CAT_GO_THREAD_STACKS, CAT_NATIVE_STACKS };

/* Rows of stacks of one thread each that hold something. */
static uint64_t count_stacks(const struct ledger *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->rows.n; i++)
		for (size_t j = 0; j < ARRAY_LEN(stacks); j++)
			n += l->rows.v[i].cat == stacks[j] && l->rows.v[i].id.tid &&
			     l->rows.v[i].resident;
	return n;
}

int rule_thread_stacks(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t bytes = 0, reserved = 0, n = count_stacks(&r->ledger),
		 go = o->has_heap ? o->heap : 0;
	struct opt_u64 unused = r->threads.stacks_unused;
	struct finding_build b;
	char a[32], c[32], d[32], idle[120] = "";

	for (size_t j = 0; j < ARRAY_LEN(stacks); j++) {
		bytes += r->ledger.cat[stacks[j]].resident;
		reserved += r->ledger.cat[stacks[j]].virtual_;
	}
	if (!is_large_part(r, bytes))
		return 0;
	if (unused.has && unused.v >= bytes / 2)
		snprintf(idle, sizeof(idle), "; no call uses %s of them any more",
			 text_bytes(d, sizeof(d), unused.v));
	finding_begin(&b, "thread-stacks", SEV_INFO);
	finding_explains(&b, bytes);
	finding_say(&b,
		    "%s are the touched part of the stacks of %" PRIu64 " threads (%s reserved)%s. "
		    "A thread's stack never shrinks; this is not the Go heap, and no leak unless "
		    "threads become more.",
		    text_bytes(a, sizeof(a), bytes), n, text_bytes(c, sizeof(c), reserved), idle);
	finding_evidence(&b, "thread stacks", UNIT_BYTES, bytes,
			 "ledger: go/thread-stacks + native/stacks");
	finding_evidence(&b, "reserved", UNIT_BYTES, reserved,
			 "ledger: go/thread-stacks + native/stacks, virtual");
	finding_evidence(&b, "stacks", UNIT_COUNT, n, "ledger: rows of these with a thread");
	finding_evidence_opt(&b, "unused", UNIT_BYTES, unused, "threads.stacks_unused");
	finding_evidence_opt(&b, "threads", UNIT_COUNT, r->kernel.threads, "kernel.threads");
	finding_evidence(&b, "Go heap", UNIT_BYTES, go, "ledger: go/heap");
	finding_advise(&b,
		       "bound how many calls into C run at once (a semaphore around them): each "
		       "takes a thread, and Go keeps the threads of the busiest moment");
	finding_advise(&b,
		       "let a goroutine call runtime.LockOSThread and end without unlocking: its "
		       "thread ends with it, and gives the stack back");
	finding_next(&b, "rsscope watch %d", r->target.pid);
	return finding_end(&b, out);
}

/* What threads wait in until there is work, and so no sign of anything that blocks. */
static bool is_idle(const char *call)
{
	static const char *const idle[] = {
		"futex",     "epoll_wait",	"epoll_pwait",	   "epoll_pwait2",
		"poll",	     "ppoll",		"select",	   "pselect6",
		"nanosleep", "clock_nanosleep", "rt_sigtimedwait", "rt_sigsuspend",
		"pause",     "sched_yield",	"io_uring_enter",  "io_getevents",
		"running",   "no system call",
	};

	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		if (!strcmp(idle[i], call))
			return true;
	return false;
}

struct blocked {
	uint64_t all, idle, blocked;
	const struct named_u64 *most;
};

static void count_blocked(const named_vec *in, struct blocked *b)
{
	*b = (struct blocked){ 0 };
	for (size_t i = 0; i < in->n; i++) {
		const struct named_u64 *x = &in->v[i];

		b->all += x->v;
		if (is_idle(x->name)) {
			b->idle += x->v;
			continue;
		}
		b->blocked += x->v;
		if (!b->most || x->v > b->most->v)
			b->most = x;
	}
}

/* The goroutines that are in system calls on most threads; NULL: not known. */
static const struct report_site *callers(const struct report *r)
{
	const struct report_profile *p = report_profile_find(r, CAT_GO_STACKS, "goroutine");
	const struct report_site *best = NULL;

	for (size_t i = 0; p && i < p->sites.n; i++) {
		const struct report_site *s = &p->sites.v[i];

		if (s->waits && s->caller >= 0 &&
		    (!strcmp(s->waits, "a system call") || !strcmp(s->waits, "a call into C")) &&
		    (!best || s->count.v > best->count.v))
			best = s;
	}
	return best;
}

int rule_threads_blocked(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t each = r->kernel.kernel_stack_size.v;
	const struct report_site *s = callers(r);
	struct finding_build b;
	char who[300] = "", a[32];
	struct blocked n;

	(void)o;
	count_blocked(&r->threads.in, &n);
	if (!n.most || n.blocked < BLOCKED_THREADS ||
	    n.blocked < percent_of(n.all, BLOCKED_PERCENT))
		return 0;
	if (s)
		snprintf(who, sizeof(who), " (%" PRIu64 " called by %s)", s->count.v,
			 s->stack.v[s->caller].func);
	finding_begin(&b, "threads-blocked", n.all > THREADS_LIMIT / 2 ? SEV_WARNING : SEV_INFO);
	finding_explains(&b, n.all * each);
	finding_say(&b,
		    "%" PRIu64 " of %" PRIu64 " threads are blocked in system calls, %" PRIu64
		    " of them in %s%s; %" PRIu64 " are idle. Their kernel stacks are %s, charged "
		    "and not in RSS.",
		    n.blocked, n.all, n.most->v, n.most->name, who, n.idle,
		    text_bytes(a, sizeof(a), n.all * each));
	finding_evidence(&b, "blocked", UNIT_COUNT, n.blocked,
			 "threads.in: all but futex, epoll_wait and the like");
	finding_evidence(&b, n.most->name, UNIT_COUNT, n.most->v, "threads.in");
	finding_evidence(&b, "idle", UNIT_COUNT, n.idle,
			 "threads.in: futex, epoll_wait and the like");
	finding_evidence_opt(&b, "threads", UNIT_COUNT, r->kernel.threads, "kernel.threads");
	finding_evidence_opt(&b, "kernel stacks", UNIT_BYTES, r->kernel.kernel_stacks,
			     "kernel.kernel_stacks");
	finding_evidence(&b, "goroutine and system stacks", UNIT_BYTES,
			 r->ledger.cat[CAT_GO_STACKS].resident, "ledger: go/stacks");
	finding_advise(&b,
		       "a blocking call takes a thread, and Go keeps it for ever: bound how many "
		       "run at once (a semaphore), or use what the runtime's poller can wait for "
		       "(net, os.File on pipes and sockets)");
	finding_advise(&b, "Go ends the program at %d threads (debug.SetMaxThreads)",
		       THREADS_LIMIT);
	finding_next(&b, "rsscope profile %d --type goroutine", r->target.pid);
	return finding_end(&b, out);
}
