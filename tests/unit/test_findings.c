/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/diff.h"
#include "model/findings/findings.h"
#include "model/findings/outlook.h"
#include "sample.h"
#include "test.h"

static void expect_sentence(const struct report *r, const char *want)
{
	_text_ struct text t = { 0 };

	REQUIRE(!findings_sentence(r, &t));
	CHECK_STR(t.p, want);
}

TEST(findings_need_evidence)
{
	struct report r;

	sample_full(&r);
	CHECK_INT(findings_make(&r), 0);
	CHECK_INT(r.findings.n, 0);
	report_free(&r);
	report_init(&r); /* nothing known at all */
	CHECK_INT(findings_make(&r), 0);
	CHECK_INT(r.findings.n, 0);
	report_free(&r);
}

TEST(findings_headroom_is_limit_less_usage)
{
	struct report r;

	sample_full(&r);
	CHECK(findings_headroom(&r).has);
	CHECK_INT(findings_headroom(&r).v, (uint64_t)554 << 20);
	r.cgroup.usage = OPT(r.cgroup.effective_limit.v + 4096);
	CHECK(findings_headroom(&r).has);
	CHECK_INT(findings_headroom(&r).v, 0);
	r.cgroup.usage.has = false;
	CHECK(!findings_headroom(&r).has);
	r.cgroup.usage.has = true;
	r.cgroup.effective_limit.has = false;
	CHECK(!findings_headroom(&r).has);
	report_free(&r);
}

TEST(findings_headroom_knows_memory_high_and_the_host)
{
	_text_ struct text t = { 0 };
	struct report r;

	sample_full(&r);
	r.cgroup.high = OPT(r.cgroup.usage.v + (100 << 20));
	CHECK_INT(findings_headroom(&r).v, 100 << 20);
	REQUIRE(!findings_sentence(&r, &t));
	CHECK(strstr(t.p, "; 100.0 MiB of headroom (memory.high 570.0 MiB)."));
	r.cgroup.effective_limit.has = r.cgroup.limit.has = false;
	CHECK(!findings_unlimited(&r));
	r.cgroup.high.has = false;
	r.kernel.mem_available = OPT((uint64_t)3 << 30);
	t.n = 0;
	REQUIRE(!findings_sentence(&r, &t));
	CHECK(strstr(t.p, "; 3.0 GiB of headroom (host, no memory limit applies)."));
	report_free(&r);
}

TEST(finding_memory_high)
{
	struct report r;

	sample_full(&r);
	r.cgroup.high = OPT(r.cgroup.usage.v / 98 * 100 + (1 << 20)); /* a near miss */
	REQUIRE(!findings_make(&r));
	CHECK_INT(r.findings.n, 0);
	r.cgroup.high = OPT(r.cgroup.usage.v + 4096);
	REQUIRE(!findings_make(&r));
	REQUIRE(r.findings.n == 1);
	CHECK_STR(r.findings.v[0].id, "memory-high");
	CHECK_STR(r.findings.v[0].summary,
		  "The cgroup uses 470.0 MiB of its memory.high of 470.0 MiB: the kernel reclaims "
		  "its memory and stalls its processes.");
	findings_free(&r.findings);
	r.cgroup.effective_limit = OPT(r.cgroup.high.v); /* the limit comes first */
	REQUIRE(!findings_make(&r));
	CHECK_INT(r.findings.n, 0);
	report_free(&r);
}

#define SAMPLE_PARTS                                                                               \
	"RSS is 399.5 MiB: 62 % Go heap (188.0 MiB objects, 37.0 MiB free spans), 14 % the "       \
	"executable, 13 % mapped files (mostly 000001)"

