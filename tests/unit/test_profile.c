/* SPDX-License-Identifier: BSD-2-Clause */
/* A profile as a value, and what is written of it: read back. */
#include <errno.h>
#include <jansson.h>
#include <zlib.h>

#include "schema.h"
#include "test.h"

#include "base/cursor.h"
#include "in/pprof_read.h"
#include "model/profile/subtract.h"
#include "model/profile/top.h"
#include "out/json_profile.h"
#include "out/pprof.h"
#include "out/text_profile.h"

static uint32_t place(struct profile *p, uint64_t addr, const char *const *names, size_t n)
{
	int64_t at = profile_location(p, addr, 1);

	REQUIRE(at >= 0);
	for (size_t i = 0; i < n; i++)
		REQUIRE(profile_line(p, at, names[i], "x.go", 10 * (i + 1)) >= 0);
	return at;
}

static uint32_t labelled(struct profile *p, const char *key, const char *text)
{
	const struct profile_label l = { profile_string(p, key), profile_string(p, text) };
	int64_t set = profile_labels(p, &l, 1);

	REQUIRE(set > 0);
	CHECK_INT(profile_labels(p, &l, 1), set); /* each set once */
	CHECK_INT(profile_labels(p, &l, 0), 0);
	return set;
}

/* main calls work, which calls itself, with leaf inlined in it; and something that has no name. */
static void fill(struct profile *p)
{
	const char *const leaf[] = { "main.leaf", "main.work" };
	const char *const work[] = { "main.work" }, *const main[] = { "main.main" };
	struct profile_mapping m = { 0x400000, 0x500000, 0, 0, 0, true, true };
	uint32_t a, b, c, d;

	REQUIRE(!profile_init(p));
	p->type[0] = (struct profile_type){ "inuse_space", "bytes" };
	p->type[1] = (struct profile_type){ "inuse_objects", "count" };
	p->ntypes = 2;
	p->period_type = (struct profile_type){ "space", "bytes" };
	p->period = 524288;
	p->time_unix_ns = 1000000000;
	m.file = profile_string(p, "/bin/x");
	m.build_id = profile_string(p, "abcd");
	REQUIRE(!vec_push(&p->mappings, m));
	a = place(p, 0x400010, leaf, 2);
	b = place(p, 0x400020, work, 1);
	c = place(p, 0x400030, main, 1);
	d = place(p, 0x400040, NULL, 0);
	CHECK_INT(profile_find(p, 0x400030), c);
	CHECK_INT(profile_find(p, 0x400031), -ENOENT);
	CHECK_INT(profile_location(p, 0x400010, 1), a);
	CHECK_INT(p->functions.n, 3);
	REQUIRE(!profile_add(p, (const uint32_t[]){ a, b, b, c },
			     &(struct profile_sample){ .n = 4,
						       .size = 48,
						       .labels = labelled(p, "region", "eu"),
						       .variance = 400,
						       .value = { 300, 3 } }));
	REQUIRE(!profile_add(p, (const uint32_t[]){ d, c },
			     &(struct profile_sample){ .n = 2, .value = { 100, 1 } }));
	REQUIRE(!profile_add(p, (const uint32_t[]){ c },
			     &(struct profile_sample){ .n = 1, .size = 16 }));
	p->sampled = 4;
	REQUIRE(!profile_say(p, "a %s", "remark"));
	REQUIRE(!profile_say(p, "a remark"));
	CHECK_INT(p->notes.n, 1);
}

TEST(profile_values)
{
	struct profile p;

	REQUIRE(!profile_init(&p));
	CHECK_STR(profile_text(&p, 0), "");
	CHECK_INT(profile_string(&p, NULL), 0);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 5000; i++) {
			char s[32];

			snprintf(s, sizeof(s), "function.%d", i);
			REQUIRE(profile_function(&p, s, "f.go") == i);
			REQUIRE(profile_location(&p, 16 * i + 1, 0) == i);
		}
	CHECK_INT(p.functions.n, 5000);
	CHECK_INT(p.strings.n, 5002);
	CHECK_INT(p.locations.n, 5000);
	CHECK_STR(profile_text(&p, p.functions.v[4711].name), "function.4711");
	profile_free(&p);
	profile_free(&p);
}

