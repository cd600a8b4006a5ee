/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/diff.h"
#include "model/findings/findings.h"
#include "out/json_diff.h"
#include "out/text_diff.h"
#include "sample.h"
#include "schema.h"
#include "test.h"

#define MIB(x) ((uint64_t)(x) << 20)

/* ---- reports at random */

static void hold_id(struct report *r, enum category c, struct row_id id, uint64_t resident,
		    uint64_t virtual)
{
	sample_hold_id(r, c, &id, resident, virtual)->huge += resident / 8;
	r->ledger.cat[c].huge += resident / 8;
}

static void hold(struct report *r, enum category c, enum row_kind kind, const char *name,
		 uint64_t resident, uint64_t virtual)
{
	hold_id(r, c, row_labelled(kind, name), resident, virtual);
}

/* Some of the categories, coarse or fine, with rows of few names so that some meet. */
static void make_random(struct report *r, uint64_t *seed)
{
	char name[64];

	report_init(r);
	r->target.pid = 1 + test_random(seed) % 2;
	strcpy(r->host.boot_id, "a-boot");
	r->target.start_ticks = 5;
	r->time_unix_ns = 1 + test_random(seed) % 1000000000000;
	for (int c = 0; c < CAT_COUNT; c++) {
		if (test_random(seed) % 3 == 0)
			continue;
		for (uint64_t i = test_random(seed) % 5; i; i--) {
			uint64_t at = test_random(seed) % 4 * 0x1000, n = test_random(seed);

			snprintf(name, sizeof(name), "row %d", (int)(n % 7));
			if (n % 3)
				hold(r, c, ROW_ORIGIN, name, test_random(seed) % MIB(64),
				     test_random(seed) % MIB(256));
			else
				hold_id(r, c,
					row_mapping(0x10000 + at, 0x20000 + n / 3 % 4 * 0x1000),
					test_random(seed) % MIB(64), test_random(seed) % MIB(256));
		}
	}
	r->ledger.unexplained = test_random(seed) % (r->ledger.scanned + 1);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "/a/metric/%d:%s", i, i % 2 ? "bytes" : "objects");
		if (test_random(seed) % 4)
			REQUIRE(!named_add(&r->go.metrics, name, test_random(seed) % 3));
	}
	r->go.goroutines = OPT(test_random(seed) % 100);
	r->kernel.page_tables = OPT(test_random(seed) % MIB(1));
	r->cgroup.version = 2;
	r->cgroup.usage = OPT(test_random(seed) % MIB(100));
}

static void free_both(struct report *a, struct report *b)
{
	report_free(a);
	report_free(b);
}

static const struct diff_cat *find_cat(const struct diff *d, enum category c)
{
	for (size_t i = 0; i < d->cats.n; i++)
		if (d->cats.v[i].cat == c)
			return &d->cats.v[i];
	return NULL;
}

static void check_sums(const struct diff *d)
{
	int64_t all = 0;

	for (size_t i = 0; i < d->cats.n; i++) {
		const struct diff_cat *c = &d->cats.v[i];
		int64_t rows = 0;

		for (size_t k = c->row; k < c->row + c->nrows; k++) {
			CHECK(d->rows.v[k].cat == c->cat);
			rows += delta_of(&d->rows.v[k].s.resident);
		}
		CHECK_INT(rows, delta_of(&c->s.resident));
		all += delta_of(&c->s.resident);
		CHECK(!i || delta_size(&d->cats.v[i - 1].s.resident) >= delta_size(&c->s.resident));
	}
	CHECK_INT(all, d->growth);
	CHECK_INT(all, (int64_t)(d->b->rss.scanned - d->a->rss.scanned));
	CHECK_INT(d->explained + delta_of(&d->unexplained), d->growth);
}

static void check_items_opposite(const diff_items *x, const diff_items *y)
{
	CHECK_INT(x->n, y->n);
	for (size_t i = 0; i < x->n; i++) {
		const struct diff_item *o = diff_find(y, x->v[i].name);

		REQUIRE(o);
		CHECK_INT(x->v[i].v.a, o->v.b);
		CHECK_INT(x->v[i].v.b, o->v.a);
		CHECK(x->v[i].v.has_a == o->v.has_b && x->v[i].v.has_b == o->v.has_a);
	}
}

