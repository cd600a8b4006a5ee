/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said beside a CPU profile: how far it can be trusted, and the collector's share with its
 * reason. Figures that are not known leave their clause out. */
#include "observe/cpu_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* CPU time by the kernel's account; false: not known. */
static bool used(const struct observe_cpu *c, uint64_t *ns)
{
	const struct cpu_moment *a = &c->before, *b = &c->after;

	if (!a->at_ns || !b->at_ns || a->cpu_ns == UINT64_MAX || b->cpu_ns == UINT64_MAX ||
	    b->cpu_ns < a->cpu_ns)
		return false;
	*ns = b->cpu_ns - a->cpu_ns;
	return true;
}

static void say_samples(struct observe_cpu *c)
{
	struct profile *p = c->k.p;
	double period = seconds(c->n.period_ns), n = (double)c->n.seen;
	char by[96] = "";
	uint64_t ns;

	if (used(c, &ns))
		snprintf(by, sizeof(by), "; by the kernel's account it used %.2f s in %.1f s",
			 seconds(ns), seconds(c->after.at_ns - c->before.at_ns));
	if (!c->n.seen)
		profile_say(
			p,
			"no samples in %.1f s: at no tick (%.0f a second on each of %u CPUs) was "
			"the process running%s",
			seconds(p->duration_ns), 1 / period, c->n.cpus, by);
	else
		profile_say(p,
			    "%" PRIu64
			    " samples of %.1f ms: %.2f s of CPU time, ± %.2f s with 95 %% "
			    "confidence%s",
			    c->n.seen, period * 1e3, n * period, 1.96 * sqrt(n) * period, by);
}

static void say_limits(struct observe_cpu *c)
{
	struct profile *p = c->k.p;
	uint64_t n = c->n.seen;

	if (c->why)
		profile_say(p, "ended early, after %.1f s: %s", seconds(p->duration_ns), c->why);
	if (c->n.other)
		profile_say(
			p, "%" PRIu64 " samples of the program that was executed next are left out",
			c->n.other);
	if (c->n.lost)
		profile_say(p,
			    "%.1f %% of the samples have no stack: more than %d different ones; "
			    "they are [stack not kept]",
			    percent(c->n.lost, n), EV_CPU_STACKS);
	if (c->unread)
		profile_say(p,
			    "the stacks of %.1f %% of the samples could not be read (a thread that "
			    "ends, or memory that is swapped out)",
			    percent(c->unread, n));
	if (c->c_only * 200 >= n) /* half a percent: they are shown in any case */
		profile_say(p,
			    "%.1f %% of the samples are in C code without a Go caller: threads of "
			    "C, or code without frame pointers, whose caller is unknown",
			    percent(c->c_only, n));
	if (c->cut)
		profile_say(p, "the stacks of %.1f %% of the samples are deeper than is kept",
			    percent(c->cut, n));
}

static void say_cost(struct observe_cpu *c)
{
	char bytes[32];

	text_bytes(bytes, sizeof(bytes), c->n.bytes);
	if (c->n.seen)
		profile_say(c->k.p,
			    "overhead: %.1f ms of CPU time (%.1f µs a sample), beside a timer "
			    "interrupt at each tick on %u CPUs; %s of kernel memory meanwhile",
			    (double)c->n.spent_ns / 1e6,
			    (double)c->n.spent_ns / 1e3 / (double)c->n.seen, c->n.cpus, bytes);
}

/* ---- the collector */

static bool metric(const struct go_metrics *g, const char *name, uint64_t *out)
{
	for (size_t i = 0; i < g->v.n; i++)
		if (!strcmp(g->v.v[i].name, name)) {
			*out = g->v.v[i].value;
			return true;
		}
	return false;
}

/* How far a counter went; false: not known. */
static bool moved(const struct observe_cpu *c, const char *name, uint64_t *out)
{
	uint64_t a, b;

	if (!metric(&c->before.go, name, &a) || !metric(&c->after.go, name, &b) || b < a)
		return false;
	*out = b - a;
	return true;
}