TEST(profile_names_and_counts)
{
	struct profile p;
	int64_t a, b, set;

	REQUIRE(!profile_init(&p));
	p.ntypes = 1;
	a = profile_named(&p, "[running]");
	b = profile_named(&p, "main.T");
	CHECK(a >= 0 && b >= 0 && a != b);
	CHECK_INT(profile_named(&p, "[running]"), a);
	CHECK_INT(p.locations.v[a].addr, 0);
	CHECK_INT(profile_find(&p, 0), -ENOENT);
	set = labelled(&p, "k", "v");
	for (int i = 0; i < 3; i++) { /* what differs in labels or size is another sample */
		struct profile_sample s = { .n = 1, .value = { 2 }, .variance = 1 };

		REQUIRE(!profile_count(&p, (uint32_t[]){ a }, &s));
		s.labels = set;
		REQUIRE(!profile_count(&p, (uint32_t[]){ a }, &s));
		s.size = 16;
		REQUIRE(!profile_count(&p, (uint32_t[]){ a }, &s));
		s.n = 2;
		REQUIRE(!profile_count(&p, (uint32_t[]){ a, b }, &s));
	}
	CHECK_INT(p.samples.n, 4);
	for (size_t i = 0; i < p.samples.n; i++)
		CHECK(p.samples.v[i].value[0] == 6 && p.samples.v[i].variance == 3);
	profile_free(&p);
	REQUIRE(!profile_init(&p)); /* of no stacks at all */
	p.ntypes = 1;
	for (int i = 0; i < 300; i++)
		REQUIRE(!profile_count(
			&p, NULL, &(struct profile_sample){ .size = i % 100, .value = { 1 } }));
	CHECK_INT(p.samples.n, 100);
	profile_free(&p);
}

TEST(profile_by_function)
{
	profile_sum_vec top = { 0 };
	struct profile p;
	int64_t total;

	fill(&p);
	REQUIRE(!profile_top(&p, 0, &top, &total));
	CHECK_INT(total, 400);
	REQUIRE(top.n == 4);
	CHECK_STR(profile_text(&p, top.v[0].name), "main.leaf");
	CHECK(top.v[0].flat == 300 && top.v[0].cum == 300);
	CHECK_STR(profile_text(&p, top.v[1].name), "/bin/x"); /* what has no name */
	CHECK(top.v[1].flat == 100 && top.v[1].cum == 100);
	CHECK_STR(profile_text(&p, top.v[2].name), "main.main");
	CHECK(top.v[2].flat == 0 && top.v[2].cum == 400);
	CHECK_STR(profile_text(&p, top.v[3].name), "main.work");
	CHECK(top.v[3].flat == 0 && top.v[3].cum == 300); /* once, though it calls itself */
	vec_free(&top);
	profile_free(&p);
}

TEST(profile_text)
{
	const struct text_style s = { 0 };
	_text_ struct text t = { 0 }, folded = { 0 };
	struct profile p;

	fill(&p);
	REQUIRE(!text_profile_top(&p, "heap", &s, 3, &t));
	CHECK_STR(t.p, "heap: 400 B inuse_space (±10%), 2 stacks, 4 samples, one every 512.0 KiB\n"
		       "note: a remark\n"
		       "\n"
		       "        flat  flat%   sum%          cum   cum%  function\n"
		       "       300 B  75.0%  75.0%        300 B  75.0%  main.leaf\n"
		       "       100 B  25.0% 100.0%        100 B  25.0%  /bin/x\n"
		       "         0 B   0.0% 100.0%        400 B 100.0%  main.main\n"
		       "1 more functions: --top 4\n");
	REQUIRE(!text_profile_folded(&p, &folded));
	CHECK_STR(folded.p, "main.main;main.work;main.work;main.work;main.leaf 300\n"
			    "main.main;/bin/x 100\n");
	profile_free(&p);
}

