/* SPDX-License-Identifier: BSD-2-Clause */
#include "sample.h"

#include "out/json.h"
#include "test.h"

#define KIB(x) ((uint64_t)(x) << 10)
#define MIB(x) ((uint64_t)(x) << 20)

struct ledger_row *sample_hold_id(struct report *r, enum category cat, const struct row_id *id,
				  uint64_t resident, uint64_t virtual)
{
	struct ledger *l = &r->ledger;
	uint32_t row;

	REQUIRE(!ledger_add_row(l, cat, id, &row));
	l->rows.v[row].resident += resident;
	l->rows.v[row].virtual_ += virtual;
	l->cat[cat].resident += resident;
	l->cat[cat].virtual_ += virtual;
	l->scanned += resident;
	r->rss.scanned = l->scanned;
	return &l->rows.v[row];
}

struct ledger_row *sample_hold(struct report *r, enum category cat, enum row_kind kind,
			       const char *name, uint64_t resident, uint64_t virtual)
{
	struct row_id id = row_labelled(kind, name);

	return sample_hold_id(r, cat, &id, resident, virtual);
}

static void hold_go(struct report *r)
{
	const struct row_id worker = row_thread(4243, "worker");

	sample_hold(r, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "objects", MIB(180), MIB(183));
	sample_hold(r, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "user arenas", MIB(8), MIB(8));
	sample_hold(r, CAT_GO_HEAP_UNUSED, ROW_TYPE, "free slots and tails", MIB(21), MIB(22));
	sample_hold(r, CAT_GO_HEAP_FREE, ROW_TYPE, "free spans", MIB(37), MIB(40));
	sample_hold(r, CAT_GO_HEAP_RELEASED, ROW_TYPE, "returned to the kernel", 0, MIB(51));
	sample_hold(r, CAT_GO_STACKS, ROW_TYPE, "goroutine and system stacks", MIB(6), MIB(7));
	sample_hold_id(r, CAT_GO_THREAD_STACKS, &worker, KIB(40), MIB(8));
	sample_hold(r, CAT_GO_GC, ROW_TYPE, "work buffers", MIB(5), MIB(9));
	sample_hold(r, CAT_GO_ALLOCATOR, ROW_TYPE, "mspan", MIB(4), MIB(4) + KIB(512));
	sample_hold(r, CAT_GO_PROFILER, ROW_TYPE, "buckets", KIB(1508), KIB(1536));
	sample_hold(r, CAT_GO_RUNTIME, ROW_TYPE, "persistent memory", KIB(700), KIB(768));
	r->ledger.cat[CAT_GO_HEAP_OBJECTS].huge = MIB(64);
	r->ledger.cat[CAT_GO_HEAP_OBJECTS].split = MIB(11);
	r->ledger.cat[CAT_GO_HEAP_FREE].swap = MIB(3);
	r->ledger.cat[CAT_GO_HEAP_FREE].uncertainty = KIB(8);
	r->ledger.cat[CAT_GO_STACKS].runtime = MIB(6);
}

static void hold_rest(struct report *r)
{
	const struct row_id arena = row_arena(0x7f0000000000);
	const struct row_id mapping = row_mapping(0x7f1200000000, 0x7f1202000000);
	char name[64];

	sample_hold(r, CAT_BINARY_TEXT, ROW_FILE, "/usr/bin/sample", MIB(31), MIB(34));
	sample_hold(r, CAT_BINARY_RODATA, ROW_FILE, "/usr/bin/sample", MIB(22), MIB(40));
	sample_hold(r, CAT_BINARY_DATA, ROW_FILE, "/usr/bin/sample", KIB(900), KIB(904));
	sample_hold(r, CAT_BINARY_BSS, ROW_FILE, "/usr/bin/sample", KIB(200), KIB(248));
	sample_hold(r, CAT_NATIVE_MALLOC, ROW_ARENA, "main arena (brk)", MIB(9), MIB(10));
	sample_hold_id(r, CAT_NATIVE_MALLOC, &arena, MIB(2), MIB(64));
	sample_hold(r, CAT_NATIVE_STACKS, ROW_THREAD, "main thread", KIB(24), KIB(132));
	sample_hold_id(r, CAT_NATIVE_MMAP, &mapping, MIB(16), MIB(32));
	r->ledger.rows.v[r->ledger.rows.n - 1].unexplained = true;
	sample_hold(r, CAT_LIBS, ROW_FILE, "/usr/lib/x86_64-linux-gnu/libc.so.6", KIB(1800),
		    KIB(1952));
	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "/usr/lib/x86_64-linux-gnu/libother%d.so.1", i);
		sample_hold(r, CAT_LIBS, ROW_FILE, name, KIB(60 + i), KIB(200));
	}
	sample_hold(r, CAT_FILES, ROW_FILE, "/var/lib/sample/data/chunks_head/000017", MIB(12),
		    MIB(128));
	sample_hold(
		r, CAT_FILES, ROW_FILE,
		"/var/lib/sample/data/01HZX5Q4Y9J6RCNV3W8KGT2BMD/chunks/with-a-long-name/000001",
		MIB(40), MIB(512));
	sample_hold(r, CAT_SHM, ROW_FILE, "/dev/shm/sample", MIB(1), MIB(1));
	sample_hold(r, CAT_OBSERVER, ROW_FILE, "copied text pages", KIB(4), KIB(4));
	sample_hold(r, CAT_UNKNOWN, ROW_ORIGIN, "not attributed by any rule", KIB(12), KIB(12));
	r->ledger.unexplained = MIB(16) + KIB(12);
	r->ledger.uncertainty = KIB(8);
}