TEST(findings_sentence_says_what_is_known_of_limits)
{
	struct report r;

	sample_full(&r);
	expect_sentence(&r, SAMPLE_PARTS "; 554.0 MiB of headroom (limit 1.0 GiB).");
	r.cgroup.effective_limit.has = false;
	CHECK(findings_unlimited(&r));
	expect_sentence(&r, SAMPLE_PARTS "; no memory limit applies.");
	/* words are for people: what else is missing may speak of limits */
	REQUIRE(!report_missing(&r, "cgroup", "", "memory.stat is limited"));
	CHECK(findings_unlimited(&r));
	REQUIRE(!report_missing(&r, "cgroup.limit", "", "%s", "Permission denied"));
	CHECK(!findings_unlimited(&r));
	expect_sentence(&r, SAMPLE_PARTS "; memory limit unknown.");
	report_free(&r);
}

/* A report of nothing but one category: its words. */
static void expect_part(enum category c, const char *want)
{
	struct report r;
	_text_ struct text t = { 0 };

	report_init(&r);
	r.rss.scanned = r.ledger.cat[c].resident = 64 << 20;
	REQUIRE(!findings_sentence(&r, &t));
	CHECK_STR(t.p, want);
	report_free(&r);
}

TEST(findings_sentence_says_that_it_is_lazily_freed)
{
	const struct row_id lazy = row_labelled(ROW_TYPE, ROW_LAZILY_FREED);
	struct report r;
	uint32_t row;

	for (int most = 0; most <= 1; most++) {
		_text_ struct text t = { 0 };

		report_init(&r);
		r.rss.scanned = r.ledger.cat[CAT_GO_HEAP_RELEASED].resident = 64 << 20;
		REQUIRE(!ledger_add_row(&r.ledger, CAT_GO_HEAP_RELEASED, &lazy, &row));
		r.ledger.rows.v[row].resident = most ? 60 << 20 : 20 << 20;
		REQUIRE(!findings_sentence(&r, &t));
		CHECK(!strstr(t.p, "lazily freed: the kernel reclaims it") == !most);
		report_free(&r);
	}
}

TEST(findings_sentence_names_what_dominates)
{
#define ALL(words) "RSS is 64.0 MiB: 100 % " words "; memory limit unknown."
	expect_part(CAT_GO_HEAP_LIVE, ALL("Go heap (live at the last GC)"));
	expect_part(CAT_GO_HEAP_DEAD, ALL("Go heap (allocated since or garbage)"));
	expect_part(CAT_GO_HEAP_RELEASED,
		    ALL("Go heap (returned to the kernel but still resident)"));
	expect_part(CAT_GO_STACKS, ALL("goroutine stacks"));
	expect_part(CAT_GO_PROFILER, ALL("the Go runtime's own structures (profile buckets)"));
	expect_part(CAT_GO_THREAD_STACKS, ALL("thread stacks"));
	expect_part(CAT_NATIVE_MALLOC, ALL("C heap"));
	expect_part(CAT_NATIVE_MALLOC_RETAINED, ALL("C heap (freed but kept by malloc)"));
	expect_part(CAT_NATIVE_MMAP, ALL("anonymous mappings"));
	expect_part(CAT_BINARY_RODATA, ALL("the executable"));
	expect_part(CAT_LIBS, ALL("shared libraries"));
	expect_part(CAT_FILES, ALL("mapped files"));
	expect_part(CAT_SHM, ALL("shared memory"));
	expect_part(CAT_OBSERVER, ALL("left by our own probes"));
	expect_part(CAT_UNKNOWN, ALL("unattributed"));
#undef ALL
}

/* Parts below a tenth are left out, unless there is no larger one; so is what comes after most. */
TEST(findings_sentence_stops_at_small_parts)
{
	struct report r;

	report_init(&r);
	expect_sentence(&r, "RSS is 0 B; memory limit unknown.");
	r.rss.scanned = 100 << 20;
	r.ledger.cat[CAT_GO_HEAP_LIVE].resident = 60 << 20;
	r.ledger.cat[CAT_GO_HEAP_DEAD].resident = 20 << 20;
	r.ledger.cat[CAT_GO_HEAP_FREE].resident = 1 << 20;
	r.ledger.cat[CAT_NATIVE_MALLOC].resident = 10 << 20;
	r.ledger.cat[CAT_LIBS].resident = 9 << 20;
	expect_sentence(&r,
			"RSS is 100.0 MiB: 81 % Go heap (60.0 MiB live at the last GC, 20.0 MiB "
			"allocated since or garbage), 10 % C heap; memory limit "
			"unknown.");
	report_free(&r);
}

