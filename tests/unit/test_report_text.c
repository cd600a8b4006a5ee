/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/findings.h"
#include "model/findings/findings_build.h"
#include "out/text_report.h"
#include "base/utf8.h"
#include "sample.h"
#include "test.h"

static void print(void (*make)(struct report *), struct text_style s, struct text *out)
{
	struct report r;

	make(&r);
	REQUIRE(!text_report(&r, &s, out));
	report_free(&r);
}

static void golden(const char *name, void (*make)(struct report *), struct text_style s)
{
	_text_ struct text t = { 0 };

	print(make, s, &t);
	check_golden(name, t.p);
}

TEST(text_golden_full)
{
	golden("report.txt", sample_full, (struct text_style){ .utf8 = true, .width = 100 });
}

TEST(text_golden_explained)
{
	golden("report-explained.txt", sample_explained,
	       (struct text_style){ .utf8 = true, .width = 100 });
}

TEST(text_golden_ascii_80_columns)
{
	golden("report-ascii.txt", sample_full, (struct text_style){ .width = 80 });
}

TEST(text_golden_bytes)
{
	golden("report-bytes.txt", sample_full, (struct text_style){ .exact = true, .width = 100 });
}

TEST(text_golden_color)
{
	golden("report-color.txt", sample_full,
	       (struct text_style){ .utf8 = true, .color = true, .width = 100 });
}

TEST(text_golden_not_go)
{
	golden("report-bare.txt", sample_bare, (struct text_style){ .utf8 = true, .width = 100 });
}

static unsigned int columns_of(const char *line, size_t n)
{
	unsigned int cols = 0;

	for (size_t i = 0; i < n; i++)
		cols += (line[i] & 0xc0) != 0x80;
	return cols;
}

static void check_fits(const struct text *t, unsigned int width, unsigned int most)
{
	unsigned int lines = 0;

	for (const char *p = t->p, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
		if (columns_of(p, nl - p) > width)
			test_failed(__FILE__, __LINE__, "%u columns, %u fit: %.*s",
				    columns_of(p, nl - p), width, (int)(nl - p), p);
		lines++;
	}
	if (lines > most)
		test_failed(__FILE__, __LINE__, "%u lines", lines);
}

/* As most programs are: nothing swapped, no huge pages, shared memory or probes. */
static void sample_typical(struct report *r)
{
	sample_full(r);
	r->ledger.cat[CAT_GO_HEAP_OBJECTS].huge = 0;
	r->ledger.cat[CAT_GO_HEAP_FREE].swap = 0;
	for (int i = 0; i < CAT_COUNT; i++)
		if (i == CAT_SHM || i == CAT_OBSERVER || i == CAT_GO_THREAD_STACKS)
			r->ledger.cat[i] = (struct ledger_cat){ 0 };
}

TEST(text_fits_the_width)
{
	static const unsigned int widths[] = { 72, 80, 100, 132, 160 };

	for (size_t i = 0; i < 5; i++) {
		for (int exact = 0; exact < 2; exact++) {
			_text_ struct text a = { 0 }, b = { 0 };
			struct text_style s = { .utf8 = exact, .exact = exact, .width = widths[i] };

			print(sample_full, s, &a);
			check_fits(&a, widths[i] < 100 && exact ? 100 : widths[i], TEXT_LINES);
			print(sample_bare, s, &b);
			check_fits(&b, widths[i], TEXT_LINES);
		}
	}
}

TEST(text_is_one_screen)
{
	_text_ struct text t = { 0 };

	print(sample_typical, (struct text_style){ .width = 100 }, &t);
	check_fits(&t, 100, TEXT_LINES);
}

static void sample_crowded(struct report *r)
{
	char name[64];
	uint32_t row;

	sample_typical(r);
	for (int i = 0; i < 3000; i++) {
		struct row_id id = row_labelled(ROW_FILE, name);

		snprintf(name, sizeof(name), "/srv/files/%d", i);
		REQUIRE(!ledger_add_row(&r->ledger, i % 2 ? CAT_LIBS : CAT_FILES, &id, &row));
		r->ledger.rows.v[row].resident = (uint64_t)(3000 - i) << 20;
	}
}

