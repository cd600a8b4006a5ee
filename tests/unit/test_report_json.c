/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "out/json.h"
#include "sample.h"
#include "schema.h"
#include "test.h"

/* A report as a document of its own on one line. */
static char *print_line(void (*make)(struct report *))
{
	struct report r;
	char *p = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&p, &len);

	REQUIRE(f);
	make(&r);
	REQUIRE(!json_report_line(f, "0.0.0", &r));
	report_free(&r);
	REQUIRE(!fclose(f));
	return p;
}

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, &e);

	if (!v)
		test_failed(__FILE__, __LINE__, "no JSON: line %d: %s", e.line, e.text);
	REQUIRE(v);
	return v;
}

static json_t *parse_one(void (*make)(struct report *))
{
	char *text = sample_json(&make, 1);
	json_t *v = parse(text);

	free(text);
	return v;
}

static json_int_t sum(const json_t *list, const char *key)
{
	json_int_t total = 0;
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) total += json_integer_value(json_object_get(v, key));
	return total;
}

TEST(json_golden)
{
	void (*make[])(struct report *) = { sample_full, sample_bare };
	char *text = sample_json(make, 2);

	check_golden("report.json", text);
	free(text);
}

TEST(json_keeps_to_the_schema)
{
	void (*make[])(struct report *) = { sample_full, sample_bare, sample_hostile,
					    sample_explained };
	json_t *schema = parse(json_schema());
	char why[512];

	for (int i = 0; i < 4; i++) {
		for (int line = 0; line < 2; line++) {
			char *text = line ? print_line(make[i]) : sample_json(&make[i], 1);
			json_t *doc = parse(text);

			if (schema_check(schema, doc, why, sizeof(why)))
				test_failed(__FILE__, __LINE__, "sample %d: %s", i, why);
			CHECK(line == !strchr(text, '\n')[1]);
			json_decref(doc);
			free(text);
		}
	}
	json_decref(schema);
}

/* Every key of DESIGN's report, where the facts are known, and what it promises of the figures. */
TEST(json_has_what_the_contract_names)
{
	static const char *const report_keys[] = { "target",	  "rss",     "ledger", "unknown",
						   "unexplained", "go",	     "kernel", "cgroup",
						   "findings",	  "missing", "losses", "cost" };
	static const char *const row_keys[] = { "category", "resident", "virtual",     "swap",
						"huge",	    "method",	"uncertainty", "rows" };
	json_t *doc = parse_one(sample_full),
	       *r = json_array_get(json_object_get(doc, "reports"), 0);
	json_t *ledger = json_object_get(r, "ledger"), *go = json_object_get(r, "go"), *cat;
	size_t i;

	CHECK_STR(json_string_value(json_object_get(doc, "schema")), "rsscope.report/1");
	for (i = 0; i < sizeof(report_keys) / sizeof(*report_keys); i++)
		if (!json_object_get(r, report_keys[i]))
			test_failed(__FILE__, __LINE__, "no %s", report_keys[i]);
	json_array_foreach(ledger, i, cat)
	{
		json_t *rows = json_object_get(cat, "rows");

		for (size_t k = 0; k < sizeof(row_keys) / sizeof(*row_keys); k++)
			CHECK(json_object_get(cat, row_keys[k]));
		CHECK_INT(sum(rows, "resident"),
			  json_integer_value(json_object_get(cat, "resident")));
	}
	CHECK_INT(sum(ledger, "resident"),
		  json_integer_value(json_object_get(json_object_get(r, "rss"), "scanned")));
	CHECK_INT(json_integer_value(json_object_get(json_object_get(go, "metrics"),
						     "/memory/classes/heap/free:bytes")),
		  40 << 20);
	CHECK_INT(json_integer_value(json_object_get(json_object_get(r, "cgroup"), "headroom")),
		  554 << 20);
	CHECK_STR(json_string_value(json_object_get(json_object_get(r, "target"), "start_time")),
		  "2023-11-14T19:26:40.500000000Z"); /* date -u -d @1699990000 */
	json_decref(doc);
}