TEST(findings_sentence_opens_with_the_first)
{
	struct report r;

	sample_full(&r);
	REQUIRE(!vec_push(&r.findings,
			  (struct finding){ .id = "heap-retained",
					    .severity = SEV_WARNING,
					    .summary = strdup("The heap is large.") }));
	expect_sentence(&r, "The heap is large. RSS is 399.5 MiB; 554.0 MiB of headroom (limit "
			    "1.0 GiB).");
	report_free(&r);
}

TEST(report_missing_and_names)
{
	struct report r;

	report_init(&r);
	CHECK_INT(report_missing(&r, "a.b", NULL, "%d of %s", 3, "x"), 0);
	CHECK_INT(r.missing.n, 1);
	CHECK_STR(r.missing.v[0].reason, "3 of x");
	CHECK_STR(r.missing.v[0].needs, "");
	CHECK_INT(named_add(&r.losses, "ring", 7), 0);
	CHECK(named_find(&r.losses, "ring") && named_find(&r.losses, "ring")->v == 7);
	CHECK(!named_find(&r.losses, "rin"));
	CHECK(named_add(&r.losses,
			"a name that is longer than what the fixed field of a named value holds "
			"and must not be cut",
			1) < 0);
	report_free(&r);
}

/* ---- reports made to measure */

#define MIB(x) ((uint64_t)(x) << 20)

/* Bytes. A Go program alone in its cgroup. */
struct facts {
	uint64_t live, dead, unused, kept, released, huge, other; /* resident */
	uint64_t goal, objects, limit, cache;
};

static void hold(struct report *r, enum category c, uint64_t bytes)
{
	r->ledger.cat[c].resident = bytes;
	r->ledger.scanned += bytes;
}

static void add_cgroup_row(struct report *r, const char *name, uint64_t bytes)
{
	struct cgroup_out_row row = { .bytes = bytes, .reclaimable = RECLAIM_ROW_YES };

	strcpy(row.name, name);
	REQUIRE(!vec_push(&r->cgroup.rows, row));
}

static void make(struct report *r, const struct facts *f)
{
	report_init(r);
	strcpy(r->target.go_version, "go1.22.3");
	strcpy(r->host.boot_id, "a-boot");
	r->target.is_go = true;
	r->target.pid = 4242;
	r->target.start_ticks = 1234;
	r->time_unix_ns = 1700000000000000000;
	hold(r, CAT_GO_HEAP_LIVE, f->live);
	hold(r, CAT_GO_HEAP_DEAD, f->dead);
	hold(r, CAT_GO_HEAP_UNUSED, f->unused);
	hold(r, CAT_GO_HEAP_FREE, f->kept);
	hold(r, CAT_GO_HEAP_RELEASED, f->released);
	r->ledger.cat[CAT_GO_HEAP_RELEASED].huge = f->huge;
	hold(r, CAT_NATIVE_MALLOC, f->other);
	r->rss.scanned = r->ledger.scanned;
	r->go.known = true;
	r->go.goal = OPT(f->goal);
	r->go.live = OPT(f->live);
	r->go.cycles = OPT(7);
	r->go.has_gogc = true;
	r->go.gogc = 100;
	r->go.goroutines = OPT(10);
	REQUIRE(!named_add(&r->go.by_state, "waiting", 10));
	REQUIRE(!named_add(&r->go.metrics, "/memory/classes/heap/objects:bytes", f->objects));
	r->cgroup.version = 2;
	r->cgroup.usage = OPT(r->ledger.scanned + f->cache);
	if (f->limit)
		r->cgroup.limit = r->cgroup.effective_limit = OPT(f->limit);
	add_cgroup_row(r, "inactive_file", f->cache / 2);
	add_cgroup_row(r, "active_file", f->cache / 4);
	add_cgroup_row(r, "slab_reclaimable", f->cache - f->cache / 2 - f->cache / 4);
}