TEST(profile_json)
{
	const struct json_profile_head h = { "1.2.3", "heap", 42 };
	json_t *schema = json_loads(json_profile_schema(), JSON_REJECT_DUPLICATES, NULL), *doc,
	       *list;
	char *text = NULL, why[256];
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct profile p;

	fill(&p);
	REQUIRE(f && schema);
	REQUIRE(!json_profile(f, &h, &p));
	fclose(f);
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	REQUIRE(doc);
	why[0] = 0;
	CHECK_INT(schema_check(schema, doc, why, sizeof(why)), 0);
	CHECK_STR(why, "");
	CHECK_INT(json_integer_value(json_object_get(doc, "total")), 400);
	CHECK_INT(json_array_size(json_object_get(doc, "samples")), 3);
	CHECK_INT(json_array_size(json_object_get(doc, "locations")), 4);
	CHECK_STR(json_string_value(json_array_get(json_object_get(doc, "notes"), 0)), "a remark");
	list = json_object_get(doc, "interval95"); /* 1.96 · √400 */
	CHECK_INT(json_integer_value(json_array_get(list, 0)), 361);
	CHECK_INT(json_integer_value(json_array_get(list, 1)), 439);
	list = json_array_get(json_object_get(doc, "samples"), 0);
	CHECK_INT(json_integer_value(json_object_get(list, "low")), 261);
	CHECK_STR(json_string_value(json_object_get(json_object_get(list, "labels"), "region")),
		  "eu");
	list = json_array_get(json_object_get(doc, "samples"), 1);
	CHECK(!json_object_get(list, "low") && !json_object_get(list, "labels"));
	json_decref(doc);
	json_decref(schema);
	free(text);
	profile_free(&p);
}

/* ---- pprof's format */

static int keep(void *ctx, const void *p, size_t n)
{
	return text_add(ctx, p, n);
}

static int refuse(void *ctx, const void *p, size_t n)
{
	return -ENOSPC;
}

static void unzip(const struct text *in, struct text *out)
{
	z_stream z = { .next_in = (Bytef *)in->p, .avail_in = in->n };
	char buf[4096];
	int r = Z_OK;

	REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
	while (r == Z_OK) {
		z.next_out = (Bytef *)buf;
		z.avail_out = sizeof(buf);
		r = inflate(&z, Z_NO_FLUSH);
		REQUIRE(!text_add(out, buf, sizeof(buf) - z.avail_out));
	}
	CHECK_INT(r, Z_STREAM_END);
	CHECK_INT(z.avail_in, 0);
	inflateEnd(&z);
}

struct field {
	unsigned int no;
	uint64_t v;
	const uint8_t *p; /* of v bytes; NULL: v is a number */
};

static uint64_t varint(const uint8_t **p, const uint8_t *end)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; *p < end && shift < 64; shift += 7) {
		uint8_t b = *(*p)++;

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	REQUIRE(false);
	return 0;
}

static bool next(const uint8_t **p, const uint8_t *end, struct field *f)
{
	uint64_t tag;

	if (*p >= end)
		return false;
	tag = varint(p, end);
	*f = (struct field){ .no = tag >> 3, .v = varint(p, end) };
	REQUIRE((tag & 7) == 0 || (tag & 7) == 2);
	if ((tag & 7) == 2) {
		REQUIRE(f->v <= (uint64_t)(end - *p));
		f->p = *p;
		*p += f->v;
	}
	return true;
}

/* The number of a field of a message; the last of a packed one. */
static uint64_t number_in(const struct field *m, unsigned int no)
{
	const uint8_t *p = m->p;
	struct field f;
	uint64_t v = 0;

	while (next(&p, m->p + m->v, &f))
		if (f.no == no && !f.p)
			v = f.v;
	return v;
}

