/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings on what dominates: each with what must be there, and the near miss. */
#include "model/findings/findings.h"
#include "model/report/diff.h"
#include "sample.h"
#include "test.h"

#define MIB(x) ((uint64_t)(x) << 20)

/* A Go program of 200 MiB of other memory, so that a quarter of RSS is a third of that. */
static void begin(struct report *r)
{
	report_init(r);
	strcpy(r->target.go_version, "go1.26.1");
	strcpy(r->host.boot_id, "a-boot");
	r->target.is_go = true;
	r->target.pid = 4242;
	r->target.start_ticks = 1234;
	r->time_unix_ns = 1700000000000000000;
	r->go.known = true;
	r->go.cycles = OPT(7);
	r->go.has_gogc = true;
	r->go.gogc = 100;
	r->go.goroutines = OPT(1000);
}

static void hold(struct report *r, enum category c, uint64_t bytes)
{
	r->ledger.cat[c].resident += bytes;
	r->ledger.cat[c].virtual_ += bytes;
	r->ledger.scanned = r->rss.scanned += bytes;
}

static const struct finding *find(const finding_vec *v, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].id, id))
			return &v->v[i];
	return NULL;
}

static const struct finding *look(struct report *r, const char *id)
{
	findings_free(&r->findings);
	REQUIRE(!findings_make(r));
	return find(&r->findings, id);
}

static uint64_t evidence(const struct finding *f, const char *name)
{
	for (size_t i = 0; f && i < f->evidence.n; i++)
		if (!strcmp(f->evidence.v[i].name, name))
			return f->evidence.v[i].value;
	return UINT64_MAX;
}

static bool advises(const struct finding *f, const char *words)
{
	for (size_t i = 0; f && i < f->advice.n; i++)
		if (strstr(f->advice.v[i], words))
			return true;
	return false;
}

static void check_whole(const struct finding *f, enum severity s)
{
	REQUIRE(f);
	CHECK(f->severity == s);
	CHECK(f->summary && f->summary[strlen(f->summary) - 1] == '.');
	CHECK(f->evidence.n > 0);
	CHECK(f->advice.n > 0);
	CHECK(f->next && *f->next);
	for (size_t i = 0; i < f->evidence.n; i++)
		CHECK(f->evidence.v[i].name[0] && f->evidence.v[i].source[0]);
}

static void set_objects(struct report *r, uint64_t objects, uint64_t goal)
{
	r->go.metrics.n = 0;
	REQUIRE(!named_add(&r->go.metrics, "/memory/classes/heap/objects:bytes", objects));
	r->go.goal = OPT(goal);
}

/* Of a category that is all that decides: a quarter and 32 MiB, each missed by a byte. */
static void check_large(enum category c, const char *id)
{
	struct report r;

	begin(&r);
	hold(&r, c, MIB(32));
	hold(&r, CAT_NATIVE_MALLOC, MIB(96));
	CHECK(look(&r, id));
	r.rss.scanned += 4;
	CHECK(!look(&r, id));
	report_free(&r);
	begin(&r);
	hold(&r, c, MIB(32) - 1); /* all of little */
	CHECK(!look(&r, id));
	report_free(&r);
}

TEST(findings_large_begin_at_a_quarter)
{
	check_large(CAT_GO_STACKS, "goroutine-stacks");
	check_large(CAT_GO_PROFILER, "profiler-buckets");
	check_large(CAT_GO_THREAD_STACKS, "thread-stacks");
	check_large(CAT_NATIVE_STACKS, "thread-stacks");
}

TEST(finding_goroutine_stacks)
{
	const struct finding *f;
	struct report_site *s;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_STACKS, MIB(100));
	f = look(&r, "goroutine-stacks");
	check_whole(f, SEV_INFO);
	CHECK_STR(f->summary, "Goroutine stacks take 100.0 MiB.");
	CHECK_INT(f->bytes, MIB(100));
	s = sample_site(&r, CAT_GO_STACKS, "goroutine", "main.produce", MIB(80), 40000);
	s->waits = strdup("a channel send");
	s->creator = strdup("main.fetch");
	f = look(&r, "goroutine-stacks");
	CHECK_STR(f->summary, "Goroutine stacks take 100.0 MiB: 40000 goroutines wait in a channel "
			      "send in main.produce (created by main.fetch) on 80.0 MiB of stack.");
	CHECK_INT(evidence(f, "in the largest group"), 40000);
	CHECK(advises(f, "main.fetch"));
	/* a second group is told where it is of that size, too */
	s = sample_site(&r, CAT_GO_STACKS, "goroutine", "main.other", MIB(28), 1);
	s->used = OPT(MIB(1));
	f = look(&r, "goroutine-stacks");
	CHECK_STR(f->summary, "Goroutine stacks take 100.0 MiB: 40000 goroutines wait in a channel "
			      "send in main.produce (created by main.fetch) on 80.0 MiB of stack, "
			      "1 goroutine is in main.other on 28.0 MiB of stack, almost empty.");
	CHECK_STR(f->next, "rsscope profile 4242 --type goroutine");
	report_free(&r);
}