/* What is not known is absent, not 0, not null. */
TEST(json_leaves_out_what_is_not_known)
{
	json_t *doc = parse_one(sample_bare),
	       *r = json_array_get(json_object_get(doc, "reports"), 0);
	json_t *rss = json_object_get(r, "rss"), *target = json_object_get(r, "target");

	CHECK(!json_object_get(doc, "time"));
	CHECK(!json_object_get(r, "go"));
	CHECK(!json_object_get(r, "cgroup"));
	CHECK(!json_object_get(r, "kernel"));
	CHECK(!json_object_get(rss, "before"));
	CHECK(!json_object_get(rss, "high_water"));
	CHECK(!json_object_get(target, "go_version"));
	CHECK(!json_object_get(target, "cgo"));
	CHECK(!json_object_get(target, "ns_pid"));
	CHECK_INT(json_integer_value(json_object_get(rss, "scanned")), 1064 << 10);
	CHECK_INT(json_integer_value(json_object_get(r, "unknown")), 0);
	json_decref(doc);
}

/* Beyond 2^63-1 many readers give up: such a figure is left out. */
TEST(json_leaves_out_what_readers_cannot_hold)
{
	json_t *doc = parse_one(sample_hostile);
	json_t *r = json_array_get(json_object_get(doc, "reports"), 0);

	CHECK(!json_object_get(json_object_get(r, "cgroup"), "usage"));
	CHECK(!json_object_get(json_object_get(json_object_get(r, "go"), "gc"), "goal"));
	json_decref(doc);
}

TEST(json_without_a_report_is_nothing)
{
	char *text = sample_json(NULL, 0);

	CHECK_STR(text, "");
	free(text);
}

TEST(json_says_when_it_cannot_be_written)
{
	FILE *f = fopen("/dev/full", "w");
	struct json_stream s;
	struct report r;

	if (!f)
		SKIP("no /dev/full");
	setvbuf(f, NULL, _IONBF, 0);
	sample_full(&r);
	json_begin(&s, f, "0.0.0");
	CHECK_INT(json_report(&s, &r), -ENOSPC);
	CHECK_INT(json_report_line(f, "0.0.0", &r), -ENOSPC);
	report_free(&r);
	fclose(f);
}

/* ---- the validator itself: it has to see what it is there for */

static void expect(const char *schema, const char *value, bool ok)
{
	json_t *s = json_loads(schema, 0, NULL), *v = json_loads(value, JSON_DECODE_ANY, NULL);
	char why[256];

	REQUIRE(s && v);
	if (schema_check(s, v, why, sizeof(why)) != (ok ? 0 : -1))
		test_failed(__FILE__, __LINE__, "%s against %s: %s", value, schema, why);
	json_decref(s);
	json_decref(v);
}

TEST(schema_validator_sees_faults)
{
	static const char closed[] = "{\"type\":\"object\",\"required\":[\"a\"],"
				     "\"additionalProperties\":false,"
				     "\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":0}}}";
	static const char map[] = "{\"additionalProperties\":{\"$ref\":\"#/definitions/n\"},"
				  "\"definitions\":{\"n\":{\"type\":\"integer\"}}}";

	expect(closed, "{\"a\":1}", true);
	expect(closed, "{\"a\":1,\"b\":1}", false);
	expect(closed, "{}", false);
	expect(closed, "{\"a\":1.5}", false);
	expect(closed, "{\"a\":-1}", false);
	expect(closed, "[]", false);
	expect(map, "{\"x\":1,\"y\":2}", true);
	expect(map, "{\"x\":\"1\"}", false);
	expect("{\"items\":{\"enum\":[\"a\",\"b\"]}}", "[\"a\",\"b\"]", true);
	expect("{\"items\":{\"enum\":[\"a\",\"b\"]}}", "[\"a\",\"c\"]", false);
	expect("{\"const\":true}", "true", true);
	expect("{\"const\":true}", "false", false);
	expect("{\"maxItems\":1}", "[]", false);
	expect("{\"$ref\":\"#/definitions/none\"}", "[]", false);
}
