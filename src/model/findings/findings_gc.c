/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about what the collector has left to do, what it costs, and who waits for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

enum { MS = 1000000 };

/* What sets the goal, in words. */
static const char *who_paces(const struct report *r, const struct outlook *o, char *buf, size_t n)
{
	const struct report_go *g = &r->go;
	uint64_t by_gogc = 0;

	if (g->has_gogc && g->gogc >= 0 && g->live.has)
		by_gogc = g->live.v + percent_of(g->live.v, g->gogc < 100000 ? g->gogc : 100000);
	if (!o->goal.has || !g->has_gogc)
		snprintf(buf, n, "the pacer");
	else if (g->memory_limit.has && (g->gogc < 0 || o->goal.v < by_gogc - by_gogc / 10))
		snprintf(buf, n, "GOMEMLIMIT");
	else
		snprintf(buf, n, "GOGC=%" PRId64, g->gogc);
	return buf;
}

/* "; most of it was allocated by main.churn" */
static const char *name_site(const struct report *r, char *buf, size_t n)
{
	const struct report_profile *p = report_profile_find(r, CAT_GO_HEAP_DEAD, "dead");
	const struct report_site *s = p && p->sites.n ? &p->sites.v[0] : NULL;

	*buf = 0;
	if (s && s->caller >= 0 && s->stack.v[s->caller].func && s->bytes.v > p->bytes.v / 2)
		snprintf(buf, n, "; most of these were allocated by %s",
			 s->stack.v[s->caller].func);
	return buf;
}

int rule_gc_garbage(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t dead = r->ledger.cat[CAT_GO_HEAP_DEAD].resident;
	char a[32], c[32], d[32], e[32], pace[48], site[300];
	const struct report_go *g = &r->go;
	struct finding_build b;

	if (!o->live.has || !o->goal.has || o->unbounded ||
	    dead <= percent_of(o->live.v, GARBAGE_PERCENT_OF_LIVE) || !is_large_part(r, dead))
		return 0;
	who_paces(r, o, pace, sizeof(pace));
	finding_begin(&b, "gc-garbage", SEV_INFO);
	finding_explains(&b, dead);
	finding_say(&b,
		    "%s of heap objects, of which the last GC cycle found %s alive: %s are garbage "
		    "or were allocated since, within the goal of %s that %s sets%s; no sign of a "
		    "leak.",
		    text_bytes(a, sizeof(a), o->used), text_bytes(c, sizeof(c), o->live.v),
		    text_bytes(d, sizeof(d), dead), text_bytes(e, sizeof(e), o->goal.v), pace,
		    name_site(r, site, sizeof(site)));
	finding_evidence(&b, "allocated since or garbage", UNIT_BYTES, dead,
			 "ledger: go/heap/new-or-dead");
	finding_evidence(&b, "live", UNIT_BYTES, o->live.v, "ledger: go/heap/live");
	finding_evidence(&b, "goal", UNIT_BYTES, o->goal.v, "go.gc.goal");
	if (g->has_gogc && g->gogc >= 0)
		finding_evidence(&b, "GOGC", UNIT_PERCENT, g->gogc, "go.gc.gogc");
	finding_evidence_opt(&b, "GOMEMLIMIT", UNIT_BYTES, g->memory_limit, "go.gc.memory_limit");
	finding_evidence_opt(&b, "cycles", UNIT_COUNT, g->cycles, "go.gc.cycles");
	if (g->has_gogc && g->gogc > 100)
		finding_advise(&b, "a lower GOGC (100 is Go's default) makes the heap smaller, for "
				   "more GC cycles");
	finding_advise(&b, "or wait: a cycle comes at the goal, and two minutes after the last one "
			   "at the latest");
	finding_next(&b, "rsscope watch %d --gctrace", r->target.pid);
	return finding_end(&b, out);
}

/* ---- CPU time */

static bool cpu(const struct report *r, const char *class, uint64_t *ns)
{
	char name[72];
	const struct named_u64 *m;

	snprintf(name, sizeof(name), "/cpu/classes/%s:cpu-nanoseconds", class);
	m = named_find(&r->go.metrics, name);
	*ns = m ? m->v : 0;
	return m && m->v < (1ULL << 62);
}

static unsigned int percent_in(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned int)(100.0 * part / whole) : 0;
}

/* Whether so much CPU time is more than that part of one CPU since the program began: what it did
 * once, long ago, is nothing to act upon. */
