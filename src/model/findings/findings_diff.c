/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that need two looks at one process. */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "model/findings/findings.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

/* A before B, both of one process. */
static bool is_later_look(const struct diff *d)
{
	return d->process == DIFF_SAME && d->has_interval && d->interval_ns > 0;
}

/* When the cgroup would be full, at the pace between the looks. */
static void show_limit(struct finding_build *b, const struct diff *d, uint64_t grown)
{
	const struct report_cgroup *c = &d->b->cgroup;
	uint64_t room;

	if (!c->effective_limit.has || !c->usage.has || !grown)
		return;
	room = c->effective_limit.v > c->usage.v ? c->effective_limit.v - c->usage.v : 0;
	finding_evidence(b, "headroom", UNIT_BYTES, room, "b: cgroup.headroom");
	finding_evidence(b, "limit reached in", UNIT_SECONDS,
			 (double)room / grown * (d->interval_ns / 1e9),
			 "headroom / growth * seconds between the snapshots");
}

/* " Most of it was allocated by main.load." of what is alive in B, where that is known. */
static const char *name_site(const struct diff *d, char *buf, size_t n)
{
	const struct report_profile *p = report_profile_find(d->b, CAT_GO_HEAP_LIVE, "heap");
	const struct report_site *s = p && p->sites.n ? &p->sites.v[0] : NULL;

	*buf = 0;
	if (s && s->caller >= 0 && s->stack.v[s->caller].func && p->bytes.v &&
	    s->bytes.v > p->bytes.v / 2)
		snprintf(buf, n, " Most of what is alive was allocated by %s.",
			 s->stack.v[s->caller].func);
	return buf;
}

int rule_go_heap_leak(const struct diff *d, finding_vec *out)
{
	const struct report_go *a = &d->a->go, *b = &d->b->go;
	struct finding_build f;
	char grown[32], to[32], time[32], site[300];
	uint64_t more, cycles;

	/* before the first cycle nothing is marked: growth from there is no growth */
	if (!is_later_look(d) || !a->live.has || !b->live.has || !a->cycles.has || !b->cycles.has ||
	    !a->cycles.v || b->cycles.v < a->cycles.v || b->live.v <= a->live.v)
		return 0;
	more = b->live.v - a->live.v;
	cycles = b->cycles.v - a->cycles.v;
	if (cycles < LEAK_CYCLES || more < LEAK_MIB * MIB_BYTES ||
	    more < percent_of(a->live.v, LEAK_PERCENT))
		return 0;
	finding_begin(&f, "go-heap-leak", SEV_WARNING);
	finding_explains(&f, more);
	finding_say(&f,
		    "The live heap grew by %s to %s, over %" PRIu64 " GC cycles in %s: objects "
		    "accumulate.%s",
		    text_bytes(grown, sizeof(grown), more), text_bytes(to, sizeof(to), b->live.v),
		    cycles, findings_time(time, sizeof(time), d->interval_ns),
		    name_site(d, site, sizeof(site)));
	finding_evidence(&f, "live before", UNIT_BYTES, a->live.v, "a: go.gc.live");
	finding_evidence(&f, "live now", UNIT_BYTES, b->live.v, "b: go.gc.live");
	finding_evidence(&f, "cycles", UNIT_COUNT, cycles, "b: go.gc.cycles - a: go.gc.cycles");
	finding_evidence(&f, "seconds", UNIT_SECONDS, d->interval_ns / 1000000000,
			 "b: time - a: time");
	show_limit(&f, d, more);
	finding_next(&f, "rsscope profile %d --type heap", d->b->target.pid);
	finding_advise(&f, "take a heap profile now and one later; go tool pprof "
			   "-sample_index=inuse_space -diff_base FIRST SECOND shows what allocates "
			   "the memory that stays");
	finding_advise(&f,
		       "take a third snapshot: a cache that fills stops growing, a leak does not");
	return finding_end(&f, out);
}

/* How many more wait; from Go 1.26 on the runtime tells apart those that nothing can wake. */
static uint64_t more_waiting(const struct diff *d)
{
	static const char *const state[] = { "waiting", "leaked" };
	uint64_t a = 0, b = 0;

	for (size_t i = 0; i < ARRAY_LEN(state); i++) {
		const struct diff_item *x = diff_find(&d->by_state, state[i]);

		a += x && x->v.has_a ? x->v.a : 0;
		b += x && x->v.has_b ? x->v.b : 0;
	}
	return b > a ? b - a : 0;
}

/* ", 500 in main.serve, created by main.accept": B's largest group, where it is most of the new. */
static const char *name_group(const struct diff *d, uint64_t more, char *buf, size_t n)
{
	const struct report_profile *p = report_profile_find(d->b, CAT_GO_STACKS, "goroutine");
	const struct report_site *s = NULL;

	*buf = 0;
	for (size_t i = 0; p && i < p->sites.n; i++)
		if (!s || p->sites.v[i].count.v > s->count.v)
			s = &p->sites.v[i];
	if (s && s->count.v > more / 2 && s->caller >= 0 && s->stack.v[s->caller].func)
		snprintf(buf, n, ", %" PRIu64 " in %s%s%s", s->count.v, s->stack.v[s->caller].func,
			 s->creator ? ", created by " : "", s->creator ? s->creator : "");
	return buf;
}

int rule_goroutine_leak(const struct diff *d, finding_vec *out)
{
	uint64_t a = d->goroutines.a, b = d->goroutines.b, more, blocked;
	uint64_t stacks = d->b->ledger.cat[CAT_GO_STACKS].resident;
	struct finding_build f;
	char time[32], size[32], group[420];

	if (!is_later_look(d) || !delta_known(&d->goroutines) || b <= a)
		return 0;
	more = b - a;
	blocked = more_waiting(d);
	if (more < GOROUTINES_MORE || more < percent_of(a, GOROUTINES_PERCENT) ||
	    blocked < percent_of(more, GOROUTINES_WAITING_PERCENT))
		return 0;
	finding_begin(&f, "goroutine-leak", SEV_WARNING);
	finding_explains(&f, stacks);
	finding_say(&f,
		    "Goroutines grew from %" PRIu64 " to %" PRIu64 " in %s, and the new ones are "
		    "waiting%s; stacks take %s.",
		    a, b, findings_time(time, sizeof(time), d->interval_ns),
		    name_group(d, more, group, sizeof(group)),
		    text_bytes(size, sizeof(size), stacks));
	finding_evidence(&f, "goroutines before", UNIT_COUNT, a, "a: go.goroutines.total");
	finding_evidence(&f, "goroutines now", UNIT_COUNT, b, "b: go.goroutines.total");
	finding_evidence(&f, "more waiting", UNIT_COUNT, blocked,
			 "go.goroutines.by_state: waiting and leaked, b - a");
	finding_evidence(&f, "stacks now", UNIT_BYTES, stacks, "b: ledger: go/stacks");
	finding_evidence(&f, "seconds", UNIT_SECONDS, d->interval_ns / 1000000000,
			 "b: time - a: time");
	finding_next(&f, "rsscope profile %d --type goroutine", d->b->target.pid);
	finding_advise(&f, "take a goroutine profile: many with the same stack wait for the same "
			   "thing");
	finding_advise(&f, "look for channels that nobody reads or closes, contexts that are never "
			   "cancelled, requests without a timeout");
	return finding_end(&f, out);
}
