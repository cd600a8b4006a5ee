/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "model/report/diff.h"
#include "out/json.h"
#include "in/json_read.h"
#include "sample.h"
#include "test.h"

static void free_reports(report_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		report_free(&v->v[i]);
	vec_free(v);
}

/* What was written, read and written again is the same. */
TEST(json_reads_back_what_it_wrote)
{
	void (*const make[])(struct report *) = { sample_explained, sample_bare };
	char *text = sample_json(make, 2), *again = NULL;
	report_vec v = { 0 };
	struct json_stream s;
	struct err e = { 0 };
	size_t n = 0;
	FILE *f;

	if (json_read(text, strlen(text), &v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v.n == 2);
	f = open_memstream(&again, &n);
	REQUIRE(f);
	json_begin(&s, f, "0.0.0");
	for (size_t i = 0; i < 2; i++)
		REQUIRE(!json_report(&s, &v.v[i]));
	REQUIRE(!json_end(&s) && !fclose(f));
	CHECK_STR(again, text);
	CHECK(json_is_report(text, strlen(text)));
	CHECK(!json_is_report("{\"schema\":\"rsscope.diff/1\"}", 27));
	CHECK(!json_is_report("[]", 2));
	CHECK_INT(v.v[0].time_unix_ns, 1700000001000000007);
	CHECK_INT(v.v[0].target.start_time_unix_ns, 1699990000500000000);
	free_reports(&v);
	free(again);
	free(text);
}

/* A second runtime, and a row of each. */
static void sample_two(struct report *r)
{
	struct report_runtime x = { .image = strdup("/opt/b.so"), .go_version = "go1.26.8" };
	struct ledger_row *row;

	sample_full(r);
	x.go.live = OPT(60 << 20);
	x.go.cycles = OPT(3);
	REQUIRE(x.image && !named_add(&x.go.metrics, "/memory/classes/total:bytes", 77 << 20));
	REQUIRE(!vec_push(&r->runtimes, x));
	for (int i = 0; i < 2; i++) {
		row = sample_hold(r, CAT_GO_HEAP_LIVE, ROW_TYPE, "objects", 1 << 20, 1 << 20);
		row->id.image = row->image = strdup(i ? "/opt/b.so" : "/usr/bin/sample");
	}
}

TEST(json_reads_back_several_runtimes)
{
	void (*const make[])(struct report *) = { sample_two };
	char *text = sample_json(make, 1), *again = NULL;
	struct text label = { 0 };
	struct json_stream s;
	report_vec v = { 0 };
	struct err e = { 0 };
	size_t n = 0, images = 0;
	FILE *f;

	if (json_read(text, strlen(text), &v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v.n == 1 && v.v[0].runtimes.n == 1);
	CHECK_STR(v.v[0].runtimes.v[0].image, "/opt/b.so");
	CHECK_STR(v.v[0].runtimes.v[0].go_version, "go1.26.8");
	CHECK_INT(v.v[0].runtimes.v[0].go.live.v, 60 << 20);
	for (size_t i = 0; i < v.v[0].ledger.rows.n; i++)
		images += !!v.v[0].ledger.rows.v[i].image;
	CHECK_INT(images, 2);
	for (size_t i = 0; i < v.v[0].ledger.rows.n; i++)
		if (v.v[0].ledger.rows.v[i].image && strstr(v.v[0].ledger.rows.v[i].image, "b.so"))
			REQUIRE(!row_name_with_image(&v.v[0].ledger.rows.v[i].id, "objects",
						     &label));
	CHECK_STR(label.p, "objects, b.so");
	text_free(&label);
	f = open_memstream(&again, &n);
	REQUIRE(f);
	json_begin(&s, f, "0.0.0");
	REQUIRE(!json_report(&s, &v.v[0]) && !json_end(&s) && !fclose(f));
	CHECK_STR(again, text);
	free_reports(&v);
	free(again);
	free(text);
}

/* One replacement in a whole document, and what the message must say. */
TEST(json_read_refuses)
{
	static const struct {
		const char *from, *to, *says;
	} c[] = {
		{ "rsscope.report/1", "rsscope.report/2", "got rsscope.report/2" },
		{ "\"scanned\": 418903040", "\"scanned\": 418903041", "add up" },
		{ "\"scanned\": 418903040", "\"scanned\": -1", "rss.scanned" },
		{ "\"scanned\": 418903040", "\"scanned\": 4.5", "rss.scanned" },
		{ "\"scanned\": 418903040,", "", "rss.scanned: is missing" },
		{ "go/heap/unused", "go/heap/strange", "ledger[1]: unknown category" },
		{ "go/heap/unused", "go/heap/objects", "duplicated category" },
		{ "\"resident\": 22020096", "\"resident\": 9223372036854775807", "2^63" },
		{ "\"resident\": 22020096", "\"resident\": 9223372036854775808", "JSON" },
		{ "\"resident\": 188743680", "\"resident\": 197132289", "more than" },
		{ "\"method\": \"split\"", "\"method\": \"guess\"", "method" },
		{ "\"kind\": \"type\"", "\"kind\": \"thing\"", "rows[0]" },
		{ "\"name\": \"objects\"", "\"name\": 7", "name" },
		{ "\"start\": \"0x7f0000000000\"", "\"start\": \"7f0000000000\"", "start" },
		{ "\"start\": \"0x7f0000000000\"", "\"start\": \"0x7f00000000000000f\"", "start" },
		{ "\"start\": \"0x7f0000000000\"", "\"start\": \"0x\"", "start" },
		{ "\"start\": \"0x7f0000000000\"", "\"start\": \"0x7f000000000-\"", "start" },
		{ "\"tid\": 4243", "\"tid\": 0", "tid" },
		{ "\"tid\": 4243", "\"tid\": \"4243\"", "tid" },
		{ "2023-11-14T22:13:21.000000007Z", "2023-11-14 22:13:21", "time" },
		{ "\"version\": 2", "\"version\": 3", "version" },
		{ "\"reclaimable\": \"no\"", "\"reclaimable\": \"maybe\"",
		  "must be no, yes or part" },
		{ "\"unexplained\": 16789504", "\"unexplained\": 16789504000", "unexplained" },
		{ "\"page_size\": 4096", "\"page_size\": \"x\"", "host.page_size" },
		{ "\"reports\": [", "\"reports\": 5, \"x\": [", "reports" },
		{ "\"ledger\": [", "\"shelf\": [", "no snapshot" },
		{ "\"upper_ns\": 114688", "\"upper_ns\": -1", "upper_ns" },
		{ "\"count\": 8424,", "", "histograms[0]" },
		{ "\"buckets\": [", "\"buckets\": 5, \"x\": [", "buckets" },
		{ "\"losses\": {", "\"losses\": {\"x\\u001b[31m\": -1,", "losses" },
	};
	void (*const make[])(struct report *) = { sample_full };
	char *text = sample_json(make, 1);

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		const char *at = strstr(text, c[i].from);
		struct err e = { 0 };
		report_vec v = { 0 };
		char *bad = NULL;

		if (!at) {
			test_failed(__FILE__, __LINE__, "case %zu changes nothing", i);
			continue;
		}
		REQUIRE(asprintf(&bad, "%.*s%s%s", (int)(at - text), text, c[i].to,
				 at + strlen(c[i].from)) > 0);
		CHECK_INT(json_read(bad, strlen(bad), &v, &e), -EINVAL);
		if (!strstr(e.text, c[i].says) || strchr(e.text, '\033'))
			test_failed(__FILE__, __LINE__, "case %zu says: %s", i, e.text);
		CHECK_INT(v.n, 0);
		vec_free(&v);
		free(bad);
	}
	free(text);
}

/* Cut anywhere, and with any byte changed, it is refused or read, and nothing breaks. */
TEST(json_read_survives_damage)
{
	void (*const make[])(struct report *) = { sample_explained };
	char *text = sample_json(make, 1);
	size_t n = strlen(text);
	uint64_t seed = 99;

	for (size_t cut = 0; cut + 2 < n; cut += 97) {
		report_vec v = { 0 };

		CHECK_INT(json_read(text, cut, &v, NULL), -EINVAL);
		CHECK_INT(v.n, 0);
		vec_free(&v);
	}
	for (int i = 0; i < 1500; i++) {
		size_t at = test_random(&seed) % n;
		char was = text[at];
		report_vec v = { 0 };

		text[at] = "0-9{}[]\",:xt\\"[test_random(&seed) % 13];
		if (!json_read(text, n, &v, NULL) && v.n == 1) {
			struct diff d;

			REQUIRE(!diff_make(&v.v[0], &v.v[0], &d));
			CHECK_INT(d.growth, 0);
			diff_free(&d);
		}
		free_reports(&v);
		text[at] = was;
	}
	free(text);
}

TEST(json_read_takes_what_it_does_not_know)
{
	static const char doc[] =
		"{\"schema\":\"rsscope.report/"
		"1\",\"new\":[1],\"host\":{\"new\":true},\"reports\":[{"
		"\"target\":{\"pid\":5,\"comm\":\"x\",\"go\":false,\"new\":null},"
		"\"rss\":{\"scanned\":4096},\"unexplained\":0,\"ledger\":[{\"category\":\"libs\","
		"\"resident\":4096,\"virtual\":8192,\"swap\":0,\"huge\":0,\"method\":\"measured\","
		"\"uncertainty\":0}]}]}";
	struct err e = { 0 };
	report_vec v = { 0 };

	if (json_read(doc, strlen(doc), &v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v.n == 1);
	CHECK_INT(v.v[0].ledger.cat[CAT_LIBS].virtual_, 8192);
	CHECK_STR(v.v[0].target.comm, "x");
	CHECK(!v.v[0].time_unix_ns && !v.v[0].go.known && !v.v[0].cgroup.version);
	free_reports(&v);
}

/* Reports of before the rows had ids: the name is all that is known of one. */
TEST(json_read_takes_rows_of_before)
{
	static const char doc[] =
		"{\"schema\":\"rsscope.report/1\",\"reports\":[{"
		"\"target\":{\"pid\":5,\"comm\":\"x\",\"go\":false},"
		"\"rss\":{\"scanned\":8192},\"unexplained\":0,\"ledger\":[{\"category\":"
		"\"native/stacks\",\"resident\":8192,\"virtual\":8192,\"swap\":0,\"huge\":0,"
		"\"method\":\"measured\",\"uncertainty\":0,\"rows\":["
		"{\"name\":\"thread 12 worker\",\"kind\":\"thread\",\"resident\":4096,"
		"\"virtual\":4096,\"swap\":0,\"huge\":0},"
		"{\"name\":\"thread 12 worker\",\"kind\":\"thread\",\"tid\":12,\"comm\":\"worker\","
		"\"resident\":4096,\"virtual\":4096,\"swap\":0,\"huge\":0}]}]}]}";
	const struct ledger_row *row;
	struct err e = { 0 };
	report_vec v = { 0 };

	if (json_read(doc, strlen(doc), &v, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(v.n == 1 && v.v[0].ledger.rows.n == 2);
	row = v.v[0].ledger.rows.v;
	CHECK_STR(row[0].name, row[1].name);
	CHECK_STR(row[0].id.label, "thread 12 worker");
	CHECK_STR(row[1].id.label, "worker");
	CHECK_INT(row[0].id.tid, 0);
	CHECK_INT(row[1].id.tid, 12);
	free_reports(&v);
}