static void fill_pauses(struct report_go *g)
{
	static const struct histogram_bucket pauses[] = {
		{ .has_upper = true, .count = 1 },
		{ .has_lower = true,
		  .has_upper = true,
		  .lower_ns = 57344,
		  .upper_ns = 65536,
		  .count = 5000 },
		{ .has_lower = true,
		  .has_upper = true,
		  .lower_ns = 98304,
		  .upper_ns = 114688,
		  .count = 3419 },
		{ .has_lower = true,
		  .has_upper = true,
		  .lower_ns = 3670016,
		  .upper_ns = 4194304,
		  .count = 4 },
	};
	struct histogram h = { .name = "/gc/pauses:seconds", .count = 8424 };
	struct histogram none = { .name = "/sched/latencies:seconds", .count = 1 };

	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++)
		REQUIRE(!vec_push(&h.buckets, pauses[i]));
	/* one without an end: longer than the runtime tells apart */
	REQUIRE(!vec_push(&none.buckets,
			  ((struct histogram_bucket){
				  .has_lower = true, .lower_ns = 1ULL << 47, .count = 1 })));
	REQUIRE(!vec_push(&g->histograms, h) && !vec_push(&g->histograms, none));
}

static void fill_go(struct report_go *g)
{
	static const struct {
		const char *name;
		uint64_t v;
	} metric[] = {
		{ "/memory/classes/heap/objects:bytes", MIB(190) },
		{ "/memory/classes/heap/unused:bytes", MIB(22) },
		{ "/memory/classes/heap/free:bytes", MIB(40) },
		{ "/memory/classes/heap/released:bytes", MIB(51) },
		{ "/memory/classes/heap/stacks:bytes", MIB(7) },
		{ "/memory/classes/profiling/buckets:bytes", KIB(1512) },
		{ "/memory/classes/total:bytes", MIB(330) },
	};

	g->known = true;
	strcpy(g->identified_by, "build info, all spans, self-check");
	strcpy(g->layout, "go1.19.4-go1.19.13 amd64");
	for (size_t i = 0; i < sizeof(metric) / sizeof(*metric); i++)
		REQUIRE(!named_add(&g->metrics, metric[i].name, metric[i].v));
	fill_pauses(g);
	g->cycles = OPT(4212);
	g->last_end_unix_ns = OPT(1700000000123456789);
	g->last_pause_ns = OPT(112000);
	g->goal = OPT(MIB(240));
	g->live = OPT(MIB(120));
	g->memory_limit = OPT(MIB(900));
	g->has_gogc = true;
	g->gogc = 100;
	g->goroutines = OPT(134);
	REQUIRE(!named_add(&g->by_state, "waiting", 130));
	REQUIRE(!named_add(&g->by_state, "runnable", 0));
	REQUIRE(!named_add(&g->by_state, "running", 4));
	g->finalizers_waiting = OPT(101);
	strcpy(g->finalizer_running, "main.(*conn).close");
	g->cleanups_waiting = OPT(3);
	strcpy(g->cleanup_running, "main.unmap");
	g->spans = OPT(23456);
	g->retries = OPT(1);
}

static void fill_cgroup(struct report_cgroup *c)
{
	static const struct cgroup_out_row rows[] = {
		{ "anon", MIB(300), RECLAIM_ROW_NO },
		{ "file", MIB(160), RECLAIM_ROW_YES },
		{ "shmem", MIB(1), RECLAIM_ROW_NO },
		{ "slab", KIB(5300), RECLAIM_ROW_PART },
		{ "sock", 0, RECLAIM_ROW_NO },
		{ "inactive_file", MIB(100), RECLAIM_ROW_YES },
		{ "active_file", MIB(59), RECLAIM_ROW_YES },
	};

	c->version = 2;
	c->path = strdup("/system.slice/sample.service");
	c->usage = OPT(MIB(470));
	c->working_set = OPT((uint64_t)410 << 20);
	c->limit = OPT(MIB(2048));
	c->effective_limit = OPT(MIB(1024));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		REQUIRE(!vec_push(&c->rows, rows[i]));
}