static void check_opposite(const struct diff *x, const struct diff *y)
{
	CHECK_INT(x->growth, -y->growth);
	CHECK_INT(x->explained, -y->explained);
	CHECK_INT(x->interval_ns, -y->interval_ns);
	REQUIRE(x->cats.n == y->cats.n && x->rows.n == y->rows.n);
	for (size_t i = 0; i < x->cats.n; i++) {
		const struct diff_cat *o = find_cat(y, x->cats.v[i].cat);

		REQUIRE(o);
		CHECK_INT(delta_of(&x->cats.v[i].s.resident), -delta_of(&o->s.resident));
		CHECK_INT(delta_of(&x->cats.v[i].s.virtual_), -delta_of(&o->s.virtual_));
		CHECK_INT(delta_of(&x->cats.v[i].s.huge), -delta_of(&o->s.huge));
		CHECK(x->cats.v[i].merged == o->merged);
	}
	check_items_opposite(&x->metrics, &y->metrics);
	check_items_opposite(&x->kernel, &y->kernel);
	check_items_opposite(&x->cgroup, &y->cgroup);
}

TEST(diff_of_a_report_with_itself_is_zero)
{
	uint64_t seed = 42;

	for (int round = 0; round < 300; round++) {
		struct report r;
		struct diff d;

		make_random(&r, &seed);
		REQUIRE(!diff_make(&r, &r, &d));
		CHECK(d.process == DIFF_SAME);
		CHECK_INT(d.growth, 0);
		CHECK_INT(d.explained, 0);
		for (size_t i = 0; i < d.cats.n; i++) {
			CHECK_INT(delta_of(&d.cats.v[i].s.resident), 0);
			CHECK_INT(delta_of(&d.cats.v[i].s.virtual_), 0);
			CHECK(!d.cats.v[i].merged);
		}
		for (size_t i = 0; i < d.rows.n; i++) {
			CHECK_INT(delta_of(&d.rows.v[i].s.resident), 0);
			CHECK_INT(delta_of(&d.rows.v[i].s.virtual_), 0);
		}
		for (size_t i = 0; i < d.metrics.n; i++)
			CHECK_INT(delta_of(&d.metrics.v[i].v), 0);
		CHECK_INT(d.notes.n, 0);
		check_sums(&d);
		diff_free(&d);
		report_free(&r);
	}
}

TEST(diff_adds_up_and_has_an_opposite)
{
	uint64_t seed = 4711;

	for (int round = 0; round < 1000; round++) {
		struct report a, b;
		struct diff x, y;

		make_random(&a, &seed);
		make_random(&b, &seed);
		REQUIRE(!diff_make(&a, &b, &x));
		REQUIRE(!diff_make(&b, &a, &y));
		check_sums(&x);
		check_sums(&y);
		check_opposite(&x, &y);
		diff_free(&x);
		diff_free(&y);
		report_free(&a);
		report_free(&b);
	}
}

/* ---- one process or two */

static void make_pair(struct report *a, struct report *b)
{
	sample_full(a);
	sample_full(b);
	b->time_unix_ns += 90000000000;
}

static const char *note(const struct diff *d, const char *id)
{
	for (size_t i = 0; i < d->notes.n; i++)
		if (!strcmp(d->notes.v[i].id, id))
			return d->notes.v[i].text;
	return NULL;
}

TEST(diff_tells_processes_apart)
{
	struct report a, b;

	make_pair(&a, &b);
	CHECK(diff_same_process(&a, &b) == DIFF_SAME); /* by the time on the clock */
	b.target.start_time_unix_ns += 1000000000;
	CHECK(diff_same_process(&a, &b) == DIFF_SAME); /* the clock was adjusted */
	b.target.start_time_unix_ns++;
	CHECK(diff_same_process(&a, &b) == DIFF_OTHER);
	a.target.start_ticks = b.target.start_ticks = 77; /* exact, on one boot */
	CHECK(diff_same_process(&a, &b) == DIFF_SAME);
	b.target.start_ticks = 78;
	CHECK(diff_same_process(&a, &b) == DIFF_OTHER);
	b.target.start_ticks = 77;
	b.target.pid++;
	CHECK(diff_same_process(&a, &b) == DIFF_OTHER);
	b.target.pid--;
	b.host.boot_id[0] = 'x'; /* same ticks, another boot */
	CHECK(diff_same_process(&a, &b) == DIFF_OTHER);
	b.host.boot_id[0] = 0;
	CHECK(diff_same_process(&a, &b) == DIFF_OTHER); /* ticks of what boot? the clock differs */
	b.target.start_time_unix_ns = 0;
	CHECK(diff_same_process(&a, &b) == DIFF_UNKNOWN);
	b.target.pid = 0;
	CHECK(diff_same_process(&a, &b) == DIFF_UNKNOWN);
	free_both(&a, &b);
}