static const struct finding *find(const finding_vec *v, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].id, id))
			return &v->v[i];
	return NULL;
}

/* Makes the findings anew and looks for one. */
static const struct finding *look(struct report *r, const char *id)
{
	findings_free(&r->findings);
	REQUIRE(!findings_make(r));
	return find(&r->findings, id);
}

static bool appears(const struct facts *f, const char *id)
{
	struct report r;
	bool there;

	make(&r, f);
	there = look(&r, id);
	report_free(&r);
	return there;
}

static bool advises(const struct finding *f, const char *words)
{
	for (size_t i = 0; f && i < f->advice.n; i++)
		if (strstr(f->advice.v[i], words))
			return true;
	return false;
}

static uint64_t evidence(const struct finding *f, const char *name)
{
	for (size_t i = 0; f && i < f->evidence.n; i++)
		if (!strcmp(f->evidence.v[i].name, name))
			return f->evidence.v[i].value;
	return UINT64_MAX;
}

/* What every finding has to have. */
static void check_whole(const struct finding *f)
{
	REQUIRE(f);
	CHECK(f->summary && f->summary[strlen(f->summary) - 1] == '.');
	CHECK(f->evidence.n > 0);
	CHECK(f->advice.n > 0);
	for (size_t i = 0; i < f->evidence.n; i++)
		CHECK(f->evidence.v[i].name[0] && f->evidence.v[i].source[0]);
}

/* 500 MiB are charged, 100 of them are not Go's. The heap holds objects only. */
static const struct facts tight = {
	.live = MIB(300),
	.dead = MIB(100),
	.other = MIB(100),
	.objects = MIB(400),
	.goal = MIB(924),
	.limit = MIB(1024),
	.cache = MIB(400),
};

/* ---- what is to be expected */

TEST(outlook_fills_what_is_free_first)
{
	struct facts f = tight;
	struct outlook o;
	struct report r;

	f.unused = MIB(50);
	f.kept = MIB(30);
	f.released = MIB(20);
	f.goal = MIB(500); /* just what is free in the heap */
	make(&r, &f);
	outlook_of(&r, &o);
	CHECK(o.growth.has && o.to_goal.has);
	CHECK_INT(o.to_goal.v, MIB(100));
	CHECK_INT(o.growth.v, 0);
	CHECK_INT(o.rss_at_goal.v, r.rss.scanned);
	CHECK_INT(o.idle.v, 0);
	r.go.goal = OPT(MIB(510));
	outlook_of(&r, &o);
	CHECK_INT(o.growth.v, MIB(10));
	CHECK_INT(o.rss_at_goal.v, r.rss.scanned + MIB(10));
	CHECK_INT(o.charge_at_goal.v, MIB(600 + 10)); /* the cache of 400 MiB can go */
	r.go.goal = OPT(MIB(490));
	outlook_of(&r, &o);
	CHECK_INT(o.growth.v, 0);
	CHECK_INT(o.idle.v, MIB(10));
	r.go.goal = OPT(MIB(300)); /* beyond it already */
	outlook_of(&r, &o);
	CHECK_INT(o.to_goal.v, 0);
	CHECK_INT(o.floor.v, MIB(400));
	report_free(&r);
}

TEST(outlook_does_not_swing_with_the_cycle)
{
	/* one program right before a cycle ends, and right after it */
	const struct facts before = { .live = MIB(50),
				      .dead = MIB(48),
				      .objects = MIB(98),
				      .goal = MIB(100),
				      .other = MIB(20) };
	const struct facts after = { .live = MIB(50),
				     .unused = MIB(48),
				     .objects = MIB(50),
				     .goal = MIB(100),
				     .other = MIB(20) };
	struct outlook a, b;
	struct report r;

	make(&r, &before);
	outlook_of(&r, &a);
	report_free(&r);
	make(&r, &after);
	outlook_of(&r, &b);
	report_free(&r);
	CHECK_INT(a.rss_at_goal.v, MIB(120));
	CHECK_INT(b.rss_at_goal.v, MIB(120));
}