static void fill_target(struct report_target *t)
{
	t->pid = 4242;
	t->ns_pid = 7;
	strcpy(t->comm, "sample");
	t->exe = strdup("/usr/bin/sample");
	t->cmdline = strdup("/usr/bin/sample --config.file=/etc/sample.yml --listen=:9090");
	t->cgroup = strdup("/system.slice/sample.service");
	strcpy(t->container_id, "");
	t->start_time_unix_ns = 1699990000500000000;
	strcpy(t->go_version, "go1.19.8");
	strcpy(t->module, "example.org/sample/cmd/sample");
	strcpy(t->build_id, "0123456789abcdef0123456789abcdef01234567");
	t->is_go = t->has_binary = t->stripped = t->pie = t->cgo = true;
}

void sample_full(struct report *r)
{
	report_init(r);
	r->time_unix_ns = 1700000001000000007;
	strcpy(r->host.boot_id, "3f0c3a52-0d6c-4c1f-8d7e-0a1b2c3d4e5f");
	strcpy(r->host.kernel, "6.1.0-18-amd64");
	strcpy(r->host.arch, "x86_64");
	r->host.page_size = 4096;
	fill_target(&r->target);
	hold_go(r);
	hold_rest(r);
	r->rss.before = OPT(r->rss.scanned - KIB(64));
	r->rss.after = OPT(r->rss.scanned + KIB(128));
	r->rss.high_water = OPT(MIB(512));
	r->rss.churn = OPT(KIB(200));
	r->rss.distinct = OPT(r->rss.scanned - MIB(5));
	fill_go(&r->go);
	r->kernel.page_tables = OPT(KIB(1240));
	r->kernel.kernel_stacks = OPT(KIB(16 * 13));
	r->kernel.threads = OPT(13);
	r->kernel.kernel_stack_size = OPT(KIB(16));
	fill_cgroup(&r->cgroup);
	REQUIRE(!report_missing(r, "go.metrics[/gc/heap/live:bytes]", "Go 1.21 or later",
				"the runtime of %s does not keep it", "go1.19.8"));
	REQUIRE(!report_missing(r, "cgroup.rows[kernel]", "", "this kernel has no such row"));
	REQUIRE(!named_add(&r->losses, "ring_full", 3));
	r->cost.wall_ns = OPT(41000000);
	r->cost.cpu_ns = OPT(38000000);
	r->cost.probes = OPT(0);
	r->cost.max_rss = OPT(MIB(14));
}

void sample_bare(struct report *r)
{
	report_init(r);
	r->target.pid = 1;
	strcpy(r->target.comm, "init");
	r->target.has_binary = true;
	sample_hold(r, CAT_BINARY_TEXT, ROW_FILE, "/sbin/init", KIB(64), KIB(128));
	sample_hold(r, CAT_NATIVE_MALLOC, ROW_ARENA, "main arena (brk)", KIB(100), KIB(132));
	sample_hold(r, CAT_LIBS, ROW_FILE, "/lib/libc.so.6", KIB(900), KIB(1800));
	REQUIRE(!report_missing(r, "rss.before", "CAP_SYS_PTRACE", "smaps_rollup: not permitted"));
	REQUIRE(!report_missing(r, "cgroup", "", "no memory cgroup"));
}

void sample_hostile(struct report *r)
{
	static const char bad[] = "a\033[31mred\007\xff\xc0\xaf\xed\xa0\x80\t\"\\\x7f\xc2\x9b";

	report_init(r);
	r->target.pid = 66;
	strcpy(r->target.comm, bad);
	r->target.exe = strdup(bad);
	r->target.cmdline = strdup("x\n\ny\rz");
	r->target.cgroup = strdup(bad);
	strcpy(r->target.go_version, bad);
	strcpy(r->target.module, bad);
	r->target.is_go = r->target.has_binary = true;
	sample_hold(r, CAT_FILES, ROW_FILE, bad, UINT64_MAX / 2, UINT64_MAX / 2 + 2);
	sample_hold(r, CAT_FILES, ROW_FILE, "\xe2\x82", MIB(1), MIB(1));
	r->cgroup.version = 1;
	r->cgroup.path = strdup(bad);
	r->cgroup.usage = OPT(UINT64_MAX);
	r->cgroup.effective_limit = OPT(1);
	REQUIRE(!named_add(&r->go.metrics, "k\xff", 1));
	r->go.known = true;
	r->go.goal = OPT(UINT64_MAX);
	REQUIRE(!report_missing(r, bad, bad, "%s", bad));
}

