/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"
#include "model/findings/verdict.h"
#include "model/findings/trend.h"

const char *const finding_ids[] = {
	"gc-headroom-over-limit",
	"limit-too-small",
	"gomemlimit-missing",
	"memory-high",
	"allocation-stalls",
	"gc-pressure",
	"heap-retained",
	"heap-fragmented",
	"thp-bloat",
	"profiler-buckets",
	"finalizers-stuck",
	"gc-garbage",
	"live-not-resident",
	"lazily-freed",
	"goroutine-stacks",
	"dead-goroutines",
	"thread-stacks",
	"threads-blocked",
	"go-heap-leak",
	"goroutine-leak",
	NULL,
};

const char *unit_name(enum unit u)
{
	static const char *const name[UNIT_KINDS] = { "bytes", "count", "percent", "seconds",
						      "ns" };

	return name[u];
}

const char *severity_name(enum severity s)
{
	static const char *const name[] = { "info", "warning", "critical" };

	return name[s];
}

struct opt_u64 findings_limit(const struct report *r)
{
	const struct report_cgroup *c = &r->cgroup;

	if (!c->high.has || (c->effective_limit.has && c->effective_limit.v <= c->high.v))
		return c->effective_limit;
	return c->high;
}

struct opt_u64 findings_headroom(const struct report *r)
{
	struct opt_u64 limit = findings_limit(r);
	uint64_t usage = r->cgroup.usage.v;

	if (!limit.has || !r->cgroup.usage.has)
		return (struct opt_u64){ 0 };
	return OPT(limit.v > usage ? limit.v - usage : 0);
}

/* ---- rules */

bool is_large_part(const struct report *r, uint64_t bytes)
{
	return bytes >= LARGE_MIB * MIB_BYTES &&
	       bytes >= percent_of(r->rss.scanned, LARGE_PERCENT_OF_RSS);
}

static int (*const rules[])(const struct report *, const struct outlook *, finding_vec *) = {
	rule_gc_headroom_over_limit,
	rule_limit_too_small,
	rule_gomemlimit_missing,
	rule_memory_high,
	rule_heap_retained,
	rule_thp_bloat,
	rule_heap_fragmented,
	rule_gc_garbage,
	rule_gc_pressure,
	rule_lazily_freed,
	rule_live_not_resident,
	rule_allocation_stalls,
	rule_goroutine_stacks,
	rule_dead_goroutines,
	rule_finalizers_stuck,
	rule_profiler_buckets,
	rule_thread_stacks,
	rule_threads_blocked,
};

static int (*const diff_rules[])(const struct diff *, finding_vec *) = {
	rule_go_heap_leak,
	rule_goroutine_leak,
	rule_allocation_stalled,
};

/* Severity, then the bytes that it explains, then the id. What the kernel can reclaim is `info`,
 * and so comes after every warning. */
static bool comes_before(const struct finding *a, const struct finding *b)
{
	if (a->severity != b->severity)
		return a->severity > b->severity;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes;
	return strcmp(a->id, b->id) < 0;
}

static void sort_findings(finding_vec *v)
{
	for (size_t i = 1; i < v->n; i++) {
		struct finding f = v->v[i];
		size_t k = i;

		for (; k && comes_before(&f, &v->v[k - 1]); k--)
			v->v[k] = v->v[k - 1];
		v->v[k] = f;
	}
}

int findings_make(struct report *r)
{
	struct outlook o;
	int rc = 0;

	outlook_of(r, &o);
	for (size_t i = 0; i < ARRAY_LEN(rules) && !rc; i++)
		rc = rules[i](r, &o, &r->findings);
	sort_findings(&r->findings);
	return rc;
}

int findings_compare(struct diff *d)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(diff_rules) && !rc; i++)
		rc = diff_rules[i](d, &d->findings);
	sort_findings(&d->findings);
	return rc;
}

static bool is_told(const finding_vec *v, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].id, id))
			return true;
	return false;
}

int findings_watch(struct diff *d, const struct trend *live, struct report *b)
{
	bool rests = trend_rests(live);
	int rc = findings_compare(d);

	for (size_t i = 0; i < d->findings.n && !rc; i++) {
		struct finding *f = &d->findings.v[i];

		if ((rests && !strcmp(f->id, "go-heap-leak")) || is_told(&b->findings, f->id))
			continue;
		rc = vec_push(&b->findings, *f);
		if (!rc)
			*f = (struct finding){ 0 }; /* moved */
	}
	sort_findings(&b->findings);
	return rc;
}

