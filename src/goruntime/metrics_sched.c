/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goroutines and threads as the runtime counts them, calls into C, the limiter of GC's CPU, where
 * CPU time went. Source: proc.go (gcount, mcount), metrics.go (schedStatsAggregate).
 *
 * What can't be had is left out: bare numbers of which the file has no symbol.
 */
#include "goruntime/metrics.h"

enum {
	MAX_PS = 1 << 16,
	MAX_MS = 1 << 17,
	P_RUNNING = 1,
	G_SYSCALL = 3,
	SCHED_MAX = 1 << 16,
};

static const char starting_size[] = "/gc/stack/starting-size:bytes";

struct sched {
	const struct go_runtime *rt;
	const struct go_layout *l;
	uint64_t nms, extra, ncgocall;
	uint64_t nps, nps_ever, free_gs, created, cleanups, running, runnable, outside;
	bool bad;
};

static uint64_t at_uint(struct sched *s, uint64_t addr, enum go_field f, size_t width)
{
	uint64_t v = 0;

	if (!go_has(s->l, f))
		return 0;
	if (rd_vars(s->rt, PASS_BOOKS, addr + s->l->f[f], &v, width))
		s->bad = true;
	return v;
}

static void read_ms(struct sched *s)
{
	uint64_t m = 0;

	if (!s->rt->g.allm || rd_u64(s->rt, PASS_BOOKS, s->rt->g.allm, &m)) {
		s->bad = true;
		return;
	}
	for (; m && s->nms < MAX_MS && !s->bad; s->nms++) {
		s->extra += !!at_uint(s, m, GO_M_ISEXTRA, 1);
		s->ncgocall += at_uint(s, m, GO_M_NCGOCALL, 8);
		m = at_uint(s, m, GO_M_ALLLINK, 8);
	}
}

/* A P whose goroutine is in a system call counts as outside of Go (setBlockOnExitSyscall). */
static void read_running(struct sched *s, uint64_t p)
{
	uint64_t m, g;
	uint32_t st;

	if (at_uint(s, p, GO_P_STATUS, 4) != P_RUNNING)
		return;
	m = at_uint(s, p, GO_P_M, 8);
	g = m ? at_uint(s, m, GO_M_CURG, 8) : 0;
	st = g ? at_uint(s, g, GO_G_STATUS, 4) & ~GO_GSCAN : 0;
	if (g && (st == G_SYSCALL || st == GO_GDEADEXTRA) && at_uint(s, g, GO_G_M, 8) == m &&
	    at_uint(s, m, GO_M_P, 8) == p)
		s->outside++;
	else
		s->running++;
}

static void read_ps(struct sched *s)
{
	struct go_slice all;

	if (!s->rt->g.allp || rd_slice(s->rt, PASS_BOOKS, s->rt->g.allp, &all) ||
	    all.cap > MAX_PS) {
		s->bad = true;
		return;
	}
	s->nps = all.len;
	for (uint64_t i = 0; i < all.cap; i++) {
		uint64_t p = 0;

		if (rd_vars(s->rt, PASS_BOOKS, all.ptr + 8 * i, &p, 8) || !p)
			continue;
		s->nps_ever++;
		if (i >= all.len)
			continue;
		s->free_gs += at_uint(s, p, GO_P_GFREE_N, 4);
		s->created += at_uint(s, p, GO_P_GCREATED, 8);
		s->cleanups += at_uint(s, p, GO_P_CLEANUPS, 8);
		s->runnable += (uint32_t)(at_uint(s, p, GO_P_RUNQTAIL, 4) -
					  at_uint(s, p, GO_P_RUNQHEAD, 4)) +
			       (at_uint(s, p, GO_P_RUNNEXT, 8) != 0);
		read_running(s, p);
	}
}