TEST(diff_names_what_does_not_match)
{
	struct report a, b;
	struct diff d;

	make_pair(&a, &b);
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK_INT(d.notes.n, 0);
	diff_free(&d);
	strcpy(b.host.boot_id, "another");
	strcpy(b.host.kernel, "6.12.1");
	strcpy(b.host.arch, "aarch64");
	b.host.page_size = 16384;
	strcpy(b.target.build_id, "another");
	strcpy(b.target.go_version, "go1.26.1");
	b.time_unix_ns = a.time_unix_ns - 5000000000;
	b.partial = true;
	a.go.known = false;
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK(note(&d, "process") && note(&d, "host") && note(&d, "kernel") && note(&d, "arch"));
	CHECK(note(&d, "page-size") && strstr(note(&d, "page-size"), "16384"));
	CHECK(note(&d, "program") && note(&d, "go-version"));
	CHECK(note(&d, "order") && strstr(note(&d, "order"), "5.0 s"));
	CHECK(note(&d, "partial-b") && !note(&d, "partial-a"));
	CHECK(note(&d, "books-a") && !note(&d, "books-b"));
	CHECK(d.partial);
	diff_free(&d);
	free_both(&a, &b);
}

/* ---- what is compared with what */

static void start(struct report *r, uint64_t time)
{
	report_init(r);
	r->target.pid = 9;
	r->target.start_ticks = 99;
	strcpy(r->host.boot_id, "boot");
	r->time_unix_ns = time;
}

static void start_both(struct report *a, struct report *b)
{
	start(a, 1);
	start(b, 2);
}

/* Live and dead objects in one, both in one leaf in the other. */
TEST(diff_compares_at_the_coarser_grain)
{
	const struct diff_cat *c;
	struct report a, b;
	struct diff d;

	start_both(&a, &b);
	hold(&a, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "objects", MIB(10), MIB(12));
	hold(&a, CAT_NATIVE, ROW_ORIGIN, "C", MIB(7), MIB(7));
	hold(&b, CAT_GO_HEAP_LIVE, ROW_TYPE, "objects", MIB(8), MIB(8));
	hold(&b, CAT_GO_HEAP_DEAD, ROW_TYPE, "objects", MIB(5), MIB(6));
	hold(&b, CAT_NATIVE_MALLOC_LIVE, ROW_ARENA, "C", MIB(1), MIB(1));
	hold(&b, CAT_NATIVE_MMAP, ROW_ORIGIN, "C", MIB(2), MIB(2));
	REQUIRE(!diff_make(&a, &b, &d));
	c = find_cat(&d, CAT_GO_HEAP_OBJECTS);
	REQUIRE(c);
	CHECK(c->merged);
	CHECK_INT(delta_of(&c->s.resident), MIB(3));
	CHECK_INT(delta_of(&c->s.virtual_), MIB(2));
	CHECK_INT(c->nrows, 1); /* one name, one row */
	CHECK(!find_cat(&d, CAT_GO_HEAP_LIVE) && !find_cat(&d, CAT_GO_HEAP_DEAD));
	c = find_cat(&d, CAT_NATIVE);
	REQUIRE(c);
	CHECK_INT(delta_of(&c->s.resident), -MIB(4));
	check_sums(&d);
	diff_free(&d);
	/* some objects that can't be told apart, beside those that can: no reason to add up */
	hold(&a, CAT_GO_HEAP_LIVE, ROW_TYPE, "objects", MIB(20), MIB(20));
	REQUIRE(!diff_make(&a, &b, &d));
	c = find_cat(&d, CAT_GO_HEAP_LIVE);
	REQUIRE(c);
	CHECK_INT(delta_of(&c->s.resident), -MIB(12));
	CHECK(find_cat(&d, CAT_GO_HEAP_OBJECTS) && !find_cat(&d, CAT_GO_HEAP_OBJECTS)->merged);
	check_sums(&d);
	diff_free(&d);
	free_both(&a, &b);
}

