/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "goruntime/rd.h"
#include "source/memsrc_impl.h"

/* Each address holds itself, but multiples of 4096, which cannot be read. */
struct counted {
	struct memsrc m;
	size_t gathers, largest;
};

static int gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad, range_vec *holes)
{
	struct counted *c = (struct counted *)m;

	c->gathers++;
	c->largest = n > c->largest ? n : c->largest;
	for (size_t i = 0; i < n; i++) {
		memcpy((uint8_t *)buf + i * each, &addr[i], 8);
		bad[i] = !(addr[i] % 4096);
	}
	return 0;
}

static const struct memsrc_ops ops = { .gather = gather };

struct taken {
	const uint64_t *at;
	size_t n, last;
	bool wrong;
};

static void take(void *ctx, size_t i, const uint8_t *buf)
{
	struct taken *t = ctx;
	uint64_t x;

	memcpy(&x, buf, 8);
	t->wrong |= x != t->at[i] + 16 || !t->at[i] || !(x % 4096) || (t->n && i <= t->last);
	t->last = i;
	t->n++;
}

/* Number of reads that addresses take of which [i] is base + order(i) * 1000; none where that is a
 * multiple of 7. */
static size_t reads(size_t n, bool shuffled, size_t *largest)
{
	_free_ uint64_t *at = calloc(n, sizeof(*at));
	struct counted c = { .m = { .ops = &ops, .page_size = 4096 } };
	struct go_runtime rt = { .m = &c.m };
	struct taken t = { .at = at };
	size_t want = 0;

	REQUIRE(at);
	for (size_t i = 0; i < n; i++) {
		size_t k = shuffled ? i * 7919 % n : i;

		at[i] = k % 7 ? 0x10000000 + k * 1000 : 0;
		want += at[i] && (at[i] + 16) % 4096;
	}
	CHECK_INT(rd_each(&rt, PASS_BOOKS, at, n, 16, 8, take, &t), 0);
	CHECK(!t.wrong);
	CHECK_INT(t.n, want);
	*largest = c.largest;
	return c.gathers;
}

/* What lies among each other is one read: else all memory between is copied with each part. */
TEST(rd_addresses_among_each_other_are_read_together)
{
	size_t largest;

	CHECK_INT(reads(100000, true, &largest), 1);
	CHECK_INT(reads(400000, true, &largest), 2);
	CHECK(largest <= 1 << 18);
}

TEST(rd_addresses_in_order_are_read_in_parts)
{
	size_t largest;

	CHECK_INT(reads(100, false, &largest), 1);
	CHECK_INT(reads(200000, false, &largest), 3);
	CHECK(largest < 70000);
}