/* From 1.26 the count includes the runtime's own goroutines, and there are counts by state. */
static int put_goroutines(struct go_metrics *g, struct sched *s)
{
	uint64_t sched = s->rt->g.sched, n, sys;
	bool by_state = go_has(s->l, GO_SCHED_NGSYSCALLNOP);
	struct go_slice all;
	int32_t nop;

	if (!sched || !s->rt->g.allgs || rd_slice(s->rt, PASS_BOOKS, s->rt->g.allgs, &all))
		return 0;
	sys = at_uint(s, sched, GO_SCHED_NGSYS, 4);
	n = all.len - s->free_gs - at_uint(s, sched, GO_SCHED_GFREE_N, 4) -
	    at_uint(s, sched, GO_SCHED_GFREE_STACK_N, 4) -
	    at_uint(s, sched, GO_SCHED_GFREE_NOSTACK_N, 4) - (by_state ? 0 : sys);
	if (s->bad || n > all.len)
		return 0;
	g->goroutines = n ? n : 1;
	g->has_goroutines = true;
	if (metrics_add(g, "/sched/goroutines:goroutines", g->goroutines))
		return -ENOMEM;
	if (!by_state)
		return 0;
	nop = at_uint(s, sched, GO_SCHED_NGSYSCALLNOP, 4);
	s->outside += nop > 0 ? nop : 0;
	s->runnable += (uint32_t)at_uint(s, sched, GO_SCHED_RUNQSIZE, 4);
	sys = s->outside + s->runnable + s->running;
	return metrics_add(g, "/sched/goroutines/not-in-go:goroutines", s->outside) |
	       metrics_add(g, "/sched/goroutines/runnable:goroutines", s->runnable) |
	       metrics_add(g, "/sched/goroutines/running:goroutines", s->running) |
	       metrics_add(g, "/sched/goroutines/waiting:goroutines", n > sys ? n - sys : 0) |
	       metrics_add(g, "/sched/goroutines-created:goroutines",
			   s->created + at_uint(s, sched, GO_SCHED_GCREATED, 8));
}

static int put_threads(struct go_metrics *g, struct sched *s)
{
	uint64_t sched = s->rt->g.sched, gone = 0, made, dead;
	int r = 0;

	if (!sched)
		return 0;
	made = at_uint(s, sched, GO_SCHED_MNEXT, 8);
	dead = at_uint(s, sched, GO_SCHED_NMFREED, 8);
	if (s->bad || made < dead + s->extra)
		return 0;
	/* Ms of C's own threads are not counted; before 1.20 they have no mark. */
	if (go_has(s->l, GO_M_ISEXTRA) || !s->rt->cgo)
		r |= metrics_add(g, "/sched/threads/total:threads", made - dead - s->extra);
	/* What an M that has ended had called is added up in a bare number. */
	if (s->rt->g.ncgocall && rd_vars(s->rt, PASS_BOOKS, s->rt->g.ncgocall, &gone, 8))
		return r;
	if (s->rt->g.ncgocall || !dead || !s->rt->cgo)
		r |= metrics_add(g, "/cgo/go-to-c-calls:calls", s->ncgocall + gone);
	else
		metrics_absent(g, "/cgo/go-to-c-calls:calls");
	return r;
}

static int put_limiter(struct go_metrics *g, struct sched *s)
{
	uint64_t v = at_uint(s, s->rt->g.limiter, GO_LIMITER_LASTENABLED, 4);

	if (!s->rt->g.limiter || s->bad)
		return 0;
	return metrics_add(g, "/gc/limiter/last-enabled:gc-cycle", v);
}

/*
 * Of the places that may hold it all but one are constants, which keep the smallest size: when they
 * agree that is it, else the one that differs is.
 */
static int read_starting_size(struct go_metrics *g, struct sched *s)
{
	const struct go_runtime *rt = s->rt;
	uint32_t smallest = rt->l->f[GO_CONST_FIXEDSTACK], size = smallest, x;

	if (rt->g.starting_stack) {
		if (rd_vars(rt, PASS_BOOKS, rt->g.starting_stack, &size, 4))
			return 0;
		return metrics_add(g, starting_size, size);
	}
	for (unsigned int i = 0; i < rt->nstack_sizes; i++) {
		if (rd_vars(rt, PASS_BOOKS, rt->stack_sizes[i], &x, 4))
			return 0;
		if (x == smallest)
			continue;
		if (size != smallest || x < smallest || (x & (x - 1)))
			return 0;
		size = x;
	}
	return rt->nstack_sizes ? metrics_add(g, starting_size, size) : 0;
}

static int put_starting_size(struct go_metrics *g, struct sched *s)
{
	size_t n = g->v.n;
	int r = read_starting_size(g, s);

	if (!r && n == g->v.n && go_has(s->l, GO_LIMITER_CAPACITY))
		metrics_absent(g, starting_size);
	return r;
}