static const struct diff_row *find_row(const struct diff *d, const char *name)
{
	for (size_t i = 0; i < d->rows.n; i++)
		if (!strcmp(d->rows.v[i].name, name))
			return &d->rows.v[i];
	return NULL;
}

/* A report of before rows had ids, against one that has them; and names that only look alike. */
TEST(diff_finds_rows_without_ids_by_name)
{
	const struct diff_row *r;
	struct report a, b;
	struct diff d;

	start_both(&a, &b);
	hold(&a, CAT_NATIVE_STACKS, ROW_THREAD, "thread 12 worker", MIB(1), MIB(8));
	hold_id(&b, CAT_NATIVE_STACKS, row_thread(12, "worker"), MIB(3), MIB(8));
	hold(&a, CAT_NATIVE_MMAP, ROW_ORIGIN, "anonymous 7000-8000", MIB(1), MIB(1));
	hold_id(&b, CAT_NATIVE_MMAP, row_mapping(0x7000, 0x8000), MIB(2), MIB(2));
	hold_id(&a, CAT_NATIVE_MALLOC, row_arena(0x9000), MIB(1), MIB(1));
	hold_id(&b, CAT_NATIVE_MALLOC, row_arena(0x9000), MIB(5), MIB(5));
	hold(&b, CAT_NATIVE_MALLOC, ROW_ARENA, "thread arena 9000", MIB(1), MIB(1));
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK_INT(d.rows.n, 4);
	r = find_row(&d, "thread 12 worker");
	CHECK(r && r->id.tid == 12 && delta_of(&r->s.resident) == (int64_t)MIB(2));
	r = find_row(&d, "anonymous 7000-8000");
	CHECK(r && r->id.end == 0x8000 && delta_of(&r->s.resident) == (int64_t)MIB(1));
	for (size_t i = 0; i < d.rows.n; i++) {
		r = &d.rows.v[i];
		if (r->cat == CAT_NATIVE_MALLOC)
			CHECK_INT(r->s.resident.b, r->id.start ? MIB(5) : MIB(1));
	}
	check_sums(&d);
	diff_free(&d);
	free_both(&a, &b);
}

/* Mappings grow at either end; in another process addresses mean nothing. */
TEST(diff_finds_mappings_again)
{
	const struct diff_row *r;
	struct report a, b;
	struct diff d;

	start_both(&a, &b);
	hold_id(&a, CAT_NATIVE_MMAP, row_mapping(0x7000, 0x8000), MIB(1), MIB(1));
	hold_id(&b, CAT_NATIVE_MMAP, row_mapping(0x7000, 0x9000), MIB(3), MIB(3));
	hold_id(&a, CAT_NATIVE_MMAP, row_mapping(0xb000, 0xc000), MIB(1), MIB(1));
	hold_id(&b, CAT_NATIVE_MMAP, row_mapping(0xa000, 0xc000), MIB(2), MIB(2));
	hold_id(&b, CAT_NATIVE_MMAP, row_mapping(0xe000, 0xf000), MIB(4), MIB(4));
	hold_id(&a, CAT_GO_THREAD_STACKS, row_thread(12, "worker"), MIB(1), MIB(8));
	hold_id(&b, CAT_GO_THREAD_STACKS, row_thread(13, "worker"), MIB(1), MIB(8));
	hold_id(&a, CAT_GO_THREAD_STACKS, row_thread(14, "worker"), MIB(1), MIB(8));
	hold_id(&b, CAT_GO_THREAD_STACKS, row_thread(14, "renamed"), MIB(2), MIB(8));
	REQUIRE(!diff_make(&a, &b, &d));
	r = find_row(&d, "anonymous 7000-9000");
	CHECK(r && delta_of(&r->s.resident) == (int64_t)MIB(2));
	r = find_row(&d, "anonymous a000-c000");
	CHECK(r && delta_of(&r->s.resident) == (int64_t)MIB(1));
	r = find_row(&d, "anonymous e000-f000");
	CHECK(r && delta_of(&r->s.resident) == (int64_t)MIB(4));
	CHECK(find_row(&d, "thread 12 worker") && find_row(&d, "thread 13 worker"));
	r = find_row(&d, "thread 14 renamed");
	CHECK(r && r->s.resident.a == MIB(1) && r->s.resident.b == MIB(2));
	CHECK(r && r->id.tid == 14 && !strcmp(r->id.label, "renamed"));
	CHECK(!find_row(&d, "thread 14 worker"));
	check_sums(&d);
	diff_free(&d);
	b.target.start_ticks++;
	REQUIRE(!diff_make(&a, &b, &d));
	r = find_row(&d, "anonymous, each of 1 MiB or more");
	CHECK(r && r->s.resident.a == MIB(2) && r->s.resident.b == MIB(9));
	r = find_row(&d, "threads worker");
	CHECK(r && r->s.resident.a == MIB(2) && r->s.resident.b == MIB(1) && !r->id.tid);
	CHECK_INT(d.rows.n, 3);
	check_sums(&d);
	diff_free(&d);
	free_both(&a, &b);
}