static bool is_much_of_life(const struct report *r, uint64_t ns, unsigned int percent)
{
	const uint64_t start = r->target.start_time_unix_ns;

	return !start || r->time_unix_ns <= start ||
	       ns >= percent_of(r->time_unix_ns - start, percent);
}

static void advise_pressure(struct finding_build *b, const struct report *r,
			    const struct outlook *o, const char *pace)
{
	char n[32];

	if (!strcmp(pace, "GOMEMLIMIT") && o->live.has)
		finding_advise(
			b,
			"raise GOMEMLIMIT (and the memory limit above it): %s are alive, and "
			"the GC runs all the time to stay below it",
			text_bytes(n, sizeof(n), o->live.v));
	else if (r->go.has_gogc && r->go.gogc < 100)
		finding_advise(b, "raise GOGC (100 is Go's default): half as many cycles for twice "
				  "the distance");
	else
		finding_advise(b, "raise GOGC, with GOMEMLIMIT as the bound: the distance from the "
				  "live heap to the goal is small for so much allocation");
	finding_advise(b, "allocate less: rsscope profile %d --type allocs shows where",
		       r->target.pid);
}

int rule_gc_pressure(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t gc, spare, total, idle, used;
	const struct report_go *g = &r->go;
	struct finding_build b;
	char pace[48], a[32], c[32];

	/* marking on CPUs that have nothing else to do costs nobody anything */
	if (!cpu(r, "gc/total", &gc) || !cpu(r, "gc/mark/idle", &spare) ||
	    !cpu(r, "total", &total) || !cpu(r, "idle", &idle) || gc < spare ||
	    total < idle + spare || !g->cycles.has || g->cycles.v < GC_CYCLES_MIN)
		return 0;
	gc -= spare;
	used = total - idle - spare;
	if (gc < (uint64_t)GC_CPU_MIN_MS * MS || percent_in(gc, used) < GC_CPU_PERCENT ||
	    !is_much_of_life(r, gc, GC_LIFE_PERCENT))
		return 0;
	who_paces(r, o, pace, sizeof(pace));
	finding_begin(&b, "gc-pressure", SEV_WARNING);
	finding_explains(&b, o->live.v);
	finding_say(&b,
		    "The GC has taken %u %% of the CPU time that the program used: %" PRIu64
		    " cycles, at a live heap of %s and a goal of %s that %s sets.",
		    percent_in(gc, used), g->cycles.v, text_bytes(a, sizeof(a), g->live.v),
		    text_bytes(c, sizeof(c), o->goal.v), pace);
	finding_evidence(&b, "GC", UNIT_NS, gc, "go.metrics: /cpu/classes/gc/total - gc/mark/idle");
	finding_evidence(&b, "CPU time used", UNIT_NS, used,
			 "go.metrics: /cpu/classes/total - idle - gc/mark/idle");
	finding_evidence(&b, "share", UNIT_PERCENT, percent_in(gc, used), "GC / CPU time used");
	finding_evidence(&b, "cycles", UNIT_COUNT, g->cycles.v, "go.gc.cycles");
	finding_evidence_opt(&b, "live", UNIT_BYTES, g->live, "go.gc.live");
	finding_evidence_opt(&b, "goal", UNIT_BYTES, o->goal, "go.gc.goal");
	finding_evidence_opt(&b, "GOMEMLIMIT", UNIT_BYTES, g->memory_limit, "go.gc.memory_limit");
	advise_pressure(&b, r, o, pace);
	finding_next(&b, "rsscope watch %d --gctrace", r->target.pid);
	return finding_end(&b, out);
}

/* ---- waiting for memory */

/* What one look, or two, tell of it. */
struct stalls {
	bool has_assist, has_stalled;
	uint64_t assist, user; /* ns of CPU time of goroutines */
	unsigned int stalled;  /* percent of time */
	struct opt_u64 high;   /* times throttled */
	bool throttled;	       /* often enough to tell */
	const char *since;     /* "since the start" */
	const char *while_;    /* "in the last minute" */
};

static bool do_assist(const struct stalls *s)
{
	return s->has_assist && s->assist >= (uint64_t)ASSIST_MIN_MS * MS &&
	       percent_in(s->assist, s->assist + s->user) >= ASSIST_PERCENT;
}