char *sample_json(void (*const make[])(struct report *), int n)
{
	struct json_stream s;
	struct report r;
	char *p = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&p, &len);

	REQUIRE(f);
	json_begin(&s, f, "0.0.0");
	for (int i = 0; i < n; i++) {
		make[i](&r);
		REQUIRE(!json_report(&s, &r));
		report_free(&r);
	}
	REQUIRE(!json_end(&s));
	REQUIRE(!fclose(f));
	return p;
}

/* ---- golden files */

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = NULL;
	size_t cap = 0;
	ssize_t n = f ? getdelim(&p, &cap, 0, f) : -1;

	if (f)
		fclose(f);
	if (n >= 0)
		return p;
	free(p);
	return f ? strdup("") : NULL;
}

static void first_difference(const char *name, const char *got, const char *want)
{
	int line = 1;

	while (*got && *got == *want) {
		const char *g = strchrnul(got, '\n'), *w = strchrnul(want, '\n');

		if (g - got != w - want || memcmp(got, want, g - got))
			break;
		got = *g ? g + 1 : g;
		want = *w ? w + 1 : w;
		line++;
	}
	test_failed(name, line, "differs from the golden file:\n  got  %.*s\n  want %.*s",
		    (int)strcspn(got, "\n"), got, (int)strcspn(want, "\n"), want);
}

void check_golden(const char *name, const char *text)
{
	char path[256], why[300];
	char *want;
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/%s", name);
	if (getenv("UPDATE_GOLDEN")) {
		f = fopen(path, "w");
		REQUIRE(f);
		fputs(text, f);
		REQUIRE(!fclose(f));
		snprintf(why, sizeof(why), "%s was written anew: read the difference", path);
		SKIP(why);
	}
	want = slurp(path);
	if (!want)
		test_failed(path, 0, "is not there (make check-unit UPDATE_GOLDEN=1 writes it)");
	else if (strcmp(text, want))
		first_difference(path, text, want);
	free(want);
}

static void add_frame(struct report_site *s, const char *func, const char *file, uint32_t line)
{
	struct report_frame f = { .func = strdup(func),
				  .file = file ? strdup(file) : NULL,
				  .line = line };

	REQUIRE(f.func && !vec_push(&s->stack, f));
}

struct report_site *sample_site(struct report *r, enum category cat, const char *type,
				const char *func, uint64_t bytes, uint64_t count)
{
	struct report_site s = { .bytes = OPT(bytes), .count = OPT(count), .caller = 1 };
	struct report_profile *p = (struct report_profile *)report_profile_find(r, cat, type);

	if (!p) {
		struct report_profile new = { .cat = cat, .bytes = OPT(0), .count = OPT(0) };

		strcpy(new.type, type);
		REQUIRE(!vec_push(&r->profiles, new));
		p = &r->profiles.v[r->profiles.n - 1];
	}
	p->bytes.v += bytes;
	p->count.v += count;
	add_frame(&s, "runtime.inner", "/usr/lib/go/src/runtime/inner.go", 99);
	add_frame(&s, func, "/src/shop/cache.go", 41);
	REQUIRE(!vec_push(&p->sites, s));
	return &p->sites.v[p->sites.n - 1];
}

void sample_explained(struct report *r)
{
	struct report_site *s;

	sample_full(r);
	sample_site(r, CAT_GO_HEAP_OBJECTS, "heap", "shop/cache.(*Store).Put", MIB(120), 51200);
	sample_site(r, CAT_GO_HEAP_OBJECTS, "heap", "a\033[31mred\007\xff", MIB(20), 1);
	r->profiles.v[0].samples = OPT(312);
	s = sample_site(r, CAT_GO_STACKS, "goroutine", "main.serve", MIB(2), 1000);
	s->used = OPT(KIB(100));
	s->waits = strdup("a channel receive");
	s->creator = strdup("main.accept");
	r->go.dead_goroutines = OPT(12);
	r->go.descriptor_size = OPT(416);
	r->go.stack_bytes = OPT(MIB(3));
	r->go.stack_used = OPT(MIB(1));
	r->go.sparse.size = OPT(128);
	r->go.sparse.spans = OPT(100);
	r->go.sparse.bytes = OPT(100 * 8192);
	r->go.sparse.objects = OPT(640);
	r->go.sparse.free = OPT(100 * 8192 - 640 * 128);
	r->threads.stacks_unused = OPT(KIB(64));
	REQUIRE(!named_add(&r->threads.in, "futex", 60));
	REQUIRE(!named_add(&r->threads.in, "read", 9));
	r->cgroup.stalled_percent = OPT(3);
	r->cgroup.stalled_ns = OPT(1234000);
	r->cgroup.high_events = OPT(7);
}
