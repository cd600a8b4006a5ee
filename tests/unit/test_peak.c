/* SPDX-License-Identifier: BSD-2-Clause */
/* When the heap's peak is read, and what its sites come to. */
#include <math.h>
#include <string.h>

#include "collect/held.h"
#include "observe/peak_pace.h"
#include "test.h"

static const uint64_t ms = 1000000;
static const uint64_t mib = 1 << 20;

TEST(peak_pace_reads_growth_alone)
{
	struct peak_pace p = { 0 };

	CHECK(peak_pace_wants(&p, 64 * mib, false, 1000 * ms));
	peak_pace_read(&p, 64 * mib, 3 * ms);
	/* the same heap, a smaller one, a step less than a sixteenth */
	CHECK(!peak_pace_wants(&p, 64 * mib, false, 1001 * ms));
	CHECK(!peak_pace_wants(&p, 64 * mib, true, 2000 * ms));
	CHECK(!peak_pace_wants(&p, 3 * mib, true, 2001 * ms));
	CHECK(!peak_pace_wants(&p, 67 * mib, false, 2002 * ms));
	/* which is read once it has settled, unless it is next to nothing */
	CHECK(peak_pace_wants(&p, 67 * mib, true, 2003 * ms));
	CHECK(!peak_pace_wants(&p, 64 * mib + mib / 8, true, 2004 * ms));
	CHECK(peak_pace_wants(&p, 68 * mib, false, 2005 * ms));
	/* what is smaller than before does not make it forget */
	peak_pace_read(&p, 1024 * mib, 3 * ms);
	peak_pace_read(&p, 2 * mib, 3 * ms);
	CHECK(!peak_pace_wants(&p, 900 * mib, true, 3000 * ms));
}

/* A heap that never ceases to grow, and 45 ms for a reading. */
TEST(peak_pace_spends_a_fiftieth_at_most)
{
	struct peak_pace p = { 0 };
	const uint64_t cost = 45 * ms, looks = 2000, every = 5 * ms;
	uint64_t heap = 1000, spent = 0, now = 1;

	for (uint64_t i = 0; i < looks; i++, now += every) {
		heap += heap / 100 + mib;
		if (!peak_pace_wants(&p, heap, i % 2, now))
			continue;
		peak_pace_read(&p, heap, cost);
		spent += cost;
	}
	CHECK(spent <= PEAK_SAVED_NS + cost + looks * every / PEAK_SHARE);
	CHECK(spent >= looks * every / PEAK_SHARE / 2);
}

/* While it rises, time is kept for the reading at the end of the rise. */
TEST(peak_pace_keeps_time_for_the_end_of_a_rise)
{
	struct peak_pace p = { 0 };
	const uint64_t cost = 100 * ms;
	uint64_t heap = 100 * mib;
	int read = 0;

	for (int i = 0; i < 20; i++, heap += heap / 4) {
		if (!peak_pace_wants(&p, heap, false, 1 + (uint64_t)i))
			continue;
		peak_pace_read(&p, heap, cost);
		read++;
	}
	CHECK(read >= 1 && read <= 2);
	CHECK(peak_pace_wants(&p, heap, true, 50));
}

/* ---- sites */

/* Of bytes, by the binomial distribution. */
static double variance(uint64_t rate, uint64_t size, uint64_t sampled)
{
	double p = 1 - exp(-(double)size / (double)rate);

	return (double)sampled * (1 - p) / (p * p) * (double)size * (double)size;
}

static void add(struct held *h, struct profile *p, const uint32_t *stack, size_t n, uint64_t size,
		uint64_t sampled, int64_t bytes)
{
	struct profile_sample x = { .n = n,
				    .size = size,
				    .value = { bytes, (int64_t)(bytes / size) },
				    .variance = variance(h->rate, size, sampled) };

	REQUIRE(!vec_push(&h->stacks, (struct held_stack){ .size = size, .sampled = sampled }));
	REQUIRE(!profile_add(p, stack, &x));
}

/* Two sites: one of large objects, each of which is seen; one of objects of two sizes. */
TEST(peak_rows_are_of_call_stacks)
{
	static const char *const name[] = { "runtime.mallocgc", "main.big", "main.small",
					    "main.main" };
	const uint64_t rate = 512 << 10, large = 64 * mib;
	struct report_peak k = { 0 };
	struct held h = { .rate = rate };
	struct profile p = { 0 };
	uint32_t at[4];
	double sd;

	REQUIRE(!profile_init(&p));
	p.ntypes = 2;
	for (int i = 0; i < 4; i++) {
		at[i] = profile_location(&p, 0x1000 + i, 0);
		profile_line(&p, at[i], name[i], "/src/a.go", 10 + i);
	}
	add(&h, &p, (uint32_t[]){ at[0], at[2], at[3] }, 3, 1024, 50, 50 * mib);
	add(&h, &p, (uint32_t[]){ at[0], at[1], at[3] }, 3, large, 4, 4 * large);
	add(&h, &p, (uint32_t[]){ at[0], at[2], at[3] }, 3, 2048, 50, 51 * mib);
	REQUIRE(!held_rows(&h, &p, 20, &k));
	CHECK_INT(k.stacks.v, 2);
	CHECK_INT(k.samples.v, 104);
	CHECK_INT(k.total.v, 357 * mib);
	CHECK_INT(k.period.v, rate);
	REQUIRE(k.rows.n == 2);
	CHECK_INT(k.rows.v[0].site.bytes, 4 * large);
	CHECK_INT(k.rows.v[0].site.caller, 1);
	CHECK_STR(k.rows.v[0].site.stack.v[1].func, "main.big");
	CHECK_INT(k.rows.v[0].site.stack.v[1].line, 11);
	CHECK_INT(k.rows.v[0].low, 4 * large);
	CHECK(k.rows.v[0].high < 4 * large + mib);
	CHECK_INT(k.rows.v[1].site.bytes, 101 * mib);
	CHECK_INT(k.rows.v[1].samples, 100);
	/* of so rare samples the estimate's deviation is that of a count: 1 / sqrt(50) of each */
	sd = sqrt(50) * (double)rate * 1.415;
	CHECK(fabs((double)(k.rows.v[1].high - 101 * mib) - 1.96 * sd) < 0.02 * sd);
	CHECK(fabs((double)(101 * mib - k.rows.v[1].low) - 1.96 * sd) < 0.02 * sd);
	report_peak_free(&k);
	REQUIRE(!held_rows(&h, &p, 1, &k));
	CHECK_INT(k.rows.n, 1);
	CHECK_INT(k.stacks.v, 2);
	report_peak_free(&k);
	held_free(&h);
	profile_free(&p);
}
