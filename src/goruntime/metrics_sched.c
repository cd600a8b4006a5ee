/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goroutines and threads as the runtime counts them, calls into C, the limiter of GC's CPU, where
 * CPU time went. Source: proc.go (gcount, mcount), metrics.go (schedStatsAggregate).
 *
 * What can't be had, or contradicts what else is known, is left out and named.
 */
#include "goruntime/finals.h"
#include "goruntime/metrics.h"

enum {
	MAX_PS = 1 << 16,
	MAX_MS = 1 << 17,
	MAX_GS = 1 << 20,
	TRIES = 16,
	RUNQ = 256, /* p.runq */
	NCGO_MAX = 1 << 20,
	P_RUNNING = 1,
	G_RUNNABLE = 1,
	G_SYSCALL = 3,
};

static const char starting_size[] = "/gc/stack/starting-size:bytes";

struct sched {
	const struct go_runtime *rt;
	const struct go_layout *l;
	uint64_t nms, extra, ncgocall;
	uint64_t nps, free_gs, created, running, runnable, outside;
	uint64_t ngs, alive, insyscall; /* by the goroutines' own states */
	uint64_t unborn;		/* those that no go statement made */
	bool walk;			/* over goroutines and Ms; else their numbers alone */
	bool bad_ms, bad_calls, bad_ps;
	bool odd; /* a queue that can't be so, if all was read at one moment */
};

static uint64_t at_uint(const struct sched *s, uint64_t addr, enum go_field f, size_t width,
			bool *bad)
{
	uint64_t v = 0;

	if (go_has(s->l, f) && rd_vars(s->rt, PASS_BOOKS, addr + s->l->f[f], &v, width))
		*bad = true;
	return v;
}

/* ---- Ms */

/* Beside its count an M has how many calls it is in, and where C's callers are noted: a block of
 * its own in programs with C, none in others (proc.go, mcommoninit). */
static uint64_t read_calls(struct sched *s, uint64_t m)
{
	uint64_t n = at_uint(s, m, GO_M_NCGOCALL, 8, &s->bad_calls);
	uint64_t callers = at_uint(s, m, GO_M_CGOCALLERS, 8, &s->bad_calls);

	if (at_uint(s, m, GO_M_NCGO, 4, &s->bad_calls) > NCGO_MAX || callers % 8 ||
	    (s->rt->cgo ? !callers : n || callers))
		s->bad_calls = true;
	return n;
}

static void read_ms(struct sched *s)
{
	uint64_t m = 0, extra;

	s->nms = s->extra = s->ncgocall = 0;
	s->bad_ms = !s->rt->g.allm || rd_u64(s->rt, PASS_BOOKS, s->rt->g.allm, &m);
	s->bad_calls = s->bad_ms;
	for (; s->walk && m && s->nms < MAX_MS && !s->bad_ms; s->nms++) {
		extra = at_uint(s, m, GO_M_ISEXTRA, 1, &s->bad_ms);
		s->bad_ms |= extra > s->rt->cgo; /* a bool; only C makes them */
		s->extra += extra;
		s->ncgocall += read_calls(s, m);
		m = at_uint(s, m, GO_M_ALLLINK, 8, &s->bad_ms);
	}
}

/* ---- Ps */

/* A P whose goroutine is in a system call counts as outside of Go (setBlockOnExitSyscall). */
static void read_running(struct sched *s, uint64_t p)
{
	uint64_t m, g;
	uint32_t st;

	if (at_uint(s, p, GO_P_STATUS, 4, &s->bad_ps) != P_RUNNING)
		return;
	m = at_uint(s, p, GO_P_M, 8, &s->bad_ps);
	g = m ? at_uint(s, m, GO_M_CURG, 8, &s->bad_ps) : 0;
	st = g ? at_uint(s, g, GO_G_STATUS, 4, &s->bad_ps) & ~GO_GSCAN : 0;
	if (g && (st == G_SYSCALL || st == GO_GDEADEXTRA) &&
	    at_uint(s, g, GO_G_M, 8, &s->bad_ps) == m && at_uint(s, m, GO_M_P, 8, &s->bad_ps) == p)
		s->outside++;
	else
		s->running++;
}

static void read_runq(struct sched *s, uint64_t p)
{
	uint32_t n = at_uint(s, p, GO_P_RUNQTAIL, 4, &s->bad_ps) -
		     at_uint(s, p, GO_P_RUNQHEAD, 4, &s->bad_ps);
	uint64_t next = at_uint(s, p, GO_P_RUNNEXT, 8, &s->bad_ps);

	if (n > RUNQ ||
	    (next && (at_uint(s, next, GO_G_STATUS, 4, &s->bad_ps) & ~GO_GSCAN) != G_RUNNABLE))
		s->odd = true;
	s->runnable += n + (next != 0);
}

