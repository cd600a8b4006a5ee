/* SPDX-License-Identifier: BSD-2-Clause */
/* Growth by the call stacks that asked for memory. */
#include <jansson.h>

#include "base/cleanup.h"
#include "model/report/diff.h"
#include "out/json.h"
#include "out/json_diff.h"
#include "in/json_read.h"
#include "out/text_diff.h"
#include "schema.h"
#include "test.h"

#define MIB(x) ((uint64_t)(x) << 20)

static void frame(struct report_origin *o, const char *func, const char *file, uint32_t line)
{
	struct report_frame f = { .line = line };

	f.func = strdup(func);
	f.file = file ? strdup(file) : NULL;
	REQUIRE(f.func && !vec_push(&o->stack, f));
}

/* main.run called `func` at that line, which asked for memory. */
static void ask(struct report *r, const char *func, uint32_t line, uint64_t resident,
		uint64_t bytes)
{
	struct report_origin o = { .cat = CAT_NATIVE_MMAP,
				   .bytes = bytes,
				   .resident = resident,
				   .count = 2,
				   .caller = 1 };

	frame(&o, "syscall.Mmap", "/go/mmap.go", 20);
	frame(&o, func, "/src/x.go", line);
	frame(&o, "main.run", NULL, 0);
	REQUIRE(!vec_push(&r->origins, o));
}

static void begin(struct report *r, const char *build)
{
	report_init(r);
	r->target.pid = 7;
	snprintf(r->target.build_id, sizeof(r->target.build_id), "%s", build);
	strcpy(r->rss.observed_by, "first-instruction");
}

/* As `diff` gets it: from JSON. */
static void reread(struct report *r)
{
	_free_ char *p = NULL;
	size_t n = 0;
	report_vec v = { 0 };
	struct err e = { 0 };
	FILE *f = open_memstream(&p, &n);

	REQUIRE(f && !json_report_line(f, "0", r) && !fclose(f));
	if (json_read(p, n, &v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v.n == 1);
	report_free(r);
	*r = v.v[0];
	vec_free(&v);
}

static const struct diff_origin *of(const struct diff *d, const char *func, uint32_t line)
{
	for (size_t i = 0; i < d->origins.n; i++) {
		const struct report_frame *f = &d->origins.v[i].origin->stack.v[1];

		if (!strcmp(f->func, func) && (!line || f->line == line))
			return &d->origins.v[i];
	}
	return NULL;
}

static bool has_note(const struct diff *d, const char *id)
{
	for (size_t i = 0; i < d->notes.n; i++)
		if (!strcmp(d->notes.v[i].id, id))
			return true;
	return false;
}

static void check_json(const struct diff *d)
{
	json_t *schema = json_loads(json_diff_schema(), 0, NULL), *doc, *o;
	_free_ char *p = NULL;
	char why[256];
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	json_int_t delta, caller;

	REQUIRE(f && !json_diff(f, "0", d, "a", "b") && !fclose(f));
	doc = json_loadb(p, n, 0, NULL);
	REQUIRE(doc && schema);
	if (schema_check(schema, doc, why, sizeof(why)))
		test_failed(__FILE__, __LINE__, "%s", why);
	o = json_array_get(json_object_get(doc, "origins"), 0);
	REQUIRE(!json_unpack(o, "{s:{s:I}, s:I}", "resident", "delta", &delta, "caller", &caller));
	CHECK_INT(delta, MIB(60));
	CHECK_INT(caller, 1);
	json_decref(doc);
	json_decref(schema);
}

TEST(diff_of_origins)
{
	struct text_style s = { .width = 100 };
	_text_ struct text t = { 0 };
	const struct diff_origin *o;
	struct report a, b;
	struct diff d;

	begin(&a, "one");
	begin(&b, "one");
	ask(&a, "main.load", 41, MIB(4), MIB(8));
	ask(&a, "main.gone", 9, MIB(3), MIB(3));
	ask(&a, "main.same", 5, MIB(1), MIB(1));
	ask(&b, "main.same", 5, MIB(1), MIB(1));
	ask(&b, "main.load", 50, MIB(1), MIB(1)); /* another line of it */
	ask(&b, "main.load", 41, MIB(64), MIB(80));
	reread(&a);
	reread(&b);
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK_INT(d.origins.n, 4);
	o = &d.origins.v[0]; /* the largest change */
	CHECK(o == of(&d, "main.load", 41));
	CHECK_INT(delta_of(&o->resident), MIB(60));
	CHECK_INT(delta_of(&o->bytes), MIB(72));
	CHECK_INT(o->origin->caller, 1);
	o = of(&d, "main.gone", 0);
	REQUIRE(o);
	CHECK_INT(delta_of(&o->resident), -(int64_t)MIB(3));
	o = of(&d, "main.load", 50);
	REQUIRE(o);
	CHECK_INT(o->resident.a, 0);
	CHECK_INT(delta_of(&of(&d, "main.same", 0)->resident), 0);
	CHECK(!has_note(&d, "origins"));
	REQUIRE(!text_diff(&d, &s, "a", "b", &t));
	CHECK(strstr(t.p, "origin"));
	CHECK(strstr(t.p, "main.load x.go:41 <- main.run: +60.0 MiB of +72.0 MiB mapped"));
	CHECK(!strstr(t.p, "main.same "));
	check_json(&d);
	diff_free(&d);
	report_free(&a);
	report_free(&b);
}

/* Lines move from build to build: there the functions alone count. */
TEST(diff_of_origins_of_two_builds)
{
	struct report a, b;
	struct diff d;

	begin(&a, "one");
	begin(&b, "two");
	strcpy(b.rss.observed_by, "attach");
	ask(&a, "main.load", 41, MIB(4), MIB(8));
	ask(&b, "main.load", 43, MIB(5), MIB(8));
	ask(&b, "main.load", 47, MIB(5), MIB(8));
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK_INT(d.origins.n, 1);
	CHECK_INT(delta_of(&d.origins.v[0].resident), MIB(6));
	CHECK_INT(delta_of(&d.origins.v[0].count), 2);
	CHECK(has_note(&d, "origins"));
	diff_free(&d);
	/* without any on one side there is nothing to compare */
	for (size_t i = 0; i < a.origins.n; i++)
		report_origin_free(&a.origins.v[i]);
	a.origins.n = 0;
	REQUIRE(!diff_make(&a, &b, &d));
	CHECK_INT(d.origins.n, 0);
	diff_free(&d);
	report_free(&a);
	report_free(&b);
}