TEST(text_rows_stop_where_the_screen_ends)
{
	_text_ struct text t = { 0 };

	print(sample_crowded, (struct text_style){ .width = 100 }, &t);
	check_fits(&t, 100, TEXT_LINES);
	CHECK(strstr(t.p, "/srv/files/0\n"));
	CHECK(strstr(t.p, " and 150"));
	CHECK(strstr(t.p, "unexplained"));
}

/* No byte that a terminal would act on, whatever the target calls itself. */
TEST(text_hostile_names_do_not_reach_the_terminal)
{
	for (int utf8 = 0; utf8 < 2; utf8++) {
		_text_ struct text t = { 0 };
		uint32_t code;

		print(sample_hostile, (struct text_style){ .utf8 = utf8, .width = 100 }, &t);
		for (const char *p = t.p; *p;) {
			size_t n = utf8_next(p, &code);

			REQUIRE(n);
			CHECK(code == '\n' || (code >= ' ' && code != 0x7f));
			CHECK(code < 0x80 || (utf8 && code >= 0xa0));
			p += n;
		}
	}
}

/* All that a report can say at once: every category with something swapped and in huge pages, many
 * things missing, findings with much evidence, what run adds. */
static void sample_loaded(struct report *r)
{
	const struct row_id else_ = row_labelled(ROW_ORIGIN, "something else");
	struct ledger *l;
	uint32_t row;

	sample_full(r);
	l = &r->ledger;
	for (int i = 0; i < CAT_COUNT; i++) {
		uint64_t more = (uint64_t)(i * i + 1) << 16;

		if (i == CAT_GO_HEAP || i == CAT_NATIVE || i == CAT_NATIVE_MALLOC)
			continue; /* parents, of which the parts are there */
		REQUIRE(!ledger_add_row(l, i, &else_, &row));
		l->rows.v[row].resident += more;
		l->rows.v[row].virtual_ += more;
		l->cat[i].resident += more;
		l->cat[i].virtual_ += more;
		l->cat[i].swap += more / 2;
		l->cat[i].huge += more / 4;
		l->scanned += more;
	}
	/* no parent holds bytes of its own beside its parts */
	l->cat[CAT_NATIVE_MALLOC_LIVE].resident += l->cat[CAT_NATIVE_MALLOC].resident;
	l->cat[CAT_NATIVE_MALLOC_LIVE].virtual_ += l->cat[CAT_NATIVE_MALLOC].virtual_;
	l->cat[CAT_NATIVE_MALLOC] = (struct ledger_cat){ 0 };
	for (size_t i = 0; i < l->rows.n; i++)
		if (l->rows.v[i].cat == CAT_NATIVE_MALLOC)
			l->rows.v[i].cat = CAT_NATIVE_MALLOC_LIVE;
	r->rss.scanned = l->scanned;
	for (int i = 0; i < 9; i++)
		REQUIRE(!report_missing(r, "a.path[of/something]", "a capability that few have",
					"reason %d: it is long enough to need more than one line "
					"on any terminal that people use these days",
					i));
	for (int i = 0; i < 4; i++) {
		struct finding_build b;

		finding_begin(&b, finding_ids[i], i ? SEV_WARNING : SEV_CRITICAL);
		finding_say(&b,
			    "Finding %d says something that is long enough to fill one line "
			    "and more of a terminal of 80 columns.",
			    i);
		for (int k = 0; k < 9; k++)
			finding_evidence(&b, "some figure", UNIT_BYTES, 123456789, "a.path");
		for (int k = 0; k < 3; k++)
			finding_advise(&b,
				       "do this %d or that %d: it is said at a length that "
				       "fills a line",
				       i, k);
		REQUIRE(!finding_end(&b, &r->findings));
	}
}

TEST(text_with_all_there_is_is_one_screen)
{
	static const unsigned int widths[] = { 72, 80, 100, 132 };

	for (size_t i = 0; i < 4; i++) {
		for (int exact = 0; exact < 2; exact++) {
			_text_ struct text t = { 0 };
			struct text_style s = { .exact = exact, .width = widths[i] };

			print(sample_loaded, s, &t);
			check_fits(&t, widths[i] < 100 && exact ? 100 : widths[i], TEXT_LINES);
			CHECK(strstr(t.p, "unexplained"));
			CHECK(strstr(t.p, "unknown"));
			CHECK(strstr(t.p, "missing"));
			CHECK(strstr(t.p, "do this 0 or that 0"));
		}
	}
}

/* A line of the tree that has none deeper below it: category, row or what stands for several. Such
 * lines add up to what was scanned, whatever was folded. */