TEST(outlook_reads_versions)
{
	CHECK_INT(outlook_go_minor("go1.19.8"), 19);
	CHECK_INT(outlook_go_minor("devel go1.22-a1b2c3 Tue"), 22);
	CHECK_INT(outlook_go_minor("go1.21rc2"), 21);
	CHECK_INT(outlook_go_minor(""), -1);
	CHECK_INT(outlook_go_minor("go2.1"), -1);
}

/* ---- the limit */

TEST(finding_gc_headroom_over_limit)
{
	const struct finding *f;
	struct facts x = tight;
	struct report r;

	CHECK(!appears(&x, "gc-headroom-over-limit")); /* exactly the limit */
	x.goal++;
	make(&r, &x);
	f = look(&r, "gc-headroom-over-limit");
	check_whole(f);
	CHECK(f->severity == SEV_CRITICAL);
	CHECK_INT(evidence(f, "charge at goal"), MIB(1024) + 1);
	/* the limit less 100 MiB that are not Go's and 5 % of it: 872.8 MiB */
	CHECK(advises(f, "GOMEMLIMIT=872MiB"));
	/* 51.2 MiB too much of the 624 MiB between live heap and goal: 100 * (1 - 0.082) */
	CHECK(advises(f, "GOGC=91 "));
	CHECK(advises(f, "memory limit to 1076 MiB")); /* 1024 and 5 %, and one byte */
	/* the first of all, as it is the worst */
	CHECK_STR(r.findings.v[0].id, "gc-headroom-over-limit");
	/* what is in the page cache goes first */
	r.cgroup.usage.v += MIB(300);
	r.cgroup.rows.v[0].bytes += MIB(300);
	CHECK(look(&r, "gc-headroom-over-limit"));
	r.cgroup.rows.v[0].bytes++;
	CHECK(!look(&r, "gc-headroom-over-limit"));
	report_free(&r);
}

TEST(finding_gc_headroom_without_a_bound)
{
	const struct finding *f;
	struct facts x = tight;
	struct report r;

	x.goal = UINT64_MAX;
	make(&r, &x);
	r.go.gogc = -1;
	f = look(&r, "gc-headroom-over-limit");
	check_whole(f);
	CHECK(f->severity == SEV_WARNING);
	CHECK(advises(f, "GOMEMLIMIT=872MiB"));
	CHECK(advises(f, "set GOGC"));
	r.go.memory_limit = OPT(MIB(800));
	r.go.goal = OPT(MIB(600));
	CHECK(!look(&r, "gc-headroom-over-limit")); /* that bounds it */
	r.go.memory_limit.has = false;
	r.cgroup.effective_limit.has = false;
	CHECK(!look(&r, "gc-headroom-over-limit"));
	report_free(&r);
}

TEST(finding_gomemlimit_missing)
{
	const struct finding *f;
	struct facts x = tight;
	struct report r;

	x.goal = 807822950; /* charge: 85 % of 1 GiB, 912680550 */
	make(&r, &x);
	f = look(&r, "gomemlimit-missing");
	check_whole(f);
	CHECK_INT(evidence(f, "charge at goal"), 912680550);
	CHECK(advises(f, "GOMEMLIMIT=872MiB"));
	r.go.goal.v--;
	CHECK(!look(&r, "gomemlimit-missing"));
	r.go.goal.v++;
	r.go.memory_limit = OPT(MIB(4000));
	CHECK(!look(&r, "gomemlimit-missing")); /* it is set, well or not */
	r.go.memory_limit.has = false;
	strcpy(r.target.go_version, "go1.18.10"); /* has none */
	CHECK(!look(&r, "gomemlimit-missing"));
	strcpy(r.target.go_version, "");
	CHECK(!look(&r, "gomemlimit-missing"));
	report_free(&r);
	/* 872.8 MiB would be left to Go, and 793.45 MiB are alive: a tenth more is the least */
	x.live = MIB(793) + MIB(1) / 4;
	x.objects = x.live + x.dead;
	x.goal = MIB(1500);
	CHECK(appears(&x, "gomemlimit-missing"));
	x.live = MIB(794);
	x.objects = x.live + x.dead;
	CHECK(!appears(&x, "gomemlimit-missing"));
	CHECK(!appears(&x, "limit-too-small"));
	CHECK(appears(&x, "gc-headroom-over-limit"));
}