static void read_ps(struct sched *s)
{
	struct go_slice all;

	s->nps = s->free_gs = s->created = s->running = s->runnable = s->outside = 0;
	s->odd = false;
	s->bad_ps = !s->rt->g.allp || rd_slice(s->rt, PASS_BOOKS, s->rt->g.allp, &all) ||
		    all.len > MAX_PS;
	for (uint64_t i = 0; !s->bad_ps && i < all.len; i++, s->nps++) {
		uint64_t p;

		if (rd_u64(s->rt, PASS_BOOKS, all.ptr + 8 * i, &p)) {
			s->bad_ps = true;
			return;
		}
		s->free_gs += at_uint(s, p, GO_P_GFREE_N, 4, &s->bad_ps);
		s->created += at_uint(s, p, GO_P_GCREATED, 8, &s->bad_ps);
		read_runq(s, p);
		read_running(s, p);
	}
}

/* ---- Gs */

static void take_status(void *ctx, size_t i, const uint8_t *status)
{
	struct sched *s = ctx;
	uint32_t st = load_u32(status) & ~GO_GSCAN;

	s->alive += st != GO_GDEAD && st != GO_GDEADEXTRA;
	s->insyscall += st == G_SYSCALL;
}

static void take_gopc(void *ctx, size_t i, const uint8_t *gopc)
{
	struct sched *s = ctx;

	s->unborn += !load_u64(gopc);
}

static int read_gs(struct sched *s)
{
	_free_ uint64_t *ptr = NULL;
	struct go_slice all;
	int r;

	s->ngs = s->alive = s->insyscall = s->unborn = 0;
	if (!s->rt->g.allgs || rd_slice(s->rt, PASS_BOOKS, s->rt->g.allgs, &all) ||
	    (s->walk && all.len > MAX_GS))
		return -ENOENT;
	if (!s->walk) {
		s->ngs = all.len;
		return 0;
	}
	ptr = calloc(all.len + 1, 8);
	if (!ptr)
		return -ENOMEM;
	r = rd(s->rt, PASS_BOOKS, all.ptr, ptr, all.len * 8);
	s->ngs = all.len;
	if (r && r != -ENODATA)
		return r;
	r = rd_each(s->rt, PASS_BOOKS, ptr, all.len, s->l->f[GO_G_STATUS], 4, take_status, s);
	if (!r && s->rt->cgo)
		r = rd_each(s->rt, PASS_BOOKS, ptr, all.len, s->l->f[GO_G_GOPC], 8, take_gopc, s);
	return r;
}

/* Those in a free list are not counted; from 1.26 the runtime's own are. */
static bool count_goroutines(struct sched *s, uint64_t *all, uint64_t *counted)
{
	uint64_t sched = s->rt->g.sched, sys;
	bool bad = s->bad_ps || !sched;
	int32_t nop;

	if (bad)
		return false;
	sys = at_uint(s, sched, GO_SCHED_NGSYS, 4, &bad);
	*all = s->ngs - s->free_gs - at_uint(s, sched, GO_SCHED_GFREE_N, 4, &bad) -
	       at_uint(s, sched, GO_SCHED_GFREE_STACK_N, 4, &bad) -
	       at_uint(s, sched, GO_SCHED_GFREE_NOSTACK_N, 4, &bad);
	*counted = *all - (go_has(s->l, GO_SCHED_NGSYSCALLNOP) ? 0 : sys);
	nop = at_uint(s, sched, GO_SCHED_NGSYSCALLNOP, 4, &bad);
	s->outside += nop > 0 ? nop : 0;
	s->runnable += (uint32_t)at_uint(s, sched, GO_SCHED_RUNQSIZE, 4, &bad);
	s->created += at_uint(s, sched, GO_SCHED_GCREATED, 8, &bad);
	return !bad && *all <= s->ngs && *counted <= *all;
}

/* An M for threads that C made comes with a goroutine (proc.go, oneNewExtraM); go statements make
 * all others. Such Ms have no mark before 1.20. */
static bool do_extras_agree(const struct sched *s)
{
	return s->extra == s->unborn || !go_has(s->l, GO_M_ISEXTRA);
}

/*
 * The runtime counts by what its lists say. That must be what the goroutines' states say: those in
 * no free list are alive, but for the spare ones of threads that C made; those outside are in a
 * system call. Without locks the two may differ, as long as the process moves.
 */
static bool does_count_agree(const struct sched *s, uint64_t all)
{
	if (s->odd || (s->walk && !do_extras_agree(s)) ||
	    (go_has(s->l, GO_SCHED_NGSYSCALLNOP) && s->outside + s->runnable + s->running > all))
		return false;
	if (!s->walk)
		return true;
	return all >= s->alive && all - s->alive <= s->unborn &&
	       (!go_has(s->l, GO_SCHED_NGSYSCALLNOP) || s->outside == s->insyscall);
}