/* Finalizers and cleanups that were queued and that ran; names of these came with the counts of
 * goroutines by state. */
static int put_finals(struct go_metrics *g, struct sched *s)
{
	const struct go_globals *v = &s->rt->g;
	uint64_t queued, done;
	int r = 0;

	if (!go_has(s->l, GO_P_CLEANUPS) || !go_has(s->l, GO_P_GCREATED))
		return 0;
	if (v->finqueued && v->finexecuted &&
	    !rd_vars(s->rt, PASS_BOOKS, v->finqueued, &queued, 8) &&
	    !rd_vars(s->rt, PASS_BOOKS, v->finexecuted, &done, 8))
		r |= metrics_add(g, "/gc/finalizers/executed:finalizers", done) |
		     metrics_add(g, "/gc/finalizers/queued:finalizers", queued);
	else
		metrics_absent(g, "/gc/finalizers/*:finalizers");
	queued = s->cleanups;
	if (v->cleanups) {
		queued += at_uint(s, v->cleanups, GO_CLEANUPS_QUEUED, 8);
		done = at_uint(s, v->cleanups, GO_CLEANUPS_EXECUTED, 8);
		r |= metrics_add(g, "/gc/cleanups/executed:cleanups", done);
	} else {
		metrics_absent(g, "/gc/cleanups/executed:cleanups");
	}
	/* Ps that are gone left their count in the same place */
	if (v->cleanups || s->nps_ever == s->nps)
		r |= metrics_add(g, "/gc/cleanups/queued:cleanups", queued);
	else
		metrics_absent(g, "/gc/cleanups/queued:cleanups");
	return r;
}

/* As of the last cycle, estimated by the runtime (mstats.go, cpuStats; from 1.20). */
static int put_cpu(struct go_metrics *g, struct sched *s)
{
	static const struct {
		const char *name;
		enum go_field f;
	} c[] = {
		{ "/cpu/classes/gc/mark/assist:cpu-nanoseconds", GO_CPUSTATS_GCASSIST },
		{ "/cpu/classes/gc/mark/dedicated:cpu-nanoseconds", GO_CPUSTATS_GCDEDICATED },
		{ "/cpu/classes/gc/mark/idle:cpu-nanoseconds", GO_CPUSTATS_GCIDLE },
		{ "/cpu/classes/gc/pause:cpu-nanoseconds", GO_CPUSTATS_GCPAUSE },
		{ "/cpu/classes/gc/total:cpu-nanoseconds", GO_CPUSTATS_GCTOTAL },
		{ "/cpu/classes/idle:cpu-nanoseconds", GO_CPUSTATS_IDLE },
		{ "/cpu/classes/scavenge/assist:cpu-nanoseconds", GO_CPUSTATS_SCAVASSIST },
		{ "/cpu/classes/scavenge/background:cpu-nanoseconds", GO_CPUSTATS_SCAVBG },
		{ "/cpu/classes/scavenge/total:cpu-nanoseconds", GO_CPUSTATS_SCAVTOTAL },
		{ "/cpu/classes/total:cpu-nanoseconds", GO_CPUSTATS_TOTAL },
		{ "/cpu/classes/user:cpu-nanoseconds", GO_CPUSTATS_USER },
	};
	uint64_t at = s->rt->g.work + s->l->f[GO_WORK_CPUSTATS];
	int r = 0;

	if (!go_has(s->l, GO_WORK_CPUSTATS))
		return 0;
	if (!s->rt->g.work)
		metrics_absent(g, "/cpu/classes/*:cpu-nanoseconds");
	if (!s->rt->g.work)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(c) && !r; i++) {
		uint64_t v = at_uint(s, at, c[i].f, 8);

		r = s->bad ? 0 : metrics_add(g, c[i].name, v);
	}
	return r;
}

int metrics_put_sched(struct go_metrics *g, const struct go_runtime *rt)
{
	struct sched s = { .rt = rt, .l = rt->l };
	int r = 0;

	read_ms(&s);
	read_ps(&s);
	if (!s.bad)
		r = metrics_add(g, "/sched/gomaxprocs:threads", s.nps);
	if (!s.bad)
		r |= put_goroutines(g, &s) | put_threads(g, &s) | put_finals(g, &s);
	s.bad = false;
	r |= put_limiter(g, &s) | put_starting_size(g, &s);
	return r | put_cpu(g, &s);
}