TEST(finding_limit_too_small)
{
	const struct finding *f;
	struct facts x = tight;
	struct report r;

	x.goal = MIB(2000);
	x.live = 966367641 - MIB(100); /* with 100 MiB that are not Go's: 90 % of 1 GiB */
	x.objects = x.live + x.dead;
	make(&r, &x);
	f = look(&r, "limit-too-small");
	check_whole(f);
	CHECK(f->severity == SEV_CRITICAL);
	CHECK(advises(f, "memory limit to "));
	CHECK(advises(f, "pprof"));
	CHECK(!advises(f, "GOMEMLIMIT")); /* it would not help */
	CHECK(!find(&r.findings, "gomemlimit-missing"));
	CHECK(!find(&r.findings, "gc-headroom-over-limit"));
	report_free(&r);
	x.live--;
	CHECK(!appears(&x, "limit-too-small"));
	CHECK(appears(&x, "gc-headroom-over-limit"));
	/* most of it is not the heap's */
	x = (struct facts){ .live = MIB(10),
			    .objects = MIB(10),
			    .goal = MIB(20),
			    .other = MIB(990),
			    .limit = MIB(1024) };
	make(&r, &x);
	f = look(&r, "limit-too-small");
	check_whole(f);
	CHECK(advises(f, "outside the Go heap"));
	report_free(&r);
}

/* One fact less, and nothing is said. */
TEST(findings_of_the_limit_are_silent_without_evidence)
{
	static const char *const ids[] = { "gc-headroom-over-limit", "gomemlimit-missing",
					   "limit-too-small" };
	struct facts x = tight;
	struct report r;

	for (int small = 0; small < 2; small++) {
		x.goal = MIB(1500);
		x.live = small ? MIB(900) : MIB(300);
		x.objects = x.live + x.dead;
		for (int without = 0; without < 8; without++) {
			bool any = false;

			make(&r, &x);
			if (without == 1)
				r.cgroup.effective_limit.has = false;
			if (without == 2)
				r.cgroup.usage.has = false;
			if (without == 3)
				r.cgroup.rows.n = 0;
			if (without == 4 && !small)
				r.go.goal.has = false;
			if (without == 5 && !small)
				r.go.metrics.n = 0;
			if (without == 6) /* the heap is not broken down */
				hold(&r, CAT_GO_HEAP, MIB(1));
			if (without == 7)
				r.go.known = false;
			for (int i = 0; i < 3; i++)
				any |= look(&r, ids[i]) != NULL;
			if (any != (!without || (small && (without == 4 || without == 5))))
				test_failed(__FILE__, __LINE__, "small %d, without %d: %d", small,
					    without, any);
			report_free(&r);
		}
	}
	/* before the first cycle nothing is known to be alive */
	x.live = MIB(900);
	make(&r, &x);
	r.go.cycles = OPT(0);
	CHECK(!look(&r, "limit-too-small"));
	report_free(&r);
}

/* ---- what the heap holds without need */

