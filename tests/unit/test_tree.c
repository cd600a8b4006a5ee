/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/tree.h"
#include "sample.h"
#include "test.h"

/* Resident bytes of the lines that are printed: nodes as far as no node below says them, rows not.
 */
static uint64_t printed(const struct tree *t, const struct ledger *l, int parent)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct node *nd = &t->node[i];

		if (nd->parent != parent)
			continue;
		if (nd->folded)
			sum += nd->sum.resident; /* in a line of its parent's */
		else
			sum += (nd->cat < 0 ? 0 : l->cat[nd->cat].resident) + printed(t, l, i);
	}
	return sum;
}

static unsigned int folded(const struct tree *t)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		n += t->node[i].folded;
		CHECK(!t->node[i].folded || t->node[i].cat != CAT_UNKNOWN);
	}
	return n;
}

/* However few lines there are, no byte is lost; more lines never fold more. */
TEST(tree_keeps_every_byte)
{
	unsigned int last = UINT32_MAX, want;
	struct report r;

	sample_full(&r);
	want = tree_lines_wanted(&r.ledger);
	CHECK(want > 10 && want < 40);
	for (unsigned int lines = 0; lines < 80; lines++) {
		struct tree t;

		REQUIRE(!tree_make(&t, &r.ledger, lines));
		CHECK_INT(printed(&t, &r.ledger, -1), r.ledger.scanned);
		CHECK(folded(&t) <= last);
		last = folded(&t);
		tree_free(&t);
	}
	CHECK_INT(last, 0);
	report_free(&r);
}

TEST(tree_sums_say_what_pss_they_lack)
{
	struct sums all = sums_of(4096, 8192, true, 2048), none = sums_of(0, 4096, false, 0);
	struct sums without = sums_of(4096, 4096, false, 0);

	sums_add(&all, &none); /* nothing resident: nothing is lacking */
	CHECK(all.has_pss && !all.part_pss);
	sums_add(&all, &without);
	CHECK(all.has_pss && all.part_pss);
	CHECK_INT(all.resident, 8192);
	CHECK_INT(all.pss, 2048);
}
