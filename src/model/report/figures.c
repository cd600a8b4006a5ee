/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/figures.h"

#include <stddef.h>
#include <string.h>

#include "model/findings/findings.h"
#include "model/findings/outlook.h"

/* ---- those that follow from others */

/* Of the ledger: always there with it, and then at most 2^63 - 1. */
static struct opt_u64 of_ledger(const struct report *r, uint64_t v)
{
	return r->no_ledger ? (struct opt_u64){ 0 } : OPT(v < INT64_MAX ? v : INT64_MAX);
}

static struct opt_u64 get_scanned(const struct report *r)
{
	return of_ledger(r, r->rss.scanned);
}

static struct opt_u64 get_unknown(const struct report *r)
{
	return of_ledger(r, r->ledger.cat[CAT_UNKNOWN].resident);
}

static struct opt_u64 get_unexplained(const struct report *r)
{
	return of_ledger(r, r->ledger.unexplained);
}

static struct opt_u64 get_uncertainty(const struct report *r)
{
	return of_ledger(r, r->ledger.uncertainty);
}

static struct opt_u64 get_conflict(const struct report *r)
{
	return of_ledger(r, r->ledger.conflict);
}

static struct opt_u64 get_gogc(const struct report *r)
{
	return (struct opt_u64){ r->go.has_gogc, r->go.gogc };
}

static void set_gogc(struct report *r, uint64_t v)
{
	r->go.has_gogc = true;
	r->go.gogc = (int64_t)v;
}

static struct outlook outlook(const struct report *r)
{
	struct outlook l;

	outlook_of(r, &l);
	return l;
}

static struct opt_u64 get_growth(const struct report *r)
{
	return outlook(r).growth;
}

static struct opt_u64 get_rss_at_goal(const struct report *r)
{
	return outlook(r).rss_at_goal;
}

static struct opt_u64 get_charge_at_goal(const struct report *r)
{
	struct outlook l = outlook(r);

	return l.growth.has ? l.charge_at_goal : l.growth;
}

/* ---- the table */

#define KEPT(path_, unit_, kind_, field, prometheus_)                                              \
	{                                                                                          \
		.path = (path_), .unit = UNIT_##unit_, .kind = FIGURE_##kind_,                     \
		.prometheus = (prometheus_), .offset = offsetof(struct report, field)              \
	}
#define FOLLOWS(path_, unit_, kind_, get_, prometheus_)                                            \
	{                                                                                          \
		.path = (path_), .unit = UNIT_##unit_, .kind = FIGURE_##kind_,                     \
		.prometheus = (prometheus_), .get = (get_)                                         \
	}