TEST(finding_heap_retained)
{
	/* 64 MiB of 256 are free, and the goal is reached */
	struct facts x = { .live = MIB(60),
			   .dead = MIB(40),
			   .kept = MIB(64),
			   .other = MIB(92),
			   .objects = MIB(100),
			   .goal = MIB(100) };
	const struct finding *f;
	struct report r;

	make(&r, &x);
	f = look(&r, "heap-retained");
	check_whole(f);
	CHECK_INT(evidence(f, "idle at goal"), MIB(64));
	CHECK(advises(f, "debug.FreeOSMemory()"));
	CHECK(!advises(f, "GODEBUG=madvdontneed"));
	strcpy(r.target.go_version, "go1.15.15");
	CHECK(advises(look(&r, "heap-retained"), "GODEBUG=madvdontneed=1"));
	r.go.goal.has = false;
	CHECK(!look(&r, "heap-retained"));
	report_free(&r);
	x.other += 4; /* 25 % of it is more than 64 MiB now */
	CHECK(!appears(&x, "heap-retained"));
	x.other -= 4;
	x.goal++; /* one byte of the free ones will be used */
	CHECK(!appears(&x, "heap-retained"));
	x.goal = MIB(164); /* all of them */
	CHECK(!appears(&x, "heap-retained"));
	x = (struct facts){ .live = MIB(10),
			    .kept = MIB(32),
			    .objects = MIB(10),
			    .goal = MIB(10),
			    .other = MIB(10) };
	CHECK(appears(&x, "heap-retained"));
	x.kept--;
	CHECK(!appears(&x, "heap-retained")); /* a large part of little */
	/* free slots in spans in use are not free spans */
	x.unused = MIB(40);
	CHECK(!appears(&x, "heap-retained"));
}

TEST(finding_thp_bloat)
{
	/* 5 % of 400 MiB */
	struct facts x = { .live = MIB(180),
			   .released = MIB(20),
			   .huge = MIB(20),
			   .other = MIB(200),
			   .objects = MIB(180),
			   .goal = MIB(360) };
	const struct finding *f;
	struct report r;

	make(&r, &x);
	r.ledger.cat[CAT_GO_HEAP_FREE].huge = MIB(7);
	f = look(&r, "thp-bloat");
	check_whole(f);
	CHECK_INT(evidence(f, "released, huge"), MIB(20));
	CHECK_INT(evidence(f, "free, huge"), MIB(7));
	CHECK(advises(f, "max_ptes_none"));
	CHECK(advises(f, "disablethp=1"));
	strcpy(r.target.go_version, "go1.20.1");
	CHECK(!advises(look(&r, "thp-bloat"), "disablethp"));
	report_free(&r);
	x.huge--;
	CHECK(!appears(&x, "thp-bloat"));
	x = (struct facts){ .live = MIB(10),
			    .released = MIB(40),
			    .huge = MIB(16),
			    .objects = MIB(10),
			    .goal = MIB(20) };
	CHECK(appears(&x, "thp-bloat"));
	x.huge--;
	CHECK(!appears(&x, "thp-bloat")); /* a large part of little */
	/* huge pages in memory that is free, not given back */
	make(&r, &(struct facts){
			 .live = MIB(10), .kept = MIB(400), .objects = MIB(10), .goal = MIB(420) });
	r.ledger.cat[CAT_GO_HEAP_FREE].huge = MIB(400);
	CHECK(!look(&r, "thp-bloat"));
	report_free(&r);
}

/* ---- two looks */

struct pair {
	struct report a, b;
	struct diff d;
};

static void make_pair(struct pair *p, const struct facts *a, const struct facts *b)
{
	make(&p->a, a);
	make(&p->b, b);
	p->b.time_unix_ns += 60000000000;
	p->b.go.cycles = OPT(p->a.go.cycles.v + 3);
	p->d = (struct diff){ 0 };
}

static const struct finding *compare(struct pair *p, const char *id)
{
	diff_free(&p->d);
	REQUIRE(!diff_make(&p->a, &p->b, &p->d));
	REQUIRE(!findings_compare(&p->d));
	return find(&p->d.findings, id);
}

static void free_pair(struct pair *p)
{
	diff_free(&p->d);
	report_free(&p->a);
	report_free(&p->b);
}

