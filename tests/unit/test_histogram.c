/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/histogram.h"
#include "test.h"

static void add(struct histogram *h, uint64_t lower, uint64_t upper, uint64_t count)
{
	struct histogram_bucket b = { .has_lower = true,
				      .has_upper = upper != UINT64_MAX,
				      .lower_ns = lower,
				      .upper_ns = upper,
				      .count = count };

	h->count += count;
	REQUIRE(!vec_push(&h->buckets, b));
}

static uint64_t quantile(const struct histogram *h, unsigned int percent)
{
	uint64_t ns = 0;

	return histogram_quantile(h, percent, &ns) ? ns : UINT64_MAX;
}

TEST(histogram_quantiles_are_ends_of_buckets)
{
	struct histogram h = { 0 };

	CHECK(quantile(&h, 50) == UINT64_MAX);
	add(&h, 0, 64, 49);
	add(&h, 64, 128, 50);
	CHECK_INT(quantile(&h, 1), 64);
	CHECK_INT(quantile(&h, 49), 64); /* 48.51 of 99: the 49th */
	CHECK_INT(quantile(&h, 50), 128);
	CHECK_INT(quantile(&h, 100), 128);
	add(&h, 1024, 1280, 1);
	CHECK_INT(quantile(&h, 99), 128);
	CHECK_INT(quantile(&h, 100), 1280);
	add(&h, 4096, UINT64_MAX, 1); /* no end: no bound */
	CHECK(quantile(&h, 100) == UINT64_MAX);
	CHECK_INT(quantile(&h, 50), 128);
	vec_free(&h.buckets);
}

/* A file may say anything. */
TEST(histogram_quantiles_of_absurd_counts)
{
	struct histogram h = { 0 };

	add(&h, 0, 64, UINT64_MAX);
	add(&h, 64, 128, UINT64_MAX);
	h.count = UINT64_MAX;
	CHECK_INT(quantile(&h, 100), 64);
	h.count = 3; /* less than the buckets have */
	CHECK_INT(quantile(&h, 100), 64);
	h.buckets.n = 0;
	CHECK(quantile(&h, 100) == UINT64_MAX);
	vec_free(&h.buckets);
}