const struct figure figures[] = {
	KEPT("rss.before", BYTES, GAUGE, rss.before, NULL),
	KEPT("rss.after", BYTES, GAUGE, rss.after, NULL),
	FOLLOWS("rss.scanned", BYTES, GAUGE, get_scanned, "process_resident_memory_bytes"),
	KEPT("rss.distinct", BYTES, GAUGE, rss.distinct, NULL),
	KEPT("rss.high_water", BYTES, GAUGE, rss.high_water, NULL),
	KEPT("rss.churn", BYTES, FACT, rss.churn, NULL),

	KEPT("peak.heap_bytes", BYTES, GAUGE, peak.heap, NULL),
	KEPT("peak.rss", BYTES, GAUGE, peak.rss, NULL),
	KEPT("peak.highest_heap_bytes", BYTES, GAUGE, peak.highest, NULL),
	KEPT("peak.total", BYTES, FACT, peak.total, NULL),
	KEPT("peak.low", BYTES, FACT, peak.low, NULL),
	KEPT("peak.high", BYTES, FACT, peak.high, NULL),
	KEPT("peak.samples", COUNT, FACT, peak.samples, NULL),
	KEPT("peak.stacks", COUNT, FACT, peak.stacks, NULL),
	KEPT("peak.period", BYTES, FACT, peak.period, NULL),
	KEPT("peak.readings", COUNT, FACT, peak.readings, NULL),

	KEPT("run.wall_ns", NS, COUNTER, run.wall_ns, NULL),
	KEPT("run.user_ns", NS, COUNTER, run.user_ns, NULL),
	KEPT("run.system_ns", NS, COUNTER, run.system_ns, NULL),
	KEPT("run.ledgers", COUNT, COUNTER, run.ledgers, NULL),
	KEPT("run.ledger_age_ns", NS, FACT, run.ledger_age_ns, NULL),
	KEPT("run.last_rss", BYTES, GAUGE, run.last_rss, NULL),
	KEPT("run.tree_max_rss", BYTES, GAUGE, run.tree_max_rss, NULL),
	KEPT("run.minor_faults", COUNT, COUNTER, run.minor_faults, NULL),
	KEPT("run.major_faults", COUNT, COUNTER, run.major_faults, NULL),
	KEPT("run.gc_cycles", COUNT, COUNTER, run.gc_cycles, NULL),
	KEPT("run.children_followed", COUNT, COUNTER, run.followed, NULL),
	KEPT("run.children_ended", COUNT, COUNTER, run.followed_ended, NULL),

	FOLLOWS("unknown", BYTES, GAUGE, get_unknown, NULL),
	FOLLOWS("unexplained", BYTES, GAUGE, get_unexplained, NULL),
	FOLLOWS("uncertainty", BYTES, FACT, get_uncertainty, NULL),
	FOLLOWS("conflict", BYTES, FACT, get_conflict, NULL),

	KEPT("go.gc.cycles", COUNT, COUNTER, go.cycles, "go_gc_cycles_total_gc_cycles_total"),
	KEPT("go.gc.last_end_unix_ns", NS, FACT, go.last_end_unix_ns,
	     "go_memstats_last_gc_time_seconds"),
	KEPT("go.gc.last_pause_ns", NS, GAUGE, go.last_pause_ns, NULL),
	KEPT("go.gc.goal", BYTES, GAUGE, go.goal, "go_memstats_next_gc_bytes"),
	KEPT("go.gc.live", BYTES, GAUGE, go.live, "go_gc_heap_live_bytes"),
	{ .path = "go.gc.gogc",
	  .unit = UNIT_PERCENT,
	  .kind = FIGURE_GAUGE,
	  .has_minus_one = true,
	  .prometheus = "go_gc_gogc_percent",
	  .get = get_gogc,
	  .set = set_gogc },
	KEPT("go.gc.memory_limit", BYTES, GAUGE, go.memory_limit, "go_gc_gomemlimit_bytes"),
	KEPT("go.goroutines.total", COUNT, GAUGE, go.goroutines, "go_goroutines"),
	KEPT("go.finalizers_waiting", COUNT, GAUGE, go.finalizers_waiting, NULL),
	KEPT("go.cleanups_waiting", COUNT, GAUGE, go.cleanups_waiting, NULL),
	KEPT("go.goroutines.dead", COUNT, GAUGE, go.dead_goroutines, NULL),
	KEPT("go.goroutines.descriptor_size", BYTES, FACT, go.descriptor_size, NULL),
	KEPT("go.goroutines.stack_bytes", BYTES, GAUGE, go.stack_bytes, NULL),
	KEPT("go.goroutines.stack_used", BYTES, GAUGE, go.stack_used, NULL),
	KEPT("go.sparse.size", BYTES, FACT, go.sparse.size, NULL),
	KEPT("go.sparse.spans", COUNT, FACT, go.sparse.spans, NULL),
	KEPT("go.sparse.bytes", BYTES, FACT, go.sparse.bytes, NULL),
	KEPT("go.sparse.objects", COUNT, FACT, go.sparse.objects, NULL),
	KEPT("go.sparse.free", BYTES, FACT, go.sparse.free, NULL),
	KEPT("go.spans", COUNT, GAUGE, go.spans, NULL),
	KEPT("go.retries", COUNT, FACT, go.retries, NULL),

	KEPT("kernel.page_tables", BYTES, GAUGE, kernel.page_tables, NULL),
	KEPT("kernel.kernel_stacks", BYTES, GAUGE, kernel.kernel_stacks, NULL),
	KEPT("kernel.threads", COUNT, GAUGE, kernel.threads, NULL),
	KEPT("kernel.kernel_stack_size", BYTES, FACT, kernel.kernel_stack_size, NULL),
	KEPT("kernel.mem_available", BYTES, GAUGE, kernel.mem_available, NULL),

	KEPT("threads.stacks_unused", BYTES, GAUGE, threads.stacks_unused, NULL),

	KEPT("cgroup.usage", BYTES, GAUGE, cgroup.usage, NULL),
	KEPT("cgroup.limit", BYTES, GAUGE, cgroup.limit, NULL),
	KEPT("cgroup.effective_limit", BYTES, GAUGE, cgroup.effective_limit, NULL),
	KEPT("cgroup.high", BYTES, GAUGE, cgroup.high, NULL),
	KEPT("cgroup.working_set", BYTES, GAUGE, cgroup.working_set, NULL),
	KEPT("cgroup.stalled_percent", PERCENT, GAUGE, cgroup.stalled_percent, NULL),
	KEPT("cgroup.stalled_ns", NS, COUNTER, cgroup.stalled_ns, NULL),
	KEPT("cgroup.high_events", COUNT, COUNTER, cgroup.high_events, NULL),
	FOLLOWS("cgroup.headroom", BYTES, GAUGE, findings_headroom, NULL),

	FOLLOWS("at_goal.growth", BYTES, GAUGE, get_growth, NULL),
	FOLLOWS("at_goal.rss", BYTES, GAUGE, get_rss_at_goal, NULL),
	FOLLOWS("at_goal.charge", BYTES, GAUGE, get_charge_at_goal, NULL),

	KEPT("cost.wall_ns", NS, FACT, cost.wall_ns, NULL),
	KEPT("cost.cpu_ns", NS, FACT, cost.cpu_ns, NULL),
	KEPT("cost.probes", COUNT, FACT, cost.probes, NULL),
	KEPT("cost.max_rss", BYTES, FACT, cost.max_rss, NULL),
};
const size_t figures_count = ARRAY_LEN(figures);

/* ---- access */

bool figure_is_kept(const struct figure *f)
{
	return !f->get || f->set;
}

struct opt_u64 figure_get(const struct report *r, const struct figure *f)
{
	if (f->get)
		return f->get(r);
	return *(const struct opt_u64 *)((const char *)r + f->offset);
}

void figure_set(struct report *r, const struct figure *f, uint64_t v)
{
	if (f->set)
		f->set(r, v);
	else if (!f->get)
		*(struct opt_u64 *)((char *)r + f->offset) = OPT(v);
}

const char *figure_key(const struct figure *f, const char *object)
{
	size_t n = strlen(object);
	const char *key = f->path;

	if (n && (strncmp(key, object, n) || key[n] != '.'))
		return NULL;
	key += n ? n + 1 : 0;
	return strchr(key, '.') ? NULL : key;
}

bool figures_any(const struct report *r, const char *object)
{
	for (size_t i = 0; i < figures_count; i++)
		if (figure_key(&figures[i], object) && figure_get(r, &figures[i]).has)
			return true;
	return false;
}