/* What changes when goroutines do something. */
static uint64_t moment(const struct sched *s)
{
	const uint64_t v[] = { s->ngs,	   s->alive,   s->insyscall, s->free_gs,
			       s->created, s->running, s->runnable,  s->outside };

	return hash_bytes(0, v, sizeof(v));
}

static int put_states(struct go_metrics *g, struct sched *s, uint64_t all)
{
	uint64_t busy = s->outside + s->runnable + s->running, ids = 0;
	int r = metrics_add(g, "/sched/goroutines/not-in-go:goroutines", s->outside) |
		metrics_add(g, "/sched/goroutines/runnable:goroutines", s->runnable) |
		metrics_add(g, "/sched/goroutines/running:goroutines", s->running) |
		metrics_add(g, "/sched/goroutines/waiting:goroutines", all > busy ? all - busy : 0);

	/* each that was created has had a number of its own */
	rd_vars(s->rt, PASS_BOOKS, s->rt->g.sched + s->l->f[GO_SCHED_GOIDGEN], &ids, 8);
	if (s->created > ids || s->created + s->extra < s->ngs)
		metrics_absent(g, "/sched/goroutines-created:goroutines");
	else
		r |= metrics_add(g, "/sched/goroutines-created:goroutines", s->created);
	return r;
}

static int put_goroutines(struct go_metrics *g, struct sched *s)
{
	uint64_t all = 0, counted = 0, now = 0, before;
	bool good = false, moves = false, counts = false;

	for (unsigned int i = 0; i < TRIES && !good; i++) {
		int r;

		if (i) {
			rd_again(s->rt, i);
			read_ms(s);
			read_ps(s);
		}
		r = read_gs(s);
		if (r == -ENOMEM)
			return r;
		counts = !r && count_goroutines(s, &all, &counted);
		good = counts && does_count_agree(s, all);
		before = now;
		now = moment(s);
		moves |= i && now != before;
	}
	/* of what is never at rest the count is as good as the runtime's own */
	if (!good && !(moves && counts)) {
		metrics_absent(g, "/sched/goroutines*");
		return 0;
	}
	g->goroutines = counted ? counted : 1;
	g->has_goroutines = true;
	if (metrics_add(g, "/sched/goroutines:goroutines", g->goroutines))
		return -ENOMEM;
	return go_has(s->l, GO_SCHED_NGSYSCALLNOP) ? put_states(g, s, all) : 0;
}

static int put_threads(struct go_metrics *g, struct sched *s)
{
	uint64_t sched = s->rt->g.sched, gone = 0, made, dead;
	bool bad = s->bad_ms || !sched;
	int r = 0;

	if (!s->walk && s->rt->cgo) /* which threads C made each M tells */
		return 0;
	made = bad ? 0 : at_uint(s, sched, GO_SCHED_MNEXT, 8, &bad);
	dead = bad ? 0 : at_uint(s, sched, GO_SCHED_NMFREED, 8, &bad);
	if (bad || made < dead + s->extra || (s->ngs && !do_extras_agree(s))) {
		metrics_absent(g, "/sched/threads/total:threads");
		return 0;
	}
	/* Ms of C's own threads are not counted; before 1.20 they have no mark. */
	if (go_has(s->l, GO_M_ISEXTRA) || !s->rt->cgo)
		r |= metrics_add(g, "/sched/threads/total:threads", made - dead - s->extra);
	/* What an M that has ended had called is added up in a bare number. */
	if (s->rt->g.ncgocall && rd_vars(s->rt, PASS_BOOKS, s->rt->g.ncgocall, &gone, 8))
		s->bad_calls = true;
	if (s->bad_calls || (s->rt->cgo && dead && !s->rt->g.ncgocall))
		metrics_absent(g, "/cgo/go-to-c-calls:calls");
	else
		r |= metrics_add(g, "/cgo/go-to-c-calls:calls", s->ncgocall + gone);
	return r;
}

/* ---- others */

static int put_limiter(struct go_metrics *g, struct sched *s)
{
	uint64_t cycles = 0, last, at = s->rt->g.limiter;
	bool bad = s->l->f[GO_LIMITER_LASTENABLED] + 4 > s->l->f[GO_SIZE_LIMITER];

	if (!go_has(s->l, GO_LIMITER_LASTENABLED))
		return 0;
	last = at ? at_uint(s, at, GO_LIMITER_LASTENABLED, 4, &bad) : 0;
	if (at &&
	    rd_vars(s->rt, PASS_BOOKS, s->rt->g.memstats + s->l->f[GO_MSTATS_NUMGC], &cycles, 4))
		bad = true;
	if (!at || bad || last > cycles + 1) { /* it may be enabled in the cycle that runs */
		metrics_absent(g, "/gc/limiter/last-enabled:gc-cycle");
		return 0;
	}
	return metrics_add(g, "/gc/limiter/last-enabled:gc-cycle", last);
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
	int r = go_has(s->l, GO_LIMITER_CAPACITY) ? read_starting_size(g, s) : 0;

	if (!r && n == g->v.n && go_has(s->l, GO_LIMITER_CAPACITY))
		metrics_absent(g, starting_size);
	return r;
}