TEST(diff_leaves_out_what_is_not_known)
{
	const struct diff_item *x;
	struct report a, b;
	struct diff d;

	start(&a, 0);
	start(&b, 2);
	a.go.goroutines = OPT(UINT64_MAX); /* not exact in a delta */
	b.go.goroutines = OPT(3);
	REQUIRE(!named_add(&a.go.metrics, "/only/in/a:bytes", 3));
	REQUIRE(!named_add(&b.go.metrics, "/only/in/b:bytes", 4));
	b.kernel.threads = OPT(5);
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK(!d.has_interval);
	CHECK(!delta_known(&d.goroutines));
	x = diff_find(&d.metrics, "/only/in/a:bytes");
	CHECK(x && x->v.has_a && !x->v.has_b);
	x = diff_find(&d.metrics, "/only/in/b:bytes");
	CHECK(x && !x->v.has_a && x->v.has_b);
	x = diff_find(&d.kernel, "threads");
	CHECK(x && !delta_known(&x->v));
	CHECK_INT(d.kernel.n, 1);
	diff_free(&d);
	free_both(&a, &b);
}

/* ---- outputs */

/* Growth of several kinds, a part of it unexplained. */
static void grow(struct report *a, struct report *b)
{
	make_pair(a, b);
	hold(b, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "objects", MIB(96), MIB(96));
	hold(b, CAT_GO_STACKS, ROW_TYPE, "goroutine and system stacks", MIB(12), MIB(14));
	hold(b, CAT_FILES, ROW_FILE, "/var/lib/sample/data/chunks_head/000018", MIB(9), MIB(128));
	hold_id(b, CAT_NATIVE_MMAP, row_mapping(0x7f1200000000, 0x7f1203000000), MIB(3), MIB(16));
	hold(a, CAT_LIBS, ROW_FILE, "/usr/lib/x86_64-linux-gnu/libgone.so.1", MIB(2), MIB(2));
	b->ledger.unexplained += MIB(3);
	b->go.live = OPT(MIB(216));
	b->go.cycles = OPT(4300);
	b->go.goroutines = OPT(6134);
	b->go.by_state.v[0].v = 6130;
	for (size_t i = 0; i < b->go.metrics.n; i++)
		b->go.metrics.v[i].v += i * MIB(7);
	REQUIRE(!named_add(&a->go.metrics, "/gc/cycles/total:gc-cycles", 4212));
	REQUIRE(!named_add(&b->go.metrics, "/gc/cycles/total:gc-cycles", 4300));
	REQUIRE(!named_add(&a->go.metrics, "/gc/heap/allocs:bytes", MIB(90000)));
	REQUIRE(!named_add(&b->go.metrics, "/gc/heap/allocs:bytes", MIB(99000)));
	b->kernel.page_tables.v += MIB(1);
	b->cgroup.usage.v += MIB(130);
	b->cgroup.rows.v[0].bytes += MIB(120);
}

