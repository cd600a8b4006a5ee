/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of figures against the schema, the writer and the reader. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>

#include "in/json_read.h"
#include "model/report/diff.h"
#include "model/report/metrics.h"
#include "out/json.h"
#include "sample.h"
#include "test.h"

/* ---- the schema */

static const json_t *resolve(const json_t *root, const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));

	return ref ? json_object_get(json_object_get(root, "definitions"), strrchr(ref, '/') + 1)
		   : schema;
}

/* "bytes", "count", "ns", "percent"; "signed"; NULL: it is no number. */
static const char *number(const json_t *schema)
{
	static const char *const units[] = { "bytes", "count", "ns", "percent" };
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	const char *type = json_string_value(json_object_get(schema, "type"));

	for (size_t i = 0; ref && i < ARRAY_LEN(units); i++)
		if (!strcmp(strrchr(ref, '/') + 1, units[i]))
			return units[i];
	return type && !strcmp(type, "integer") ? "signed" : NULL;
}

static const json_t *report_schema(json_t *root)
{
	return json_object_get(json_object_get(root, "definitions"), "report");
}

static const json_t *leaf(const json_t *root, const json_t *at, const char *path)
{
	for (size_t n; at && *path; path += n + (path[n] == '.')) {
		char key[64];

		n = strcspn(path, ".");
		REQUIRE(n < sizeof(key));
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = json_object_get(json_object_get(resolve(root, at), "properties"), key);
	}
	return at;
}

static const char *schema_unit(const struct figure *f)
{
	static const char *const name[UNIT_KINDS] = {
		[UNIT_BYTES] = "bytes",
		[UNIT_COUNT] = "count",
		[UNIT_NS] = "ns",
		[UNIT_PERCENT] = "percent",
	};

	return f->has_minus_one ? "signed" : name[f->unit];
}

TEST(figures_are_in_the_schema)
{
	json_t *root = json_loads(json_schema(), 0, NULL);

	REQUIRE(root);
	for (size_t i = 0; i < figures_count; i++) {
		const json_t *s = leaf(root, report_schema(root), figures[i].path);
		const char *got = s ? number(s) : NULL, *want = schema_unit(&figures[i]);

		if (!got || !want || strcmp(got, want))
			test_failed(figures[i].path, 0, "is %s in the schema, not %s",
				    got ? got : "missing or no number", want ? want : "-");
	}
	json_decref(root);
}

/* Numbers that are no figures. */
static const char *const not_figures[] = {
	"target.pid", "target.ns_pid",	 "target.start_ticks", /* who it is */
	"run.signal", "run.exit_status",		       /* how it ended */
};

static bool is_known(const char *path, bool seen[ARRAY_LEN(not_figures)])
{
	for (size_t i = 0; i < ARRAY_LEN(not_figures); i++)
		if (!strcmp(not_figures[i], path))
			return seen[i] = true;
	for (size_t i = 0; i < figures_count; i++)
		if (!strcmp(figures[i].path, path))
			return true;
	return false;
}

/* Every number below an object; what is in arrays has no path of its own. */
static void walk(const json_t *root, const json_t *schema, const char *above,
		 bool seen[ARRAY_LEN(not_figures)])
{
	const json_t *s;
	const char *key;

	json_object_foreach(json_object_get(resolve(root, schema), "properties"), key, s)
	{
		char path[128];

		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", key);
		if (!number(s))
			walk(root, s, path, seen);
		else if (!is_known(path, seen))
			test_failed(path, 0, "is a number of the schema and no figure");
	}
}

TEST(figures_are_all_numbers_of_the_schema)
{
	json_t *root = json_loads(json_schema(), 0, NULL);
	bool seen[ARRAY_LEN(not_figures)] = { false };

	REQUIRE(root);
	walk(root, report_schema(root), "", seen);
	for (size_t i = 0; i < ARRAY_LEN(not_figures); i++)
		if (!seen[i])
			test_failed(not_figures[i], 0, "is not in the schema any more");
	json_decref(root);
}

/* ---- writing and reading */