static void say_gc_share(struct observe_cpu *c)
{
	const uint64_t *x = c->class;
	uint64_t n = c->n.seen, gc = 0, total, idle;
	char own[128] = "";

	for (int i = 0; i < CPU_OTHER; i++)
		gc += x[i];
	if (moved(c, "/cpu/classes/gc/total:cpu-nanoseconds", &total) &&
	    moved(c, "/cpu/classes/gc/mark/idle:cpu-nanoseconds", &idle))
		snprintf(own, sizeof(own),
			 "; by the runtime's own account %.2f s, of it %.2f s on idle CPUs",
			 seconds(total), seconds(idle));
	profile_say(
		c->k.p,
		"GC: %.1f %% of the CPU time (marking in the background %.1f %%, on CPUs that were "
		"idle %.1f %%, assists of goroutines that allocate %.1f %%, sweeping %.1f %%, "
		"starting and ending cycles %.1f %%)%s",
		percent(gc, n), percent(x[CPU_MARK], n), percent(x[CPU_MARK_IDLE], n),
		percent(x[CPU_ASSIST], n), percent(x[CPU_SWEEP], n), percent(x[CPU_GC_OTHER], n),
		own);
}

/* What set the goal, as a clause; "": not known. */
static void goal_reason(const struct go_metrics *g, char *out, size_t size)
{
	enum { HEAP_MINIMUM = 4 << 20 }; /* runtime/mgcpacer.go, defaultHeapMinimum */
	char live[32] = "", limit[32] = "";
	double by_gogc;

	out[0] = 0;
	if (!g->has_live || !g->has_gogc)
		return;
	text_bytes(live, sizeof(live), g->live);
	if (g->has_limit)
		text_bytes(limit, sizeof(limit), g->memory_limit);
	by_gogc = (double)g->live * (1 + (double)g->gogc / 100);
	if (g->gogc < 0)
		snprintf(out, size, " (GOGC=off, %s%s; live heap %s)",
			 g->has_limit ? "GOMEMLIMIT=" : "no GOMEMLIMIT", limit, live);
	else if (g->has_limit && (double)g->goal < by_gogc)
		snprintf(out, size,
			 " (GOMEMLIMIT=%s holds it there: a live heap of %s and GOGC=%" PRId64
			 " alone would set it higher)",
			 limit, live, g->gogc);
	else if (g->goal <= (uint64_t)HEAP_MINIMUM * (uint64_t)g->gogc / 100)
		snprintf(out, size,
			 " (the least that GOGC=%" PRId64 " allows; live heap %s: with a higher "
			 "GOGC or a GOMEMLIMIT cycles are fewer)",
			 g->gogc, live);
	else
		snprintf(out, size, " (GOGC=%" PRId64 " of a live heap of %s)", g->gogc, live);
}

static void say_gc_cycles(struct observe_cpu *c)
{
	const struct go_metrics *g = &c->after.go;
	double over = seconds(c->after.at_ns - c->before.at_ns);
	char goal[32] = "", why[192] = "", forced[96] = "", reached[288] = "";
	uint64_t n, f = 0;

	if (!c->after.at_ns || !moved(c, "/gc/cycles/total:gc-cycles", &n))
		return;
	if (!n) {
		profile_say(c->k.p, "no GC cycle ended in %.1f s", over);
		return;
	}
	if (moved(c, "/gc/cycles/forced:gc-cycles", &f) && f)
		snprintf(forced, sizeof(forced),
			 ", %" PRIu64 " of them forced (runtime.GC or debug.FreeOSMemory)", f);
	if (f < n && g->has_goal) {
		text_bytes(goal, sizeof(goal), g->goal);
		goal_reason(g, why, sizeof(why));
		snprintf(reached, sizeof(reached), ": the heap reaches its goal of %s%s", goal,
			 why);
	}
	profile_say(c->k.p, "%" PRIu64 " GC cycles in %.1f s, one every %.0f ms%s%s", n, over,
		    1e3 * over / (double)n, forced, reached);
}

void cpu_say(struct observe_cpu *c)
{
	say_samples(c);
	say_limits(c);
	if (c->g && c->n.seen)
		say_gc_share(c);
	if (c->g)
		say_gc_cycles(c);
	say_cost(c);
}