TEST(profile_pprof)
{
	_text_ struct text zipped = { 0 }, plain = { 0 };
	const char *strings[64] = { 0 };
	size_t count[16] = { 0 }, length[64];
	struct field f, types[2], sample = { 0 }, location = { 0 }, mapping = { 0 };
	uint64_t most = 0, comment = 0;
	const uint8_t *at, *end;
	struct profile p;

	fill(&p);
	REQUIRE(!pprof_write(&p, keep, &zipped));
	CHECK_INT(pprof_write(&p, refuse, NULL), -ENOSPC);
	unzip(&zipped, &plain);
	at = (uint8_t *)plain.p;
	end = at + plain.n;
	while (next(&at, end, &f)) {
		REQUIRE(f.no < ARRAY_LEN(count));
		if (f.no == 1 && count[1] < 2)
			types[count[1]] = f;
		if (f.no == 2 && !count[2])
			sample = f;
		if (f.no == 3)
			mapping = f;
		if (f.no == 4 && !count[4])
			location = f;
		if (f.no == 6) {
			REQUIRE(count[6] < ARRAY_LEN(strings));
			strings[count[6]] = (const char *)f.p;
			length[count[6]] = f.v;
		}
		if (f.no == 9)
			CHECK_INT(f.v, 1000000000);
		if (f.no == 12)
			CHECK_INT(f.v, 524288);
		if (f.no == 13)
			comment = f.v;
		if (f.no == 14)
			most = f.v;
		count[f.no]++;
	}
	CHECK_INT(count[1], 2);
	CHECK_INT(count[2], 3);
	CHECK_INT(count[3], 1);
	CHECK_INT(count[4], 4);
	CHECK_INT(count[5], 3);
	CHECK_INT(length[0], 0);
#define IS(i, s) (length[i] == strlen(s) && !memcmp(strings[i], s, strlen(s)))
	CHECK(IS(number_in(&types[0], 1), "inuse_space") && IS(number_in(&types[0], 2), "bytes"));
	CHECK(IS(number_in(&types[1], 1), "inuse_objects"));
	CHECK(IS(most, "inuse_space"));
	CHECK(IS(number_in(&mapping, 5), "/bin/x") && IS(number_in(&mapping, 6), "abcd"));
	CHECK_INT(number_in(&mapping, 2), 0x400000);
	CHECK_INT(number_in(&location, 3), 0x400010);
	CHECK_INT(number_in(&location, 2), 1);
	CHECK(sample.v > 0);
	at = sample.p;
	CHECK(next(&at, sample.p + sample.v, &f) && f.no == 1 && f.v == 4 && f.p[0] == 1);
	CHECK(next(&at, sample.p + sample.v, &f) && f.no == 2 && f.v == 3 && f.p[2] == 3);
	CHECK(next(&at, sample.p + sample.v, &f) && f.no == 3 && number_in(&f, 3) == 48);
	CHECK(next(&at, sample.p + sample.v, &f) && f.no == 3);
	CHECK(IS(number_in(&f, 1), "region") && IS(number_in(&f, 2), "eu"));
	CHECK(IS(comment, "a remark"));
#undef IS
	profile_free(&p);
}

/* ---- differences */

static const struct profile_sample *sample_at(const struct profile *p, const char *innermost)
{
	for (size_t i = 0; i < p->samples.n; i++) {
		const struct profile_sample *s = &p->samples.v[i];
		const struct profile_location *l = &p->locations.v[p->stacks.v[s->first]];

		if (l->n &&
		    !strcmp(profile_text(p, p->functions.v[p->lines.v[l->first].function].name),
			    innermost))
			return s;
	}
	return NULL;
}