static void say_stalls(struct finding_build *b, const struct stalls *s)
{
	bool waits = s->has_stalled && s->stalled >= STALLED_PERCENT;
	char assist[160] = "", wait[160] = "", high[120] = "";

	if (do_assist(s))
		snprintf(assist, sizeof(assist),
			 " goroutines spent %u %% of their CPU time %s on GC assists, which the "
			 "allocator makes them do",
			 percent_in(s->assist, s->assist + s->user), s->since);
	if (waits)
		snprintf(wait, sizeof(wait),
			 "%s a task of the cgroup waited for memory %u %% of the time %s",
			 assist[0] ? "," : "", s->stalled, s->while_);
	if (s->throttled)
		snprintf(high, sizeof(high), "%s the kernel throttled the cgroup for memory.high",
			 assist[0] || wait[0] ? "," : "");
	finding_say(b, "Allocation is slow:%s%s%s.", assist, wait, high);
}

static int put_stalls(const struct report *r, const struct stalls *s, finding_vec *out)
{
	struct finding_build b;

	if (!do_assist(s) && !(s->has_stalled && s->stalled >= STALLED_PERCENT) && !s->throttled)
		return 0;
	finding_begin(&b, "allocation-stalls", SEV_WARNING);
	say_stalls(&b, s);
	if (s->has_assist) {
		finding_evidence(&b, "GC assists", UNIT_NS, s->assist,
				 "go.metrics: /cpu/classes/gc/mark/assist");
		finding_evidence(&b, "the program's own CPU time", UNIT_NS, s->user,
				 "go.metrics: /cpu/classes/user");
	}
	if (s->has_stalled)
		finding_evidence(&b, "waiting for memory", UNIT_PERCENT, s->stalled,
				 "memory.pressure of the cgroup, some");
	finding_evidence_opt(&b, "throttled for memory.high", UNIT_COUNT, s->high,
			     "memory.events of the cgroup, high");
	finding_evidence_opt(&b, "live", UNIT_BYTES, r->go.live, "go.gc.live");
	finding_evidence_opt(&b, "goal", UNIT_BYTES, r->go.goal, "go.gc.goal");
	if (do_assist(s))
		finding_advise(&b, "raise GOGC or GOMEMLIMIT, or allocate less: assists are what "
				   "the GC takes from those who allocate faster than it marks");
	if (s->throttled || (s->has_stalled && s->stalled >= STALLED_PERCENT))
		finding_advise(&b, "raise memory.high or the memory limit, or set GOMEMLIMIT below "
				   "them: near them the kernel reclaims before it gives a page");
	finding_next(&b, "rsscope watch %d --gctrace", r->target.pid);
	return finding_end(&b, out);
}

int rule_allocation_stalls(const struct report *r, const struct outlook *o, finding_vec *out)
{
	struct stalls s = { .since = "since the start",
			    .while_ = "in the last minute",
			    .has_stalled = r->cgroup.stalled_percent.has,
			    .stalled = r->cgroup.stalled_percent.v,
			    .high = r->cgroup.high_events };

	(void)o;
	s.has_assist = cpu(r, "gc/mark/assist", &s.assist) && cpu(r, "user", &s.user) &&
		       r->go.cycles.v >= GC_CYCLES_MIN &&
		       is_much_of_life(r, s.assist, ASSIST_LIFE_PERCENT);
	return put_stalls(r, &s, out);
}

/* b - a of a counter; false where one is not known, or it was another's. */
static bool grown(struct opt_u64 a, struct opt_u64 b, uint64_t *by)
{
	*by = b.v - a.v;
	return a.has && b.has && b.v >= a.v;
}

int rule_allocation_stalled(const struct diff *d, finding_vec *out)
{
	const struct report *a = d->a, *b = d->b;
	struct stalls s = { .since = "between the snapshots", .while_ = "between the snapshots" };
	uint64_t assist, user, stalled, high;

	if (d->process != DIFF_SAME || !d->has_interval || d->interval_ns <= 0)
		return 0;
	if (cpu(a, "gc/mark/assist", &assist) && cpu(a, "user", &user) &&
	    cpu(b, "gc/mark/assist", &s.assist) && cpu(b, "user", &s.user) && s.assist >= assist &&
	    s.user >= user) {
		s.has_assist = true;
		s.assist -= assist;
		s.user -= user;
	}
	if (grown(a->cgroup.stalled_ns, b->cgroup.stalled_ns, &stalled)) {
		s.has_stalled = true;
		s.stalled = percent_in(stalled, d->interval_ns);
	}
	if (grown(a->cgroup.high_events, b->cgroup.high_events, &high)) {
		s.high = OPT(high);
		s.throttled = high >= HIGH_EVENTS_A_SECOND * (d->interval_ns / 1e9) && high > 1;
	}
	return put_stalls(b, &s, out);
}