TEST(finding_dead_goroutines)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(128));
	r.go.dead_goroutines = OPT(MIB(32) / 512);
	r.go.descriptor_size = OPT(512);
	f = look(&r, "dead-goroutines");
	check_whole(f, SEV_INFO);
	CHECK_INT(evidence(f, "ended goroutines"), 65536);
	CHECK_INT(evidence(f, "all of them"), MIB(32));
	r.go.dead_goroutines.v--;
	CHECK(!look(&r, "dead-goroutines"));
	r.go.dead_goroutines.v++;
	r.go.descriptor_size.has = false;
	CHECK(!look(&r, "dead-goroutines"));
	/* absurd figures don't wrap into a finding */
	r.go.descriptor_size = OPT(1ULL << 40);
	r.go.dead_goroutines = OPT((1ULL << 40) + 1);
	CHECK(!look(&r, "dead-goroutines"));
	report_free(&r);
}

TEST(finding_profiler_buckets)
{
	const struct finding *f;
	struct report_site *s;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_PROFILER, MIB(80));
	f = look(&r, "profiler-buckets");
	check_whole(f, SEV_WARNING);
	CHECK(advises(f, "profstackdepth"));
	strcpy(r.target.go_version, "go1.22.1");
	CHECK(!advises(look(&r, "profiler-buckets"), "profstackdepth"));
	s = sample_site(&r, CAT_GO_PROFILER, "buckets", "main.parse", 0, 131072);
	s->bytes.has = false;
	r.profiles.v[0].count = OPT(131099);
	f = look(&r, "profiler-buckets");
	CHECK_STR(f->summary,
		  "80.0 MiB are the memory profiler's own buckets: 131099 distinct "
		  "allocation stacks, 131072 of them through main.parse; they are never "
		  "freed.");
	CHECK_INT(evidence(f, "stacks"), 131099);
	report_free(&r);
}

TEST(finding_finalizers_stuck)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(10));
	CHECK(!look(&r, "finalizers-stuck"));
	r.go.finalizers_waiting = OPT(1000);
	CHECK(!look(&r, "finalizers-stuck")); /* nobody is in the way, or it is not known */
	strcpy(r.go.finalizer_running, "main.(*conn).finalize");
	f = look(&r, "finalizers-stuck");
	check_whole(f, SEV_WARNING);
	CHECK_STR(f->summary, "1000 finalizers wait to be run, behind main.(*conn).finalize, which "
			      "runs or is blocked; what they belong to stays in the heap.");
	r.go.finalizers_waiting.v--;
	CHECK(!look(&r, "finalizers-stuck"));
	r.go.finalizer_running[0] = 0;
	r.go.finalizers_waiting = OPT(100000);
	CHECK(look(&r, "finalizers-stuck"));
	r.go.finalizers_waiting.v--;
	CHECK(!look(&r, "finalizers-stuck"));
	r.go.cleanups_waiting = OPT(100000);
	CHECK(strstr(look(&r, "finalizers-stuck")->summary, "100000 cleanups"));
	report_free(&r);
}