/* These metrics came with the goroutines' states; the numbers are there one release longer. */
static int put_queue(struct go_metrics *g, const struct go_queue *q, uint64_t place,
		     const char *executed, const char *queued, const char *both)
{
	if (q->has_counts)
		return metrics_add(g, executed, q->executed) | metrics_add(g, queued, q->queued);
	if (place)
		metrics_absent(g, both);
	else
		metrics_never(g, both);
	return 0;
}

static int put_finals(struct go_metrics *g, struct sched *s)
{
	if (go_finals_read(s->rt, s->walk, &g->finals) || !go_has(s->l, GO_SCHED_NGSYSCALLNOP))
		return 0;
	return put_queue(g, &g->finals.cleanups, s->rt->g.cleanups,
			 "/gc/cleanups/executed:cleanups", "/gc/cleanups/queued:cleanups",
			 "/gc/cleanups/*:cleanups") |
	       put_queue(g, &g->finals.finalizers, s->rt->g.finqueued,
			 "/gc/finalizers/executed:finalizers", "/gc/finalizers/queued:finalizers",
			 "/gc/finalizers/*:finalizers");
}

enum cpu {
	CPU_ASSIST,
	CPU_DEDICATED,
	CPU_GCIDLE,
	CPU_PAUSE,
	CPU_GC,
	CPU_IDLE,
	CPU_SCAVASSIST,
	CPU_SCAVBG,
	CPU_SCAV,
	CPU_TOTAL,
	CPU_USER,
	CPU_COUNT
};

/* Parts are parts of their wholes (mstats.go, accumulate), but that the pauses of a cycle count as
 * GC's from their end on and go off the user's with the end of the cycle. */
static bool does_cpu_agree(const uint64_t v[CPU_COUNT])
{
	uint64_t sum = v[CPU_GC] + v[CPU_SCAV] + v[CPU_IDLE] + v[CPU_USER];

	return v[CPU_GC] == v[CPU_ASSIST] + v[CPU_DEDICATED] + v[CPU_GCIDLE] + v[CPU_PAUSE] &&
	       v[CPU_SCAV] == v[CPU_SCAVASSIST] + v[CPU_SCAVBG] && sum >= v[CPU_TOTAL] &&
	       sum - v[CPU_TOTAL] <= v[CPU_PAUSE];
}

/* As of the last cycle, estimated by the runtime (mstats.go, cpuStats; from 1.20). */
static int put_cpu(struct go_metrics *g, struct sched *s)
{
	static const struct {
		const char *name;
		enum go_field f;
	} c[CPU_COUNT] = {
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
	uint64_t at = s->rt->g.work + s->l->f[GO_WORK_CPUSTATS], v[CPU_COUNT] = { 0 };
	bool bad = !s->rt->g.work, good = false;
	int r = 0;

	if (!go_has(s->l, GO_WORK_CPUSTATS))
		return 0;
	for (unsigned int k = 0; k < TRIES && !bad && !good; k++) {
		if (k)
			rd_again(s->rt, k);
		for (size_t i = 0; i < CPU_COUNT && !bad; i++)
			v[i] = at_uint(s, at, c[i].f, 8, &bad);
		good = does_cpu_agree(v);
	}
	if (bad || !good) { /* what tells runtime.work is what a cycle left in it */
		if (!s->rt->g.work && !g->gc_cycles)
			metrics_early(g, "/cpu/classes/*:cpu-nanoseconds");
		else
			metrics_absent(g, "/cpu/classes/*:cpu-nanoseconds");
		return 0;
	}
	for (size_t i = 0; i < CPU_COUNT; i++)
		r |= metrics_add(g, c[i].name, v[i]);
	return r;
}

int metrics_put_sched(struct go_metrics *g, const struct go_runtime *rt, bool walk)
{
	struct sched s = { .rt = rt, .l = rt->l, .walk = walk };
	int r = 0;

	read_ms(&s);
	read_ps(&s);
	if (s.nps)
		r = metrics_add(g, "/sched/gomaxprocs:threads", s.nps);
	r |= put_goroutines(g, &s);
	r |= put_threads(g, &s);
	r |= put_limiter(g, &s);
	if (walk)
		r |= put_starting_size(g, &s);
	r |= put_finals(g, &s);
	return r | put_cpu(g, &s);
}