static void check_fits(const struct text *t, unsigned int width)
{
	unsigned int lines = 0;

	for (const char *p = t->p, *nl; (nl = strchr(p, '\n')); p = nl + 1, lines++)
		if (nl - p > (long)width)
			test_failed(__FILE__, __LINE__, "%zd columns, %u fit: %.*s", nl - p, width,
				    (int)(nl - p), p);
	CHECK(lines <= TEXT_LINES);
}

TEST(diff_text_golden)
{
	_text_ struct text t = { 0 }, narrow = { 0 };
	struct report a, b;
	struct diff d;

	grow(&a, &b);
	REQUIRE(!diff_make(&a, &b, &d) && !findings_compare(&d));
	REQUIRE(!text_diff(&d, &(struct text_style){ .width = 80 }, "before.json", "pid 4242, now",
			   &narrow));
	check_fits(&narrow, 80);
	REQUIRE(!text_diff(&d, &(struct text_style){ .width = 100 }, "before.json", "pid 4242, now",
			   &t));
	check_fits(&t, 100);
	diff_free(&d);
	free_both(&a, &b);
	check_golden("diff.txt", t.p);
}

/* Two hosts, programs and releases, both partial: all that can be noted at once. */
TEST(diff_text_with_many_notes_is_one_screen)
{
	for (unsigned int width = 80; width <= 100; width += 20) {
		_text_ struct text t = { 0 };
		struct report a, b;
		struct diff d;

		grow(&a, &b);
		strcpy(b.host.boot_id, "another-boot-id-that-is-as-long-as-one");
		strcpy(b.host.kernel, "6.12.1-another-kernel-of-a-long-name");
		strcpy(b.host.arch, "aarch64");
		b.host.page_size = 16384;
		strcpy(b.target.build_id, "abcdef0123456789abcdef0123456789abcdef01");
		strcpy(b.target.go_version, "go1.26.1");
		b.time_unix_ns = a.time_unix_ns - 5000000000;
		a.partial = b.partial = true;
		a.go.known = false;
		REQUIRE(!diff_make(&a, &b, &d) && !findings_compare(&d));
		CHECK(d.notes.n >= 10);
		REQUIRE(!text_diff(&d, &(struct text_style){ .width = width }, "before.json",
				   "after.json", &t));
		check_fits(&t, width);
		CHECK(strstr(t.p, "more in --json"));
		CHECK(strstr(t.p, "go/heap/objects"));
		diff_free(&d);
		report_free(&a);
		report_free(&b);
	}
}

static char *print_json(const struct diff *d)
{
	char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	REQUIRE(f && !json_diff(f, "0.0.0", d, "before.json", "pid 4242, now"));
	REQUIRE(!fclose(f));
	return p;
}

static void check_schema(const char *text)
{
	json_t *schema = json_loads(json_diff_schema(), JSON_REJECT_DUPLICATES, NULL);
	json_t *doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	char why[512];

	REQUIRE(schema && doc);
	if (schema_check(schema, doc, why, sizeof(why)))
		test_failed(__FILE__, __LINE__, "%s", why);
	json_decref(schema);
	json_decref(doc);
}

TEST(diff_json_golden)
{
	struct report a, b;
	struct diff d;
	char *text;

	grow(&a, &b);
	REQUIRE(!diff_make(&a, &b, &d) && !findings_compare(&d));
	text = print_json(&d);
	check_schema(text);
	diff_free(&d);
	free_both(&a, &b);
	check_golden("diff.json", text);
	free(text);
}

TEST(diff_json_keeps_to_the_schema)
{
	void (*const make[])(struct report *) = { sample_full, sample_bare, sample_hostile };

	for (int i = 0; i < 9; i++) {
		_text_ struct text t = { 0 };
		struct report a, b;
		struct diff d;
		char *text;

		make[i / 3](&a);
		make[i % 3](&b);
		REQUIRE(!diff_make(&a, &b, &d) && !findings_compare(&d));
		text = print_json(&d);
		check_schema(text);
		REQUIRE(!text_diff(&d, &(struct text_style){ .width = 100 }, "a\033[1m", "b", &t));
		for (const char *p = t.p; *p; p++)
			CHECK(*p == '\n' || (*p >= ' ' && *p < 0x7f));
		free(text);
		diff_free(&d);
		report_free(&a);
		report_free(&b);
	}
}