TEST(finding_gc_garbage)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(120));
	hold(&r, CAT_GO_HEAP_DEAD, MIB(312));
	set_objects(&r, MIB(432), MIB(480));
	r.go.gogc = 300;
	f = look(&r, "gc-garbage");
	check_whole(f, SEV_INFO);
	CHECK_STR(
		f->summary,
		"432.0 MiB of heap objects, of which the last GC cycle found 120.0 MiB alive: "
		"312.0 MiB are garbage or were allocated since, within the goal of 480.0 MiB that "
		"GOGC=300 sets; no sign of a leak.");
	CHECK(advises(f, "a lower GOGC"));
	sample_site(&r, CAT_GO_HEAP_DEAD, "dead", "main.churn", MIB(200), 9);
	f = look(&r, "gc-garbage");
	CHECK(strstr(f->summary, "GOGC=300 sets; most of these were allocated by main.churn; no"));
	/* a limit that sets the goal is named instead */
	r.go.memory_limit = OPT(MIB(500));
	r.go.gogc = -1;
	CHECK(strstr(look(&r, "gc-garbage")->summary, "that GOMEMLIMIT sets"));
	r.go.memory_limit.has = false;
	CHECK(!look(&r, "gc-garbage")); /* nothing sets one */
	r.go.gogc = 300;
	r.go.cycles = OPT(0); /* nothing is known to be alive */
	CHECK(!look(&r, "gc-garbage"));
	report_free(&r);
	/* what GOGC=100 means is no news */
	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(200));
	hold(&r, CAT_GO_HEAP_DEAD, MIB(250));
	set_objects(&r, MIB(400), MIB(400));
	CHECK(!look(&r, "gc-garbage"));
	hold(&r, CAT_GO_HEAP_DEAD, 1);
	CHECK(look(&r, "gc-garbage"));
	report_free(&r);
}

TEST(finding_heap_fragmented)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(5));
	hold(&r, CAT_GO_HEAP_UNUSED, MIB(300));
	set_objects(&r, MIB(5), MIB(10));
	r.go.sparse.size = OPT(128);
	r.go.sparse.spans = OPT(40000);
	r.go.sparse.objects = OPT(40001);
	sample_site(&r, CAT_GO_HEAP_UNUSED, "heap", "main.load", MIB(4), 40000);
	f = look(&r, "heap-fragmented");
	check_whole(f, SEV_WARNING);
	CHECK_INT(evidence(f, "not needed at the goal"), MIB(295));
	CHECK_INT(evidence(f, "its spans"), 40000);
	CHECK_STR(f->summary,
		  "300.0 MiB of the heap are free slots in spans that 5.0 MiB of objects keep in "
		  "use: 40001 objects of size class 128 (most of them allocated by main.load) pin "
		  "40000 spans, whose free slots only objects of that size can use.");
	/* free slots that the next cycle needs: right after a cycle this is every heap */
	set_objects(&r, MIB(5), MIB(5 + 300 - 77));
	CHECK(look(&r, "heap-fragmented"));
	set_objects(&r, MIB(5), MIB(5 + 300 - 76));
	CHECK(!look(&r, "heap-fragmented"));
	r.go.goal.has = false;
	CHECK(!look(&r, "heap-fragmented"));
	report_free(&r);
}

TEST(finding_lazily_freed)
{
	const struct row_id lazy = row_labelled(ROW_TYPE, ROW_LAZILY_FREED);
	const struct row_id other = row_labelled(ROW_TYPE, "other");
	const struct finding *f;
	struct report r;
	uint32_t row;

	begin(&r);
	hold(&r, CAT_GO_HEAP_RELEASED, MIB(600));
	hold(&r, CAT_GO_HEAP_FREE, MIB(40));
	REQUIRE(!ledger_add_row(&r.ledger, CAT_GO_HEAP_RELEASED, &other, &row));
	r.ledger.rows.v[row].resident = MIB(600); /* for another reason: huge pages, say */
	CHECK(!look(&r, "lazily-freed"));
	REQUIRE(!ledger_add_row(&r.ledger, CAT_GO_HEAP_RELEASED, &lazy, &row));
	r.ledger.rows.v[row].resident = MIB(160);
	f = look(&r, "lazily-freed");
	check_whole(f, SEV_INFO);
	CHECK_INT(evidence(f, "lazily freed"), MIB(160));
	CHECK_INT(evidence(f, "RSS without them"), MIB(480));
	CHECK(advises(f, "without GODEBUG=madvdontneed=0"));
	strcpy(r.target.go_version, "go1.15.15");
	CHECK(advises(look(&r, "lazily-freed"), "GODEBUG=madvdontneed=1"));
	/* what the kernel can reclaim comes after every warning, however much it is */
	r.ledger.rows.v[row].resident = MIB(600);
	set_objects(&r, 0, 1);
	CHECK(look(&r, "lazily-freed"));
	hold(&r, CAT_GO_PROFILER, MIB(250));
	REQUIRE(look(&r, "lazily-freed"));
	REQUIRE(r.findings.n == 2);
	CHECK_STR(r.findings.v[0].id, "profiler-buckets");
	report_free(&r);
}

