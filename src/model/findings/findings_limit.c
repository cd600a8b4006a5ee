/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about the Go heap and the memory limit. */
#include <inttypes.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

struct sizes {
	char a[32], b[32], c[32];
};

/* ---- what to do */

/* GOMEMLIMIT that fits: the limit, less what else is charged, less a reserve. False when the
 * collector would have to work all the time to keep to it. */
static bool fitting_memlimit(const struct outlook *o, uint64_t *out)
{
	uint64_t others = o->firm.v > o->in_go ? o->firm.v - o->in_go : 0;
	uint64_t taken = others + percent_of(o->limit.v, RESERVE_PERCENT);
	uint64_t least = o->in_go - o->heap + o->live.v;

	if (!o->live.has || taken >= o->limit.v)
		return false;
	*out = o->limit.v - taken;
	return *out >= least + least / 10;
}

/* GOGC that fits. The distance from the live heap to the goal is in proportion to it (mgcpacer.go,
 * commit()), unless a memory limit or the minimum heap size made the goal. */
static bool fitting_gogc(const struct report *r, const struct outlook *o, int64_t *out)
{
	uint64_t most = o->limit.v - percent_of(o->limit.v, RESERVE_PERCENT);
	uint64_t excess = o->charge_at_goal.v > most ? o->charge_at_goal.v - most : 0;
	uint64_t room;

	if (!r->go.live.has || !r->go.has_gogc || r->go.gogc <= 0 || r->go.memory_limit.has ||
	    o->goal.v <= r->go.live.v || o->goal.v - r->go.live.v <= excess)
		return false;
	room = o->goal.v - r->go.live.v;
	*out = (double)r->go.gogc * (room - excess) / room;
	return *out >= 10 && *out < r->go.gogc;
}

static void advise(struct finding_build *b, const struct report *r, const struct outlook *o)
{
	int minor = outlook_go_minor(r->target.go_version);
	uint64_t memlimit;
	int64_t gogc;
	char a[32];

	if (minor >= 19 && fitting_memlimit(o, &memlimit))
		finding_advise(b,
			       "set GOMEMLIMIT=%s (the limit minus non-Go memory minus %d %%): "
			       "the GC then runs earlier when memory is short",
			       text_memlimit(a, sizeof(a), memlimit), RESERVE_PERCENT);
	if (o->charge_at_goal.has && fitting_gogc(r, o, &gogc))
		finding_advise(
			b, "%sset GOGC=%" PRId64 " (now %" PRId64 "): more GC cycles, less memory",
			b->f.advice.n ? "or " : "", gogc, r->go.gogc);
	if (o->charge_at_goal.has)
		finding_advise(b, "%sraise the memory limit to %s", b->f.advice.n ? "or " : "",
			       text_mib_up(a, sizeof(a),
					   o->charge_at_goal.v + percent_of(o->charge_at_goal.v,
									    RESERVE_PERCENT)));
}

static void show(struct finding_build *b, const struct report *r, const struct outlook *o)
{
	finding_evidence_opt(b, "limit", UNIT_BYTES, o->limit, "cgroup.effective_limit");
	finding_evidence_opt(b, "usage", UNIT_BYTES, o->usage, "cgroup.usage");
	finding_evidence_opt(b, "reclaimable", UNIT_BYTES, o->reclaimable,
			     "cgroup.rows: inactive_file + active_file + slab_reclaimable");
	if (!o->unbounded) {
		finding_evidence_opt(b, "goal", UNIT_BYTES, o->goal, "go.gc.goal");
		finding_evidence_opt(b, "objects", UNIT_BYTES, o->objects,
				     "go.metrics: /memory/classes/heap/objects:bytes");
		finding_evidence_opt(b, "growth", UNIT_BYTES, o->growth, "at_goal.growth");
		finding_evidence_opt(b, "charge at goal", UNIT_BYTES, o->charge_at_goal,
				     "at_goal.charge");
	}
	if (r->go.has_gogc && r->go.gogc >= 0)
		finding_evidence(b, "GOGC", UNIT_PERCENT, r->go.gogc, "go.gc.gogc");
	finding_evidence_opt(b, "GOMEMLIMIT", UNIT_BYTES, r->go.memory_limit, "go.gc.memory_limit");
}

/* With all that was looked at, and what can be set. */
static int conclude(struct finding_build *b, const struct report *r, const struct outlook *o,
		    finding_vec *out)
{
	show(b, r, o);
	advise(b, r, o);
	return finding_end(b, out);
}

/* ---- rules */

/* No setting helps, so none is advised. */
static bool is_too_small(const struct outlook *o)
{
	return o->limit.has && o->floor.has && o->limit.v &&
	       o->floor.v >= percent_of(o->limit.v, FLOOR_PERCENT);
}

