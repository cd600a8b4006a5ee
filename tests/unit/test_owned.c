/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of some categories by address, against the sums of the ledger that they come from. */
#include "collect/owned.h"
#include "test.h"

struct made {
	struct ledger l;
	struct ledger_builder b;
	struct collect_swept s;
	range_vec out;
};

static void claim(struct made *m, enum claim_level level, enum category cat, uint64_t start,
		  uint64_t end)
{
	uint32_t row;

	REQUIRE(!ledger_row(&m->b, cat, ROW_FILE, "x", &row));
	REQUIRE(!ledger_claim(&m->b, level, start, end, row, METHOD_MEASURED, 0));
}

static void sweep(struct made *m)
{
	struct ledger_input in = { .page_size = 4096,
				   .pages = m->s.pages.v,
				   .npages = m->s.pages.n,
				   .vmas = m->s.vmas.v,
				   .nvmas = m->s.vmas.n };

	REQUIRE(!ledger_sweep(&m->b, &in));
	REQUIRE(!owned_ranges(&m->b, &m->s, CAT_BINARY_TEXT, CAT_BINARY_BSS, &m->out));
}

static void check_sums(const struct made *m)
{
	uint64_t resident[CAT_COUNT] = { 0 }, size[CAT_COUNT] = { 0 }, last = 0;

	for (size_t i = 0; i < m->out.n; i++) {
		const struct range *r = &m->out.v[i];

		CHECK(r->start >= last && r->end > r->start);
		last = r->end;
		resident[r->flags & OWNED_CATEGORY] +=
			r->flags & OWNED_RESIDENT ? r->end - r->start : 0;
		size[r->flags & OWNED_CATEGORY] += r->flags & OWNED_MAPPED ? r->end - r->start : 0;
	}
	for (int c = 0; c < CAT_COUNT; c++) {
		bool ours = c >= CAT_BINARY_TEXT && c <= CAT_BINARY_BSS;

		CHECK_INT(resident[c], ours ? m->l.cat[c].resident : 0);
		CHECK_INT(size[c], ours ? m->l.cat[c].virtual_ : 0);
	}
}

static void made_free(struct made *m)
{
	vec_free(&m->out);
	collect_swept_free(&m->s);
	ledger_builder_free(&m->b);
	ledger_free(&m->l);
}

/* Text of which a probe copied a page; data whose last page bss shares; pages that are absent, and
 * a page without a mapping. */
TEST(owned_bytes_of_an_executable)
{
	struct made m = { 0 };

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	claim(&m, LEVEL_VMA, CAT_BINARY_TEXT, 0x400000, 0x410000);
	claim(&m, LEVEL_VMA, CAT_BINARY_DATA, 0x410000, 0x412000);
	claim(&m, LEVEL_VMA, CAT_NATIVE_MMAP, 0x412000, 0x420000);
	claim(&m, LEVEL_OBJECT, CAT_BINARY_BSS, 0x411123, 0x415000);
	claim(&m, LEVEL_OVER, CAT_OBSERVER, 0x403000, 0x404000);
	REQUIRE(!range_append(&m.s.pages, 0x400000, 0x406000, LR_RESIDENT));
	REQUIRE(!range_append(&m.s.pages, 0x407000, 0x408000, LR_SWAP));
	REQUIRE(!range_append(&m.s.pages, 0x411000, 0x413000, LR_RESIDENT));
	REQUIRE(!range_append(&m.s.pages, 0x414000, 0x418000, LR_RESIDENT | LR_HUGE));
	REQUIRE(!range_append(&m.s.vmas, 0x400000, 0x414000, 1));
	sweep(&m);
	check_sums(&m);
	CHECK_INT(m.l.cat[CAT_BINARY_TEXT].resident, 0x5000);
	CHECK_INT(m.l.cat[CAT_BINARY_BSS].resident, 0x1000 + 0x2000 - 0x123);
	made_free(&m);
}

TEST(owned_bytes_of_claims_at_random)
{
	uint64_t seed = 7;

	for (int round = 0; round < 50; round++) {
		struct made m = { 0 };
		uint64_t at = 0;

		REQUIRE(!ledger_builder_init(&m.b, &m.l));
		for (int i = 0; i < 60; i++) {
			uint64_t start = test_random(&seed) % 0x100000;

			/* no level of theirs is split among rows */
			claim(&m, test_random(&seed) % LEVEL_COUNT, test_random(&seed) % CAT_COUNT,
			      start, start + test_random(&seed) % 0x8000);
		}
		for (int i = 0; i < 60; i++) {
			at += test_random(&seed) % 4 * 4096;
			REQUIRE(!range_append(&m.s.pages, at, at + 4096,
					      test_random(&seed) % 2 ? LR_RESIDENT : LR_SWAP));
			at += 4096;
		}
		REQUIRE(!range_append(&m.s.vmas, 0, 0x40000, 1));
		REQUIRE(!range_append(&m.s.vmas, 0x50000, 0x90000, 1));
		sweep(&m);
		check_sums(&m);
		made_free(&m);
	}
}