TEST(finding_go_heap_leak)
{
	struct facts a = tight, b = tight;
	const struct finding *f;
	struct pair p;

	a.live = MIB(160);
	b.live = MIB(176); /* 16 MiB and 10 % more */
	make_pair(&p, &a, &b);
	f = compare(&p, "go-heap-leak");
	check_whole(f);
	CHECK_INT(evidence(f, "live now"), MIB(176));
	CHECK_INT(evidence(f, "cycles"), 3);
	CHECK_INT(evidence(f, "seconds"), 60);
	/* headroom: 1024 - (176 + 100 + 100 + 400 of cache); at 16 MiB a minute */
	CHECK_INT(evidence(f, "headroom"), MIB(248));
	CHECK_INT(evidence(f, "limit reached in"), 248 * 60 / 16);
	CHECK(advises(f, "-diff_base"));
	p.b.go.live.v--;
	CHECK(!compare(&p, "go-heap-leak"));
	p.b.go.live.v++;
	p.b.go.cycles.v--;
	CHECK(!compare(&p, "go-heap-leak"));
	p.b.go.cycles.v++;
	p.b.target.start_ticks++; /* another process */
	CHECK(!compare(&p, "go-heap-leak"));
	p.b.target.start_ticks--;
	p.b.time_unix_ns = p.a.time_unix_ns - 1; /* the wrong way round */
	CHECK(!compare(&p, "go-heap-leak"));
	p.b.time_unix_ns = p.a.time_unix_ns + 1;
	CHECK(compare(&p, "go-heap-leak"));
	p.a.go.live.has = false;
	CHECK(!compare(&p, "go-heap-leak"));
	p.a.go.live.has = true;
	p.a.go.cycles = OPT(0); /* nothing was marked yet */
	CHECK(!compare(&p, "go-heap-leak"));
	free_pair(&p);
	a.live = MIB(161); /* 10 % of it is more than 16 MiB */
	b.live = MIB(177);
	make_pair(&p, &a, &b);
	CHECK(!compare(&p, "go-heap-leak"));
	free_pair(&p);
	a.live = MIB(1); /* much more, of little */
	b.live = MIB(17) - 1;
	make_pair(&p, &a, &b);
	CHECK(!compare(&p, "go-heap-leak"));
	free_pair(&p);
}

static void set_goroutines(struct report *r, uint64_t waiting, uint64_t running)
{
	r->go.goroutines = OPT(waiting + running);
	r->go.by_state.n = 0;
	REQUIRE(!named_add(&r->go.by_state, "waiting", waiting));
	REQUIRE(!named_add(&r->go.by_state, "running", running));
}

TEST(finding_goroutine_leak)
{
	static const struct {
		uint64_t waiting_a, running_a, waiting_b, running_b;
		bool leak;
	} c[] = {
		{ 200, 0, 300, 0, true },			      /* 100 and 50 % more */
		{ 200, 0, 299, 0, false }, { 202, 0, 302, 0, false }, /* 49.5 % */
		{ 10, 0, 100, 10, true },			      /* 90 of 100 more wait */
		{ 10, 0, 99, 11, false },  { 10, 0, 10, 1000, false },	{ 300, 0, 200, 0, false },
		{ 0, 1, 100, 1, true },	   { 1000, 0, 1000, 0, false },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		const struct finding *f;
		struct pair p;

		make_pair(&p, &tight, &tight);
		set_goroutines(&p.a, c[i].waiting_a, c[i].running_a);
		set_goroutines(&p.b, c[i].waiting_b, c[i].running_b);
		f = compare(&p, "goroutine-leak");
		if (!f != !c[i].leak)
			test_failed(__FILE__, __LINE__, "case %zu: %s", i, f ? "found" : "silent");
		if (f)
			check_whole(f);
		p.b.go.goroutines.has = false;
		CHECK(!compare(&p, "goroutine-leak"));
		free_pair(&p);
	}
}

TEST(findings_are_in_the_documentation)
{
	static const char *const files[] = { "doc/findings.md", "doc/rsscope.1" };

	for (size_t k = 0; k < 2; k++) {
		char *p = NULL;
		size_t cap = 0;
		FILE *f = fopen(files[k], "r");

		REQUIRE(f && getdelim(&p, &cap, 0, f) > 0);
		fclose(f);
		for (size_t i = 0; finding_ids[i]; i++)
			if (!strstr(p, finding_ids[i]))
				test_failed(files[k], 0, "does not say what %s is", finding_ids[i]);
		free(p);
	}
}