/* Another value for each. */
static uint64_t value_of(const struct figure *f)
{
	return f->has_minus_one ? UINT64_MAX : 1000 + (uint64_t)(f - figures);
}

static void every_figure(struct report *r)
{
	sample_full(r);
	r->run.known = true;
	for (size_t i = 0; i < figures_count; i++)
		if (figure_is_kept(&figures[i]))
			figure_set(r, &figures[i], value_of(&figures[i]));
}

static void read_back(void (*make)(struct report *), report_vec *v)
{
	char *text = sample_json(&make, 1);
	struct err e = { 0 };

	if (json_read(text, strlen(text), v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v->n == 1);
	free(text);
}

static void check_same(const struct report *a, const struct report *b)
{
	for (size_t i = 0; i < figures_count; i++) {
		struct opt_u64 x = figure_get(a, &figures[i]), y = figure_get(b, &figures[i]);

		if (x.has != y.has || (x.has && x.v != y.v))
			test_failed(figures[i].path, 0, "was %d %" PRIu64 ", is %d %" PRIu64, x.has,
				    x.v, y.has, y.v);
	}
}

TEST(figures_are_read_as_they_were_written)
{
	void (*const make[])(struct report *) = { every_figure, sample_full, sample_bare };

	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		report_vec v = { 0 };
		struct report r;

		make[i](&r);
		read_back(make[i], &v);
		check_same(&r, &v.v[0]);
		report_free(&r);
		report_free(&v.v[0]);
		vec_free(&v);
	}
}

/* Each has its own place, in the struct and in JSON: the test above could not tell otherwise. */
TEST(figures_have_their_own_values)
{
	struct report r;

	every_figure(&r);
	for (size_t i = 0; i < figures_count; i++) {
		const struct figure *f = &figures[i];

		if (!figure_is_kept(f))
			continue;
		CHECK(figure_get(&r, f).has);
		CHECK(figure_get(&r, f).v == value_of(f));
	}
	report_free(&r);
}

TEST(figures_that_are_kept_are_compared)
{
	struct report a, b;
	struct diff d;

	sample_full(&a);
	every_figure(&b);
	REQUIRE(!diff_make(&a, &b, &d));
	for (size_t i = 0; i < figures_count; i++) {
		const struct figure *f = &figures[i];
		const char *kernel = figure_key(f, "kernel"), *rss = figure_key(f, "rss");
		const struct diff_item *x = kernel ? diff_find(&d.kernel, kernel)
					    : rss  ? diff_find(&d.rss, rss)
						   : NULL;

		if (!kernel && !rss)
			continue;
		CHECK(!x == (f->kind == FIGURE_FACT || !figure_is_kept(f)));
		CHECK(!x || (x->v.b == value_of(f) && x->unit == f->unit));
	}
	CHECK(diff_find(&d.by_state, "waiting")->unit == UNIT_COUNT);
	CHECK(diff_find(&d.cgroup, "anon")->unit == UNIT_BYTES);
	diff_free(&d);
	report_free(&a);
	report_free(&b);
}

/* ---- the table itself */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* Prometheus: base units, and _total for counters. */
TEST(figures_have_proper_names)
{
	for (size_t i = 0; i < figures_count; i++) {
		const struct figure *f = &figures[i];
		const char *p = f->prometheus;

		for (size_t k = 0; k < i; k++) {
			CHECK(strcmp(figures[k].path, f->path));
			CHECK(!p || !figures[k].prometheus || strcmp(figures[k].prometheus, p));
			CHECK(f->get || figures[k].get || figures[k].offset != f->offset);
		}
		if (!p)
			continue;
		for (const char *c = p; *c; c++)
			CHECK(islower(*c) || isdigit(*c) || *c == '_');
		CHECK(ends_in(p, "_total") == (f->kind == FIGURE_COUNTER));
		CHECK(f->unit != UNIT_BYTES || ends_in(p, "_bytes"));
		CHECK(f->unit != UNIT_NS || ends_in(p, "_seconds"));
	}
}