static uint64_t sum_of_leaves(char *text, uint64_t *scanned)
{
	uint64_t v, sum = 0, last = 0;
	size_t column = 0, depth = 0;
	bool in_tree = false;
	char *save = NULL;
	float pct;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		size_t at;

		sscanf(l, "RSS %" SCNu64 " scanned", scanned);
		in_tree = strstr(l, "resident     %") || (in_tree && l[0] == ' ');
		if (!in_tree || sscanf(l, "%" SCNu64 " %f", &v, &pct) != 2)
			continue;
		if (!column) { /* the first one is "go" */
			column = strlen(l) - 2;
			CHECK_STR(l + column, "go");
		}
		REQUIRE(strlen(l) > column);
		at = strspn(l + column, " ");
		if (at <= depth)
			sum += last;
		depth = at;
		last = v;
	}
	return sum + last;
}

TEST(text_leaves_add_up)
{
	void (*const make[])(struct report *) = { sample_full, sample_typical, sample_loaded };

	for (size_t i = 0; i < 3; i++) {
		for (unsigned int width = 80; width <= 160; width += 20) {
			_text_ struct text t = { 0 };
			uint64_t scanned = 0, sum;
			struct report r;

			make[i](&r);
			r.ledger.scanned = 0; /* sample_typical took categories away */
			for (int c = 0; c < CAT_COUNT; c++)
				r.ledger.scanned += r.ledger.cat[c].resident;
			r.rss.scanned = r.ledger.scanned;
			REQUIRE(!text_report(
				&r, &(struct text_style){ .exact = true, .width = width }, &t));
			sum = sum_of_leaves(t.p, &scanned);
			CHECK(scanned > 0);
			CHECK_INT(sum, scanned);
			report_free(&r);
		}
	}
}

/* Parents are the sums of what is below them, when there is room for all of it. */
TEST(text_parents_are_sums)
{
	uint64_t binary = 0, parts = 0, v;
	_text_ struct text t = { 0 };
	char *save = NULL;
	struct report r;
	float pct;

	sample_bare(&r);
	REQUIRE(!text_report(&r, &(struct text_style){ .exact = true, .width = 100 }, &t));
	for (char *l = strtok_r(t.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (l[0] != ' ' || sscanf(l, "%" SCNu64 " %f", &v, &pct) != 2)
			continue;
		binary = strstr(l, " binary") ? v : binary;
		parts += strstr(l, " text ") ? v : 0;
	}
	CHECK_INT(binary, 64 << 10);
	CHECK_INT(parts, 64 << 10);
	report_free(&r);
}

TEST(utf8_judges_bytes)
{
	static const struct {
		const char *s;
		size_t n;
		uint32_t code;
	} c[] = {
		{ "a", 1, 'a' },
		{ "\xc3\xa4", 2, 0xe4 },
		{ "\xe2\x82\xac", 3, 0x20ac },
		{ "\xf0\x9f\x98\x80", 4, 0x1f600 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 },	      /* a tail without a head */
		{ "\xc0\xaf", 0, 0 },	      /* overlong */
		{ "\xe0\x9f\xbf", 0, 0 },     /* overlong */
		{ "\xed\xa0\x80", 0, 0 },     /* surrogate */
		{ "\xf4\x90\x80\x80", 0, 0 }, /* past the last */
		{ "\xf8\x88\x80\x80\x80", 0, 0 },
		{ "\xe2\x82", 0, 0 }, /* cut */
		{ "\xff", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		uint32_t code = 0;

		CHECK_INT(utf8_next(c[i].s, &code), c[i].n);
		if (c[i].n)
			CHECK_INT(code, c[i].code);
	}
}

TEST(utf8_print_cuts_the_middle)
{
	_text_ struct text a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	CHECK_INT(utf8_print("0123456789", 10, false, &a), 10);
	CHECK_STR(a.p, "0123456789");
	CHECK_INT(utf8_print("0123456789ab", 9, false, &b), 9);
	CHECK_STR(b.p, "01...89ab");
	CHECK_INT(utf8_print("0123456789ab", 9, true, &c), 9);
	CHECK_STR(c.p, "01\xe2\x80\xa6"
		       "6789ab");
	CHECK_INT(utf8_print("\xc3\xa4\n", 9, false, &d), 2);
	CHECK_STR(d.p, "??");
}