TEST(finding_live_not_resident)
{
	const struct finding *f;
	struct ledger_cat *c;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(100));
	c = &r.ledger.cat[CAT_GO_HEAP_LIVE];
	c->virtual_ = MIB(160);
	f = look(&r, "live-not-resident");
	check_whole(f, SEV_INFO);
	CHECK_INT(evidence(f, "never touched"), MIB(60));
	c->swap = MIB(16); /* 10 % of what is alive */
	f = look(&r, "live-not-resident");
	check_whole(f, SEV_WARNING);
	CHECK_INT(f->bytes, MIB(16));
	CHECK_INT(evidence(f, "never touched"), MIB(44));
	c->swap--;
	f = look(&r, "live-not-resident");
	REQUIRE(f);
	CHECK(f->severity == SEV_INFO);
	c->swap = 0;
	c->virtual_ = MIB(132); /* 32 MiB, not a quarter of it */
	CHECK(!look(&r, "live-not-resident"));
	report_free(&r);
}

TEST(finding_thread_stacks)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	for (int i = 1; i <= 160; i++) {
		const struct row_id id = row_thread(i, "prog");

		sample_hold_id(&r, CAT_GO_THREAD_STACKS, &id, MIB(1), MIB(8));
	}
	r.rss.scanned = r.ledger.scanned;
	f = look(&r, "thread-stacks");
	check_whole(f, SEV_INFO);
	CHECK_INT(evidence(f, "stacks"), 160);
	CHECK_INT(evidence(f, "reserved"), MIB(1280));
	CHECK(!strstr(f->summary, "no call uses"));
	r.threads.stacks_unused = OPT(MIB(150));
	CHECK(strstr(look(&r, "thread-stacks")->summary,
		     "no call uses 150.0 MiB of them any more"));
	r.threads.stacks_unused = OPT(MIB(79)); /* more of it is in use */
	CHECK(!strstr(look(&r, "thread-stacks")->summary, "no call uses"));
	report_free(&r);
}

TEST(finding_threads_blocked)
{
	const struct finding *f;
	struct report_site *s;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(10));
	r.kernel.kernel_stack_size = OPT(16384);
	REQUIRE(!named_add(&r.threads.in, "futex", 300));
	REQUIRE(!named_add(&r.threads.in, "running", 0));
	REQUIRE(!named_add(&r.threads.in, "fsync", 40));
	REQUIRE(!named_add(&r.threads.in, "read", 60));
	s = sample_site(&r, CAT_GO_STACKS, "goroutine", "main.poll", MIB(1), 60);
	s->waits = strdup("a system call");
	f = look(&r, "threads-blocked");
	check_whole(f, SEV_INFO);
	CHECK_STR(f->summary, "100 of 400 threads are blocked in system calls, 60 of them in read "
			      "(60 called by main.poll); 300 are idle. Their kernel stacks are 6.2 "
			      "MiB, charged and not in RSS.");
	r.threads.in.v[0].v = 304;
	CHECK(!look(&r, "threads-blocked")); /* not a quarter */
	r.threads.in.v[0].v = 300;
	r.threads.in.v[2].v = 39;
	CHECK(!look(&r, "threads-blocked")); /* 99 */
	r.threads.in.v[2].v = 5001;
	f = look(&r, "threads-blocked");
	check_whole(f, SEV_WARNING);
	/* threads that wait for work, however many */
	strcpy(r.threads.in.v[2].name, "epoll_wait");
	CHECK(!look(&r, "threads-blocked"));
	report_free(&r);
}

/* ---- CPU time */

static void set_cpu(struct report *r, const char *class, uint64_t ms)
{
	struct named_u64 *m;
	char name[72];

	snprintf(name, sizeof(name), "/cpu/classes/%s:cpu-nanoseconds", class);
	m = (struct named_u64 *)named_find(&r->go.metrics, name);
	if (m)
		m->v = ms * 1000000;
	else
		REQUIRE(!named_add(&r->go.metrics, name, ms * 1000000));
}