TEST(figures_know_their_object)
{
	const struct figure f = { .path = "go.gc.goal" }, top = { .path = "unknown" };

	CHECK_STR(figure_key(&f, "go.gc"), "goal");
	CHECK(!figure_key(&f, "go") && !figure_key(&f, "") && !figure_key(&f, "go.g"));
	CHECK_STR(figure_key(&top, ""), "unknown");
	CHECK(!figure_key(&top, "go"));
}

/* ---- runtime/metrics */

TEST(metrics_have_unit_kind_and_name)
{
	static const struct {
		const char *name;
		enum unit unit;
		enum figure_kind kind;
		const char *prometheus;
	} c[] = {
		{ "/memory/classes/total:bytes", UNIT_BYTES, FIGURE_GAUGE,
		  "go_memstats_sys_bytes" },
		{ "/memory/classes/heap/free:bytes", UNIT_BYTES, FIGURE_GAUGE,
		  "go_memory_classes_heap_free_bytes" },
		{ "/gc/heap/allocs:bytes", UNIT_BYTES, FIGURE_COUNTER,
		  "go_memstats_alloc_bytes_total" },
		{ "/gc/heap/frees:objects", UNIT_COUNT, FIGURE_COUNTER,
		  "go_gc_heap_frees_objects_total" },
		{ "/gc/cycles/total:gc-cycles", UNIT_COUNT, FIGURE_COUNTER,
		  "go_gc_cycles_total_gc_cycles_total" },
		{ "/gc/gogc:percent", UNIT_PERCENT, FIGURE_GAUGE, "go_gc_gogc_percent" },
		{ "/cpu/classes/gc/mark/assist:cpu-nanoseconds", UNIT_NS, FIGURE_COUNTER,
		  "go_cpu_classes_gc_mark_assist_cpu_seconds_total" },
		{ "/sched/goroutines:goroutines", UNIT_COUNT, FIGURE_GAUGE, "go_goroutines" },
		{ "/sched/goroutines-created:goroutines", UNIT_COUNT, FIGURE_COUNTER,
		  "go_sched_goroutines_created_goroutines_total" },
		{ "/gc/limiter/last-enabled:gc-cycle", UNIT_COUNT, FIGURE_GAUGE,
		  "go_gc_limiter_last_enabled_gc_cycle" },
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct text t = { 0 };

		CHECK_INT(metric_unit(c[i].name), c[i].unit);
		CHECK_INT(metric_kind(c[i].name), c[i].kind);
		CHECK_INT(metric_prometheus(c[i].name, &t), 0);
		CHECK_STR(t.p, c[i].prometheus);
		text_free(&t);
	}
}

TEST(metrics_without_a_name_have_none)
{
	struct text t = { 0 };

	CHECK_INT(metric_prometheus("anon", &t), -EINVAL);
	CHECK_INT(metric_prometheus("/gc/heap", &t), -EINVAL);
	CHECK_INT(metric_prometheus("", &t), -EINVAL);
	CHECK(!t.n);
}

/* A figure and the metric that it repeats have one name, and one kind. */
TEST(metrics_agree_with_the_figures)
{
	static const char *const pairs[][2] = {
		{ "go.gc.cycles", "/gc/cycles/total:gc-cycles" },
		{ "go.gc.goal", "/gc/heap/goal:bytes" },
		{ "go.gc.live", "/gc/heap/live:bytes" },
		{ "go.gc.gogc", "/gc/gogc:percent" },
		{ "go.gc.memory_limit", "/gc/gomemlimit:bytes" },
		{ "go.goroutines.total", "/sched/goroutines:goroutines" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		for (size_t k = 0; k < figures_count; k++) {
			struct text t = { 0 };

			if (strcmp(figures[k].path, pairs[i][0]))
				continue;
			REQUIRE(!metric_prometheus(pairs[i][1], &t));
			CHECK_STR(t.p, figures[k].prometheus);
			CHECK_INT(metric_kind(pairs[i][1]), figures[k].kind);
			CHECK_INT(metric_unit(pairs[i][1]), figures[k].unit);
			text_free(&t);
		}
}