static int unbounded(const struct report *r, const struct outlook *o, finding_vec *out)
{
	struct finding_build b;
	struct sizes s;

	finding_begin(&b, "gc-headroom-over-limit", SEV_WARNING);
	finding_explains(&b, o->in_go);
	finding_say(&b,
		    "GOGC is off and GOMEMLIMIT is not set: nothing stops the heap before the "
		    "memory limit of %s.",
		    text_bytes(s.a, sizeof(s.a), o->limit.v));
	show(&b, r, o);
	advise(&b, r, o);
	finding_advise(&b, "%sset GOGC to a percentage", b.f.advice.n ? "or " : "");
	finding_next(&b, "rsscope watch %d --gctrace", r->target.pid);
	return finding_end(&b, out);
}

int rule_gc_headroom_over_limit(const struct report *r, const struct outlook *o, finding_vec *out)
{
	struct finding_build b;
	struct sizes s;

	if (!o->limit.has || !o->has_heap || is_too_small(o))
		return 0;
	if (o->unbounded)
		return unbounded(r, o, out);
	if (!o->charge_at_goal.has || o->charge_at_goal.v <= o->limit.v)
		return 0;
	finding_begin(&b, "gc-headroom-over-limit", SEV_CRITICAL);
	finding_explains(&b, o->in_go);
	finding_say(
		&b,
		"When the heap reaches the GC goal of %s, the cgroup's charge of %s will exceed "
		"its memory limit of %s.",
		text_bytes(s.a, sizeof(s.a), o->goal.v),
		text_bytes(s.b, sizeof(s.b), o->charge_at_goal.v),
		text_bytes(s.c, sizeof(s.c), o->limit.v));
	return conclude(&b, r, o, out);
}

int rule_gomemlimit_missing(const struct report *r, const struct outlook *o, finding_vec *out)
{
	struct finding_build b;
	uint64_t memlimit;
	struct sizes s;

	/* has_gogc: the pacer's settings were read, so that an absent limit means none */
	if (!o->limit.has || !o->charge_at_goal.has || !r->go.has_gogc || r->go.memory_limit.has ||
	    outlook_go_minor(r->target.go_version) < 19 || is_too_small(o) ||
	    o->charge_at_goal.v < percent_of(o->limit.v, CLOSE_TO_LIMIT_PERCENT) ||
	    !fitting_memlimit(o, &memlimit))
		return 0;
	finding_begin(&b, "gomemlimit-missing", SEV_WARNING);
	finding_explains(&b, o->in_go);
	finding_say(
		&b,
		"GOMEMLIMIT is not set, so the GC ignores the memory limit of %s; its goal leads "
		"to a charge of %s.",
		text_bytes(s.a, sizeof(s.a), o->limit.v),
		text_bytes(s.b, sizeof(s.b), o->charge_at_goal.v));
	return conclude(&b, r, o, out);
}

int rule_limit_too_small(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t other, room, want;
	struct finding_build b;
	struct sizes s;

	if (!is_too_small(o))
		return 0;
	other = o->floor.v > o->live.v ? o->floor.v - o->live.v : 0;
	room = percent_of(o->live.v,
			  r->go.has_gogc && r->go.gogc > 0 && r->go.gogc < 1000 ? r->go.gogc : 100);
	want = o->floor.v + room;
	finding_begin(&b, "limit-too-small", SEV_CRITICAL);
	finding_explains(&b, o->in_go);
	finding_say(
		&b,
		"Live objects and memory that the GC cannot free take %s of the memory limit of "
		"%s: no GC setting helps.",
		text_bytes(s.a, sizeof(s.a), o->floor.v), text_bytes(s.b, sizeof(s.b), o->limit.v));
	show(&b, r, o);
	finding_evidence(&b, "live", UNIT_BYTES, o->live.v, "ledger: go/heap/live");
	finding_evidence(&b, "not heap", UNIT_BYTES, other,
			 "usage - reclaimable - ledger: go/heap");
	finding_advise(&b, "raise the memory limit to %s: the same plus room for GOGC",
		       text_mib_up(s.c, sizeof(s.c), want + percent_of(want, RESERVE_PERCENT)));
	if (other > o->live.v)
		finding_advise(&b, "or use less memory outside the Go heap: see the largest rows "
				   "of the ledger and of the cgroup");
	else
		finding_advise(&b, "or keep fewer objects alive: go tool pprof "
				   "-sample_index=inuse_space on a heap profile shows what holds "
				   "them");
	finding_next(&b, "rsscope watch %d --gctrace", r->target.pid);
	return finding_end(&b, out);
}