/* ---- the sentence */

bool findings_unlimited(const struct report *r)
{
	if (!r->cgroup.version || !r->cgroup.usage.has || findings_limit(r).has)
		return false;
	for (size_t i = 0; i < r->missing.n; i++)
		if (!strcmp(r->missing.v[i].path, "cgroup.limit"))
			return false;
	return true;
}

int findings_sentence(const struct report *r, struct text *out)
{
	struct opt_u64 room = findings_headroom(r);
	char rss[32], left[32], limit[32];
	int rc;

	text_bytes(rss, sizeof(rss), r->rss.scanned);
	if (r->findings.n)
		rc = text_printf(out, "%s RSS is %s", r->findings.v[0].summary, rss);
	else
		rc = text_printf(out, "RSS is %s", rss);
	if (!rc && !r->findings.n)
		rc = verdict_parts(r, out);
	if (rc)
		return rc;
	if (room.has) {
		text_bytes(left, sizeof(left), room.v);
		text_bytes(limit, sizeof(limit), findings_limit(r).v);
		return text_printf(out, "; %s of headroom (%s %s).", left,
				   findings_limit(r).v == r->cgroup.effective_limit.v
					   ? "limit"
					   : "memory.high",
				   limit);
	}
	if (findings_unlimited(r) && r->kernel.mem_available.has) {
		text_bytes(left, sizeof(left), r->kernel.mem_available.v);
		return text_printf(out, "; %s of headroom (host, no memory limit applies).", left);
	}
	if (findings_unlimited(r))
		return text_printf(out, "; no memory limit applies.");
	return text_printf(out, "; memory limit unknown.");
}

const char *findings_time(char *buf, size_t n, int64_t ns)
{
	uint64_t s = (ns < 0 ? -(uint64_t)ns : (uint64_t)ns) / 1000000000;

	if (s < 60)
		snprintf(buf, n, "%.1f s", (ns < 0 ? -ns : ns) / 1e9);
	else if (s < 600)
		snprintf(buf, n, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(buf, n, "%" PRIu64 " min", s / 60);
	else
		snprintf(buf, n, "%" PRIu64 " h", s / 3600);
	return buf;
}

static int add_change(const struct diff *d, struct text *out)
{
	uint64_t size = delta_size(&d->scanned);
	char change[32], now[32], time[32];
	bool one = d->process == DIFF_SAME;

	text_bytes(change, sizeof(change), size);
	text_bytes(now, sizeof(now), d->scanned.b);
	if (!size)
		return text_printf(out, "RSS is %s in both", now);
	if (!one)
		return text_printf(out, "B's RSS of %s is %s %s than A's", now, change,
				   d->growth > 0 ? "larger" : "smaller");
	if (text_printf(out, "RSS %s by %s to %s", d->growth > 0 ? "grew" : "shrank", change, now))
		return -ENOMEM;
	return d->has_interval ? text_printf(out, " in %s",
					     findings_time(time, sizeof(time), d->interval_ns))
			       : 0;
}

/* What changed most, in the direction of the whole. */
static int add_cause(const struct diff *d, struct text *out)
{
	char size[32];

	for (size_t i = 0; i < d->cats.n && d->growth; i++) {
		const struct diff_cat *c = &d->cats.v[i];
		int64_t by = delta_of(&c->s.resident);

		if (!by || (by > 0) != (d->growth > 0))
			continue;
		text_bytes(size, sizeof(size), delta_size(&c->s.resident));
		return text_printf(out, ", mostly %s (%s%s)", category_name(c->cat),
				   by > 0 ? "+" : "-", size);
	}
	return 0;
}

int findings_diff_sentence(const struct diff *d, struct text *out)
{
	double share = d->growth ? (double)d->explained / d->growth : 0;

	if ((d->findings.n && text_printf(out, "%s ", d->findings.v[0].summary)) ||
	    add_change(d, out) || add_cause(d, out))
		return -ENOMEM;
	if (d->growth && share >= 0 && share <= 1)
		return text_printf(out, ", %.1f %% explained.", 100 * share);
	return text_printf(out, ".");
}