TEST(finding_gc_pressure)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(100));
	set_objects(&r, MIB(100), MIB(104));
	r.go.live = OPT(MIB(100));
	r.go.memory_limit = OPT(MIB(110));
	r.go.cycles = OPT(20);
	r.target.start_time_unix_ns = r.time_unix_ns - 20000000000;
	set_cpu(&r, "total", 12000);
	set_cpu(&r, "idle", 7000);
	set_cpu(&r, "gc/mark/idle", 1000);
	set_cpu(&r, "gc/total", 2000); /* 1000 ms of 4000 */
	f = look(&r, "gc-pressure");
	check_whole(f, SEV_WARNING);
	CHECK_INT(evidence(f, "share"), 25);
	CHECK(strstr(f->summary, "that GOMEMLIMIT sets"));
	CHECK(advises(f, "raise GOMEMLIMIT"));
	set_cpu(&r, "gc/total", 1999);
	CHECK(!look(&r, "gc-pressure"));
	set_cpu(&r, "gc/total", 2000);
	r.go.cycles.v--; /* a few, while it started */
	CHECK(!look(&r, "gc-pressure"));
	r.go.cycles.v++;
	r.target.start_time_unix_ns -= 100; /* a twentieth of its life is more */
	CHECK(!look(&r, "gc-pressure"));
	r.target.start_time_unix_ns += 100;
	set_cpu(&r, "idle", 6999); /* used: a little more */
	CHECK(!look(&r, "gc-pressure"));
	/* marking on idle CPUs alone costs nobody anything */
	set_cpu(&r, "idle", 7000);
	set_cpu(&r, "gc/mark/idle", 1999);
	set_cpu(&r, "gc/total", 2001);
	CHECK(!look(&r, "gc-pressure"));
	report_free(&r);
}

static void set_assist(struct report *r, uint64_t assist, uint64_t user)
{
	set_cpu(r, "gc/mark/assist", assist);
	set_cpu(r, "user", user);
}

TEST(finding_allocation_stalls)
{
	const struct finding *f;
	struct report r;

	begin(&r);
	hold(&r, CAT_GO_HEAP_LIVE, MIB(100));
	set_assist(&r, 500, 4500);
	r.go.cycles = OPT(19); /* the heap grew while it started */
	CHECK(!look(&r, "allocation-stalls"));
	r.go.cycles = OPT(20);
	f = look(&r, "allocation-stalls");
	check_whole(f, SEV_WARNING);
	CHECK_STR(f->summary,
		  "Allocation is slow: goroutines spent 10 % of their CPU time since the "
		  "start on GC assists, which the allocator makes them do.");
	r.target.start_time_unix_ns = r.time_unix_ns - 50000000100; /* a hundredth is more */
	CHECK(!look(&r, "allocation-stalls"));
	r.target.start_time_unix_ns = 0; /* not known */
	set_assist(&r, 500, 4501);
	CHECK(!look(&r, "allocation-stalls"));
	set_assist(&r, 499, 100); /* much of little */
	CHECK(!look(&r, "allocation-stalls"));
	r.cgroup.stalled_percent = OPT(9);
	r.cgroup.high_events = OPT(1000000); /* some time since the cgroup was made */
	CHECK(!look(&r, "allocation-stalls"));
	r.cgroup.stalled_percent = OPT(10);
	f = look(&r, "allocation-stalls");
	check_whole(f, SEV_WARNING);
	CHECK_STR(f->summary, "Allocation is slow: a task of the cgroup waited for memory 10 % of "
			      "the time in the last minute.");
	CHECK(advises(f, "memory.high"));
	report_free(&r);
}

static const struct finding *compare(struct diff *d, const struct report *a, const struct report *b)
{
	diff_free(d);
	REQUIRE(!diff_make(a, b, d));
	REQUIRE(!findings_compare(d));
	return find(&d->findings, "allocation-stalls");
}