/* The same program at other addresses, with another order of columns and a function more. */
static void fill_later(struct profile *p)
{
	const char *const leaf[] = { "main.leaf", "main.work" }, *const more[] = { "main.more" };
	const char *const work[] = { "main.work" }, *const main[] = { "main.main" };
	uint32_t a, b, b2, c, e, labels;

	REQUIRE(!profile_init(p));
	p->type[0] = (struct profile_type){ "inuse_objects", "count" };
	p->type[1] = (struct profile_type){ "inuse_space", "bytes" };
	p->ntypes = 2;
	p->most_wanted = 1;
	REQUIRE(!vec_push(&p->mappings, (struct profile_mapping){ .start = 0x700000 }));
	e = place(p, 0x700110, more, 1);
	c = place(p, 0x700030, main, 1);
	b = place(p, 0x700020, work, 1);
	b2 = place(p, 0x700024, work, 1); /* on the same line */
	a = place(p, 0x700010, leaf, 2);
	labels = labelled(p, "region", "eu");
	REQUIRE(!profile_add(p, (const uint32_t[]){ a, b, b2, c },
			     &(struct profile_sample){
				     .n = 4, .size = 48, .labels = labels, .value = { 5, 500 } }));
	REQUIRE(!profile_add(p, (const uint32_t[]){ e, c },
			     &(struct profile_sample){ .n = 2, .value = { 1, 70 } }));
}

TEST(profile_difference)
{
	struct profile p, q, d;

	fill(&p);
	fill_later(&q);
	REQUIRE(!profile_subtract(&q, &p, &d));
	REQUIRE(d.samples.n == 3);
	CHECK_INT(sample_at(&d, "main.leaf")->value[0], 2);
	CHECK_INT(sample_at(&d, "main.leaf")->value[1], 200);
	CHECK_INT(sample_at(&d, "main.leaf")->size, 48);
	CHECK_INT(sample_at(&d, "main.more")->value[1], 70);
	for (size_t i = 0; i < d.samples.n; i++) /* what the later one does not have */
		if (d.samples.v[i].n == 2 && &d.samples.v[i] != sample_at(&d, "main.more"))
			CHECK(d.samples.v[i].value[0] == -1 && d.samples.v[i].value[1] == -100);
	profile_free(&d);
	REQUIRE(!profile_subtract(&p, &p, &d));
	CHECK_INT(d.samples.n, 0);
	profile_free(&d);
	q.type[0].name = "alloc_objects";
	CHECK_INT(profile_subtract(&q, &p, &d), -EINVAL);
	profile_free(&d);
	profile_free(&q);
	profile_free(&p);
}

TEST(profile_read_back)
{
	_text_ struct text zipped = { 0 }, plain = { 0 };
	struct profile p, q, d;
	struct err e;

	fill(&p);
	REQUIRE(!pprof_write(&p, keep, &zipped));
	unzip(&zipped, &plain);
	REQUIRE(!pprof_read(zipped.p, zipped.n, &q, &e));
	CHECK_INT(q.ntypes, 2);
	CHECK_INT(q.most_wanted, 0);
	CHECK_STR(q.type[1].name, "inuse_objects");
	CHECK_INT(q.period, 524288);
	CHECK_INT(q.time_unix_ns, 1000000000);
	CHECK_INT(q.samples.n, 3);
	REQUIRE(!profile_subtract(&q, &p, &d));
	CHECK_INT(d.samples.n, 0);
	profile_free(&d);
	profile_free(&q);
	for (size_t n = 0; n < plain.n; n++) { /* cut short: refused, or another profile */
		int r = pprof_read(plain.p, n, &q, &e);

		CHECK(!r || r == -EINVAL);
		profile_free(&q);
	}
	CHECK_INT(pprof_read(zipped.p, zipped.n - 9, &q, &e), -EINVAL);
	profile_free(&q);
	CHECK_INT(pprof_read("hello", 5, &q, &e), -EINVAL);
	profile_free(&q);
	CHECK_INT(pprof_read("", 0, &q, &e), -EINVAL);
	profile_free(&q);
	profile_free(&p);
}