TEST(finding_allocation_stalls_between_snapshots)
{
	struct diff d = { 0 };
	struct report a, b;

	begin(&a);
	begin(&b);
	hold(&a, CAT_GO_HEAP_LIVE, MIB(100));
	hold(&b, CAT_GO_HEAP_LIVE, MIB(100));
	b.time_unix_ns = a.time_unix_ns + 10000000000;
	set_assist(&a, 1000, 90000); /* little, since the start */
	set_assist(&b, 1000, 95000);
	CHECK(!compare(&d, &a, &b));
	set_assist(&b, 1600, 95000); /* 600 of 5600 ms */
	CHECK(!look(&b, "allocation-stalls"));
	check_whole(compare(&d, &a, &b), SEV_WARNING);
	set_assist(&b, 1500, 95000);
	CHECK(!compare(&d, &a, &b));
	a.cgroup.stalled_ns = OPT(5);
	b.cgroup.stalled_ns = OPT(5 + 999999999);
	CHECK(!compare(&d, &a, &b));
	b.cgroup.stalled_ns.v++;
	CHECK_INT(evidence(compare(&d, &a, &b), "waiting for memory"), 10);
	b.cgroup.stalled_ns = OPT(4); /* another cgroup */
	a.cgroup.high_events = OPT(3);
	b.cgroup.high_events = OPT(12);
	CHECK(!compare(&d, &a, &b));
	b.cgroup.high_events.v++;
	CHECK_INT(evidence(compare(&d, &a, &b), "throttled for memory.high"), 10);
	b.target.start_ticks++; /* another process */
	CHECK(!compare(&d, &a, &b));
	diff_free(&d);
	report_free(&a);
	report_free(&b);
}

TEST(functions_of_the_program_and_of_its_modules)
{
	CHECK(report_is_own("main.main", ""));
	CHECK(report_is_own("github.com/x/y.(*T).F", ""));
	CHECK(report_is_own("go.uber.org/zap.(*Logger).Info", ""));
	CHECK(report_is_own("shop/cache.(*Store).Put", "shop"));
	CHECK(report_is_own("shop.init", "shop"));
	CHECK(!report_is_own("shopping.F", "shop"));
	CHECK(!report_is_own("shop/cache.(*Store).Put", ""));
	CHECK(!report_is_own("net/http.(*conn).serve", "shop"));
	CHECK(!report_is_own("vendor/golang.org/x/net/idna.F", "shop"));
	CHECK(!report_is_own("runtime.gopark", "shop"));
	CHECK(!report_is_own("slices.SortFunc[go.shape.[]a/b.T]", "shop"));
	CHECK(!report_is_own("sync.(*Pool).Get", "shop"));
	CHECK(!report_is_own("", ""));
	CHECK(!report_is_own("C", ""));
}

TEST(findings_of_two_snapshots_name_who)
{
	struct diff d = { 0 };
	struct report a, b;
	struct report_site *s;
	const struct finding *f;

	begin(&a);
	begin(&b);
	hold(&a, CAT_GO_HEAP_LIVE, MIB(100));
	hold(&b, CAT_GO_HEAP_LIVE, MIB(200));
	b.time_unix_ns = a.time_unix_ns + 10000000000;
	a.go.live = OPT(MIB(100));
	b.go.live = OPT(MIB(200));
	b.go.cycles = OPT(20);
	sample_site(&b, CAT_GO_HEAP_LIVE, "heap", "main.load", MIB(120), 3);
	compare(&d, &a, &b);
	f = find(&d.findings, "go-heap-leak");
	check_whole(f, SEV_WARNING);
	CHECK(strstr(f->summary, "accumulate. Most of what is alive was allocated by main.load."));
	sample_site(&b, CAT_GO_HEAP_LIVE, "heap", "main.other", MIB(120), 3); /* not most */
	compare(&d, &a, &b);
	CHECK(!strstr(find(&d.findings, "go-heap-leak")->summary, "main.load"));
	b.go.goroutines = OPT(3000);
	REQUIRE(!named_add(&a.go.by_state, "waiting", 1000));
	REQUIRE(!named_add(&b.go.by_state, "waiting", 3000));
	s = sample_site(&b, CAT_GO_STACKS, "goroutine", "main.serve", MIB(1), 1001);
	s->creator = strdup("main.accept");
	compare(&d, &a, &b);
	f = find(&d.findings, "goroutine-leak");
	check_whole(f, SEV_WARNING);
	CHECK(strstr(f->summary, "waiting, 1001 in main.serve, created by main.accept; stacks"));
	s->count.v--; /* half of the new ones */
	compare(&d, &a, &b);
	CHECK(!strstr(find(&d.findings, "goroutine-leak")->summary, "main.serve"));
	diff_free(&d);
	report_free(&a);
	report_free(&b);
}
