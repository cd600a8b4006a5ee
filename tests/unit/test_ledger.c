/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger against an oracle that keeps one record per byte of a small address space and decides
 * each byte alone, and properties that hold whatever the input.
 */
#include <errno.h>

#include "model/ledger/builder.h"
#include "test.h"

enum { SPACE = 512, PAGE = 16, MAX_CLAIMS = 40, MAX_ROWS = 8, SEEDS = 6000 };

/* ---- random cases that are reproducible from the seed */

struct rng {
	uint64_t s;
};

static uint64_t rnd(struct rng *r, uint64_t below)
{
	uint64_t z = test_random(&r->s);

	return below ? z % below : 0;
}

struct case_ {
	uint64_t seed, base;
	unsigned int nclaims, nrows, npages, nvmas;
	enum category row_cat[MAX_ROWS];
	bool row_unexplained[MAX_ROWS];
	struct claim claim[MAX_CLAIMS];
	struct range page[SPACE / PAGE], vma[SPACE / PAGE];
};

static unsigned int random_ranges(struct rng *r, uint64_t base, struct range *out, bool flags)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < SPACE / PAGE;) {
		unsigned int len = 1 + rnd(r, 5);

		if (p + len > SPACE / PAGE)
			len = SPACE / PAGE - p;
		if (rnd(r, 3))
			out[n++] = (struct range){ base + p * PAGE, base + (p + len) * PAGE,
						   flags ? rnd(r, 8) : 0 };
		p += len;
	}
	return n;
}

static void case_make(struct case_ *c, uint64_t seed)
{
	static const uint64_t bases[] = { 0, 0x400000, 0xc000000000, UINT64_MAX - SPACE - PAGE + 1,
					  UINT64_MAX - SPACE - 2 * PAGE + 1 };
	struct rng r = { seed };

	*c = (struct case_){ .seed = seed, .base = bases[rnd(&r, 5)] };
	c->nrows = 1 + rnd(&r, MAX_ROWS);
	for (unsigned int i = 0; i < c->nrows; i++) {
		c->row_cat[i] = rnd(&r, CAT_COUNT - 1);
		c->row_unexplained[i] = !rnd(&r, 3);
	}
	c->nclaims = rnd(&r, MAX_CLAIMS + 1);
	for (unsigned int i = 0; i < c->nclaims; i++) {
		uint64_t start = rnd(&r, SPACE), len = rnd(&r, rnd(&r, 2) ? 20 : 200);
		struct claim *k = &c->claim[i];

		if (rnd(&r, 3) == 0) {
			start -= start % PAGE;
			len -= len % PAGE;
		}
		if (start + len > SPACE)
			len = SPACE - start;
		k->start = c->base + start;
		k->end = c->base + start + len;
		k->row = rnd(&r, c->nrows);
		k->level = rnd(&r, LEVEL_COUNT);
		k->method = rnd(&r, 4) ? METHOD_MEASURED : rnd(&r, METHOD_COUNT);
		k->splitter = rnd(&r, 4) ? 0 : 1 + rnd(&r, 7);
	}
	c->npages = random_ranges(&r, c->base, c->page, true);
	c->nvmas = random_ranges(&r, c->base, c->vma, false);
}

/* What the split callback gives byte `addr` to, decided by the byte alone so that the oracle can
 * follow: row 0 for every second byte, row 1 (when there is one) for some, the rest is left. */
static int split_of(uint32_t splitter, uint64_t addr, unsigned int nrows)
{
	if (addr % 2 == 0 && splitter & 1)
		return 0;
	if (addr % 3 == 0 && splitter & 2 && nrows > 1)
		return 1;
	return -1;
}

/* LR_*, of the page that holds the byte. */
static uint32_t flags_at(const struct case_ *c, uint64_t addr)
{
	for (size_t i = 0; i < c->npages; i++)
		if (c->page[i].start <= addr && addr < c->page[i].end)
			return c->page[i].flags;
	return 0;
}

static void split(void *ctx, const struct claim *k, uint64_t start, uint64_t end, uint32_t flags,
		  ledger_post_fn *post, void *arg)
{
	const struct case_ *c = ctx;
	uint64_t n[2] = { 0 };

	if (start < k->start || end > k->end || start >= end)
		test_failed(__FILE__, __LINE__, "split outside of its claim");
	for (uint64_t a = start; a < end; a++) {
		int row = split_of(k->splitter, a, c->nrows);

		if (flags != flags_at(c, a))
			test_failed(__FILE__, __LINE__, "split is told flags %u of a byte of %u",
				    flags, flags_at(c, a));
		if (row >= 0)
			n[row]++;
	}
	for (int i = 0; i < 2; i++)
		if (n[i])
			post(arg, i + 1, n[i]); /* row 0 of the ledger is `unknown` */
}

/* A ledger, and what it is made with. */
struct made {
	struct ledger l;
	struct ledger_builder b;
};

static void made_free(struct made *m)
{
	ledger_builder_free(&m->b);
	ledger_free(&m->l);
}

static void case_run(const struct case_ *c, int hide, struct made *m)
{
	struct ledger_input in = { .pages = c->page,
				   .npages = c->npages,
				   .vmas = c->vma,
				   .nvmas = c->nvmas,
				   .page_size = PAGE,
				   .split = split,
				   .split_ctx = (void *)c };
	char name[16];
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m->b, &m->l));
	for (unsigned int i = 0; i < c->nrows; i++) {
		snprintf(name, sizeof(name), "row %u", i);
		REQUIRE(!ledger_row(&m->b, c->row_cat[i], ROW_TYPE, name, &row));
		REQUIRE(row == i + 1);
		m->l.rows.v[row].unexplained = c->row_unexplained[i];
	}
	for (unsigned int i = 0; i < c->nclaims; i++) {
		const struct claim *k = &c->claim[i];

		if ((int)i != hide)
			REQUIRE(!ledger_claim(&m->b, k->level, k->start, k->end, k->row + 1,
					      k->method, k->splitter));
	}
	REQUIRE(!ledger_sweep(&m->b, &in));
}

/* ---- the oracle */

/* The claim that owns the byte, or -1; *twice: claimed more than once at some level, how often. */
static int oracle_claim(const struct case_ *c, uint64_t addr, int hide, int *twice)
{
	int owner = -1;

	*twice = 0;
	for (int lv = LEVEL_COUNT - 1; lv >= 0; lv--) {
		int first = -1, n = 0;

		for (unsigned int i = 0; i < c->nclaims; i++) {
			const struct claim *k = &c->claim[i];

			if ((int)i == hide || k->level != lv || addr < k->start || addr >= k->end)
				continue;
			if (first < 0)
				first = i;
			n++;
		}
		*twice += n > 1;
		if (owner < 0)
			owner = first;
	}
	return owner;
}

static uint32_t range_flags(const struct range *r, unsigned int n, uint64_t addr, bool *in)
{
	*in = false;
	for (unsigned int i = 0; i < n; i++)
		if (addr >= r[i].start && addr < r[i].end) {
			*in = true;
			return r[i].flags;
		}
	return 0;
}

struct oracle {
	struct ledger_cat cat[CAT_COUNT];
	struct ledger_row row[MAX_ROWS + 1];
	uint64_t scanned, conflict, unexplained;
	int owner_row[SPACE]; /* after splitting */
};

static void oracle_make(const struct case_ *c, int hide, struct oracle *o)
{
	*o = (struct oracle){ 0 };
	for (unsigned int i = 0; i < SPACE; i++) {
		uint64_t addr = c->base + i;
		bool in_page, in_vma;
		int twice, k = oracle_claim(c, addr, hide, &twice), row = 0, to;
		uint32_t f = range_flags(c->page, c->npages, addr, &in_page);
		enum category cat;

		range_flags(c->vma, c->nvmas, addr, &in_vma);
		if (k >= 0) {
			to = split_of(c->claim[k].splitter, addr, c->nrows);
			row = 1 + (c->claim[k].splitter && to >= 0 ? to : (int)c->claim[k].row);
		}
		cat = row ? c->row_cat[row - 1] : CAT_UNKNOWN;
		o->owner_row[i] = row;
		o->conflict += twice;
		if (in_vma) {
			o->cat[cat].virtual_++;
			o->row[row].virtual_++;
		}
		if (f & LR_SWAP) {
			o->cat[cat].swap++;
			o->row[row].swap++;
		}
		if (!(f & LR_RESIDENT))
			continue;
		o->scanned++;
		o->cat[cat].resident++;
		o->row[row].resident++;
		o->unexplained += !row || c->row_unexplained[row - 1];
		if (f & LR_HUGE) {
			o->cat[cat].huge++;
			o->row[row].huge++;
		}
		o->cat[cat].estimated += k >= 0 && c->claim[k].method == METHOD_ESTIMATED;
		o->cat[cat].runtime += k >= 0 && c->claim[k].method == METHOD_RUNTIME;
	}
}

static bool same(const struct ledger *l, const struct oracle *o, unsigned int nrows)
{
	bool ok = l->scanned == o->scanned && l->conflict == o->conflict &&
		  l->unexplained == o->unexplained;

	for (int i = 0; i < CAT_COUNT; i++) {
		const struct ledger_cat *a = &l->cat[i], *b = &o->cat[i];

		ok &= a->resident == b->resident && a->virtual_ == b->virtual_ &&
		      a->swap == b->swap && a->huge == b->huge && a->estimated == b->estimated &&
		      a->runtime == b->runtime;
	}
	for (unsigned int i = 0; i <= nrows; i++) {
		const struct ledger_row *a = &l->rows.v[i], *b = &o->row[i];

		ok &= a->resident == b->resident && a->virtual_ == b->virtual_ &&
		      a->swap == b->swap && a->huge == b->huge;
	}
	return ok;
}

static uint64_t sum_resident(const struct ledger *l)
{
	uint64_t sum = 0;

	for (int i = 0; i < CAT_COUNT; i++)
		sum += l->cat[i].resident;
	return sum;
}

#define SEED_FAILED(seed, what)                                                                    \
	do {                                                                                       \
		test_failed(__FILE__, __LINE__, "seed %" PRIu64 ": %s", (uint64_t)(seed), what);   \
		return;                                                                            \
	} while (0)

TEST(ledger_equals_the_oracle)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct made m;
		struct oracle o;
		struct case_ c;

		case_make(&c, seed);
		case_run(&c, -1, &m);
		oracle_make(&c, -1, &o);
		if (!same(&m.l, &o, c.nrows))
			SEED_FAILED(seed, "the ledger differs from the oracle");
		if (sum_resident(&m.l) != m.l.scanned)
			SEED_FAILED(seed, "the sum is not what was scanned");
		made_free(&m);
	}
}

/* split is 0 for pages of one category; with no callback it is exactly the bytes on shared pages.
 */
TEST(ledger_split_counts_shared_pages)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t want[CAT_COUNT] = { 0 };
		struct made m;
		struct oracle o;
		struct case_ c;

		case_make(&c, seed);
		for (unsigned int i = 0; i < c.nclaims; i++)
			c.claim[i].splitter = 0;
		case_run(&c, -1, &m);
		oracle_make(&c, -1, &o);
		for (unsigned int p = 0; p < SPACE; p += PAGE) {
			uint64_t n[CAT_COUNT] = { 0 };
			int cats = 0;
			bool in;

			if (!(range_flags(c.page, c.npages, c.base + p, &in) & LR_RESIDENT))
				continue;
			for (int i = 0; i < PAGE; i++) {
				int row = o.owner_row[p + i];

				n[row ? c.row_cat[row - 1] : CAT_UNKNOWN]++;
			}
			for (int i = 0; i < CAT_COUNT; i++)
				cats += n[i] > 0;
			for (int i = 0; i < CAT_COUNT; i++)
				want[i] += cats > 1 ? n[i] : 0;
		}
		for (int i = 0; i < CAT_COUNT; i++)
			if (m.l.cat[i].split != want[i])
				SEED_FAILED(seed, "split differs from the oracle");
		made_free(&m);
	}
}

TEST(ledger_hiding_a_claim_moves_its_bytes_only)
{
	for (uint64_t seed = 1; seed <= SEEDS / 4; seed++) {
		struct made m;
		struct oracle all, less;
		struct case_ c;
		int hide;

		case_make(&c, seed);
		if (!c.nclaims)
			continue;
		hide = seed % c.nclaims;
		oracle_make(&c, -1, &all);
		oracle_make(&c, hide, &less);
		case_run(&c, hide, &m);
		if (!same(&m.l, &less, c.nrows))
			SEED_FAILED(seed, "the ledger differs from the oracle");
		if (m.l.scanned != all.scanned || sum_resident(&m.l) != all.scanned)
			SEED_FAILED(seed, "the total changed");
		for (unsigned int i = 0; i < SPACE; i++) {
			int twice, k = oracle_claim(&c, c.base + i, -1, &twice);

			if (k != hide && all.owner_row[i] != less.owner_row[i])
				SEED_FAILED(seed, "a byte of another claim moved");
		}
		made_free(&m);
	}
}

TEST(ledger_owner_is_who_was_posted)
{
	for (uint64_t seed = 1; seed <= SEEDS / 4; seed++) {
		struct made m;
		struct case_ c;

		case_make(&c, seed);
		case_run(&c, -1, &m);
		for (unsigned int i = 0; i < SPACE; i++) {
			int twice, k = oracle_claim(&c, c.base + i, -1, &twice);

			if (ledger_owner(&m.b, c.base + i) != (k < 0 ? 0 : c.claim[k].row + 1))
				SEED_FAILED(seed, "ledger_owner differs from the oracle");
		}
		/* and by stretches: each has one owner, and they come to an end */
		for (uint64_t a = c.base, end; a < c.base + SPACE; a = end) {
			uint32_t row = ledger_owner_to(&m.b, a, &end);

			REQUIRE(end > a);
			for (uint64_t i = a; i < end && i < c.base + SPACE; i++)
				if (ledger_owner(&m.b, i) != row)
					SEED_FAILED(seed, "a stretch has two owners");
		}
		made_free(&m);
	}
}

/* ---- by hand */

static uint64_t sweep_one(struct made *m, struct range r)
{
	struct ledger_input in = { .pages = &r, .npages = 1, .page_size = 4096 };

	CHECK_INT(ledger_sweep(&m->b, &in), 0);
	return m->l.scanned;
}

TEST(ledger_levels_and_conflicts_by_hand)
{
	uint32_t vma, arena, span;
	struct made m;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_NATIVE_MMAP, ROW_ORIGIN, "mmap", &vma));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP, ROW_TYPE, "arena", &arena));
	REQUIRE(!ledger_row(&m.b, CAT_GO_STACKS, ROW_TYPE, "stacks", &span));
	m.l.rows.v[vma].unexplained = true;
	REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, 0x10000, 0x20000, vma, METHOD_MEASURED, 0));
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x12000, 0x14000, span, METHOD_MEASURED, 0));
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x13000, 0x15000, arena, METHOD_MEASURED, 0));
	REQUIRE(!ledger_claim(&m.b, LEVEL_REGION, 0x12000, 0x18000, arena, METHOD_RUNTIME, 0));
	CHECK_INT(sweep_one(&m, (struct range){ 0x10000, 0x21000, LR_RESIDENT }), 0x11000);
	CHECK_INT(m.l.cat[CAT_GO_STACKS].resident, 0x2000); /* first come */
	CHECK_INT(m.l.cat[CAT_GO_HEAP].resident, 0x4000);
	CHECK_INT(m.l.cat[CAT_GO_HEAP].runtime, 0x3000);
	CHECK_INT(m.l.cat[CAT_NATIVE_MMAP].resident, 0xa000);
	CHECK_INT(m.l.cat[CAT_UNKNOWN].resident, 0x1000);
	CHECK_INT(m.l.conflict, 0x1000);
	CHECK_INT(m.l.unexplained, 0xb000);
	CHECK_INT(ledger_cat_method(&m.l.cat[CAT_GO_HEAP]), METHOD_RUNTIME);
	CHECK_INT(ledger_cat_method(&m.l.cat[CAT_GO_STACKS]), METHOD_MEASURED);
	CHECK_INT(ledger_owner(&m.b, 0x12fff), span);
	CHECK_INT(ledger_owner(&m.b, 0x20fff), m.b.unknown_row);
	made_free(&m);
}

TEST(ledger_three_claims_on_a_byte_conflict_once)
{
	struct made m;
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_LIBS, ROW_FILE, "x", &row));
	for (int i = 0; i < 3; i++)
		REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, 0x1000, 0x2000, row, METHOD_MEASURED, 0));
	sweep_one(&m, (struct range){ 0x1000, 0x2000, LR_RESIDENT });
	CHECK_INT(m.l.conflict, 0x1000);
	CHECK_INT(m.l.cat[CAT_LIBS].resident, 0x1000);
	made_free(&m);
}

/* Posts more than there is, to rows that do not exist: the sum must hold all the same. */
static void split_greedy(void *ctx, const struct claim *k, uint64_t start, uint64_t end,
			 uint32_t flags, ledger_post_fn *post, void *arg)
{
	post(arg, 12345, 10);
	post(arg, k->row, UINT64_MAX);
	post(arg, k->row, UINT64_MAX);
}

TEST(ledger_greedy_split_is_bounded)
{
	struct range r = { 0x1000, 0x3000, LR_RESIDENT };
	struct ledger_input in = {
		.pages = &r, .npages = 1, .page_size = 4096, .split = split_greedy
	};
	struct made m;
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP_LIVE, ROW_TYPE, "live", &row));
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x1800, 0x2800, row, METHOD_MEASURED, 7));
	CHECK_INT(ledger_sweep(&m.b, &in), 0);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_LIVE].resident, 0x1000);
	CHECK_INT(m.l.cat[CAT_UNKNOWN].resident, 0x1000);
	CHECK_INT(m.l.cat[CAT_UNKNOWN].split, 0x1000);
	made_free(&m);
}

/* Gives the first half of what it is asked about to the row that ctx points to. */
static void split_half(void *ctx, const struct claim *k, uint64_t start, uint64_t end,
		       uint32_t flags, ledger_post_fn *post, void *arg)
{
	post(arg, *(uint32_t *)ctx, (end - start) / 2);
}

/* A claim that is divided among categories is split, and so is who shares a page with it. */
TEST(ledger_divided_claims_are_split)
{
	struct range r = { 0x1000, 0x5000, LR_RESIDENT };
	struct ledger_input in = {
		.pages = &r, .npages = 1, .page_size = 4096, .split = split_half
	};
	uint32_t live, unused, stacks;
	struct made m;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP_LIVE, ROW_TYPE, "live", &live));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP_UNUSED, ROW_TYPE, "unused", &unused));
	REQUIRE(!ledger_row(&m.b, CAT_GO_STACKS, ROW_TYPE, "stacks", &stacks));
	in.split_ctx = &unused;
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x1800, 0x2800, live, METHOD_MEASURED, 1));
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x2800, 0x4000, stacks, METHOD_MEASURED, 0));
	CHECK_INT(ledger_sweep(&m.b, &in), 0);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_LIVE].resident, 0x800);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_UNUSED].resident, 0x800);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_LIVE].split, 0x800);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_UNUSED].split, 0x800);
	CHECK_INT(m.l.cat[CAT_GO_STACKS].split, 0x800); /* of 0x1800: the page at 0x2000 */
	CHECK_INT(m.l.cat[CAT_UNKNOWN].split, 0x800);	/* of 0x1800: the page at 0x1000 */
	made_free(&m);

	/* all to its own category: not split */
	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP_LIVE, ROW_TYPE, "live", &live));
	in.split_ctx = &live;
	REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, 0x1000, 0x5000, live, METHOD_MEASURED, 1));
	CHECK_INT(ledger_sweep(&m.b, &in), 0);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_LIVE].split, 0);
	CHECK_INT(m.l.cat[CAT_GO_HEAP_LIVE].resident, 0x4000);
	made_free(&m);
}

TEST(ledger_degenerate_inputs)
{
	struct range bad[] = { { 0x3000, 0x4000, LR_RESIDENT }, { 0x1000, 0x2000, LR_RESIDENT } };
	struct range none[] = { { 0x4000, 0x4000, LR_RESIDENT },
				{ 0x3000, 0x1000, LR_RESIDENT },
				{ 0x1000, 0x2000, 0 } };
	struct ledger_input in = { .page_size = 4096 };
	struct made m;
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	CHECK_INT(ledger_sweep(&m.b, &in), 0); /* nothing at all */
	CHECK_INT(m.l.scanned, 0);
	CHECK_INT(ledger_owner(&m.b, 0), m.b.unknown_row);
	made_free(&m);

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_SHM, ROW_FILE, "x", &row));
	CHECK_INT(ledger_claim(&m.b, LEVEL_VMA, 5, 5, row, METHOD_MEASURED, 0), 0);
	CHECK_INT(ledger_claim(&m.b, LEVEL_VMA, 6, 5, row, METHOD_MEASURED, 0), 0);
	CHECK_INT(m.b.claims[LEVEL_VMA].n, 0);
	CHECK_INT(ledger_claim(&m.b, LEVEL_VMA, 5, 6, 77, METHOD_MEASURED, 0), -EINVAL);
	CHECK_INT(ledger_claim(&m.b, LEVEL_COUNT, 5, 6, row, METHOD_MEASURED, 0), -EINVAL);
	CHECK_INT(ledger_claim(&m.b, LEVEL_VMA, 0, UINT64_MAX, row, METHOD_MEASURED, 0), 0);
	in.pages = none;
	in.npages = 3;
	CHECK_INT(ledger_sweep(&m.b, &in), 0);
	CHECK_INT(m.l.scanned, 0);
	in.pages = bad;
	in.npages = 2;
	CHECK_INT(ledger_sweep(&m.b, &in), -EINVAL);
	in.page_size = 0;
	CHECK_INT(ledger_sweep(&m.b, &in), -EINVAL);
	in.page_size = 3000;
	CHECK_INT(ledger_sweep(&m.b, &in), -EINVAL);
	made_free(&m);

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_SHM, ROW_FILE, "x", &row));
	REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, UINT64_MAX - 0xfff, UINT64_MAX, row, METHOD_MEASURED,
			      0));
	sweep_one(&m, (struct range){ UINT64_MAX - 0x1fff, UINT64_MAX, LR_RESIDENT });
	CHECK_INT(m.l.cat[CAT_SHM].resident, 0xfff);
	CHECK_INT(m.l.cat[CAT_UNKNOWN].resident, 0x1000);
	made_free(&m);
}

TEST(ledger_rows_are_found_again_and_ordered)
{
	struct range r = { 0x1000, 0x9000, LR_RESIDENT };
	struct ledger_input in = { .pages = &r, .npages = 1, .page_size = 4096 };
	uint32_t first[500], again, idx[501];
	struct made m;
	char name[32];

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "file %d", i % 250);
		REQUIRE(!ledger_row(&m.b, i < 250 ? CAT_LIBS : CAT_FILES, ROW_FILE, name,
				    &first[i]));
	}
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "file %d", i % 250);
		REQUIRE(!ledger_row(&m.b, i < 250 ? CAT_LIBS : CAT_FILES, ROW_FILE, name, &again));
		CHECK_INT(again, first[i]);
	}
	CHECK_INT(m.l.rows.n, 501);
	REQUIRE(!ledger_row(&m.b, CAT_FILES, ROW_ORIGIN, "file 0", &again));
	CHECK_INT(again, 501); /* another kind, another row */
	REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, 0x1000, 0x2000, first[7], METHOD_MEASURED, 0));
	REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, 0x2000, 0x4000, first[9], METHOD_MEASURED, 0));
	REQUIRE(!ledger_sweep(&m.b, &in));
	m.l.rows.n = 501;
	ledger_order(&m.l, idx);
	CHECK_INT(idx[0], first[9]);
	CHECK_INT(idx[1], first[7]);
	CHECK_INT(idx[2], first[0]);
	CHECK_INT(idx[500], m.b.unknown_row);
	m.l.rows.n = 502;
	made_free(&m);
}

/* Half a million claims in an order that is bad for quicksorts: done in moments, and the pieces
 * stay as many as the claims. */
TEST(ledger_many_claims)
{
	enum { N = 500000 };
	struct range r = { 0, (uint64_t)N * 8192, LR_RESIDENT };
	struct ledger_input in = { .pages = &r, .npages = 1, .page_size = 4096 };
	struct rng g = { 42 };
	struct made m;
	uint32_t row[2];

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_GO_HEAP, ROW_TYPE, "a", &row[0]));
	REQUIRE(!ledger_row(&m.b, CAT_GO_GC, ROW_TYPE, "b", &row[1]));
	for (uint64_t i = 0; i < N; i++) {
		uint64_t at = i % 2 ? i : N - 2 - i; /* organ pipes */

		REQUIRE(!ledger_claim(&m.b, LEVEL_PAGES, at * 8192, (at + 1) * 8192, row[at % 2],
				      METHOD_MEASURED, 0));
	}
	for (int i = 0; i < 1000; i++) { /* overlapping each other */
		uint64_t at = rnd(&g, N - 2000) * 8192;

		REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, at, at + rnd(&g, 2000) * 8192, row[0],
				      METHOD_MEASURED, 0));
	}
	CHECK_INT(ledger_sweep(&m.b, &in), 0);
	CHECK_INT(m.l.cat[CAT_GO_HEAP].resident, (uint64_t)N / 2 * 8192);
	CHECK_INT(m.l.cat[CAT_GO_GC].resident, (uint64_t)N / 2 * 8192);
	CHECK_INT(m.l.cat[CAT_UNKNOWN].resident, 0);
	CHECK_INT(m.l.conflict > 0, 1);
	CHECK(m.b.claims[LEVEL_PAGES].n == N);
	CHECK(m.b.claims[LEVEL_VMA].n < 2000);
	made_free(&m);
}

/* The ledger is a value: nothing of it is in the builder. */
TEST(ledger_outlives_its_builder)
{
	struct ledger l;
	struct made m;
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	REQUIRE(!ledger_row(&m.b, CAT_LIBS, ROW_FILE, "x", &row));
	REQUIRE(!ledger_claim(&m.b, LEVEL_VMA, 0x1000, 0x2000, row, METHOD_MEASURED, 0));
	sweep_one(&m, (struct range){ 0x1000, 0x2000, LR_RESIDENT });
	l = m.l;
	ledger_builder_free(&m.b);
	CHECK_INT(m.b.claims[LEVEL_VMA].n, 0);
	REQUIRE(!ledger_add_row(&l, CAT_LIBS, &l.rows.v[1].id,
				&row)); /* not the one that is there */
	CHECK_INT(row, 2);
	CHECK_INT(l.rows.v[1].resident, 0x1000);
	CHECK_STR(l.rows.v[1].name, l.rows.v[2].name);
	ledger_free(&l);
}

/* Names are made from ids, and no two ids that differ are one row. */
TEST(ledger_rows_by_identity)
{
	static const struct {
		struct row_id id;
		const char *name, *of_all;
	} c[] = {
		{ { .kind = ROW_FILE, .label = "/usr/lib/x.so" },
		  "/usr/lib/x.so",
		  "/usr/lib/x.so" },
		{ { .kind = ROW_FILE, .label = "" }, "", "" },
		{ { .kind = ROW_TYPE, .label = "mspan" }, "mspan", "mspan" },
		{ { .kind = ROW_ORIGIN, .label = "main.load" }, "main.load", "main.load" },
		/* names that look like those of others */
		{ { .kind = ROW_ORIGIN, .label = "anonymous 7000-8000" },
		  "anonymous 7000-8000",
		  "anonymous 7000-8000" },
		{ { .kind = ROW_ORIGIN, .start = 0x7000, .end = 0x8000 },
		  "anonymous 7000-8000",
		  "anonymous, each of 1 MiB or more" },
		{ { .kind = ROW_THREAD, .label = "main thread" }, "main thread", "main thread" },
		{ { .kind = ROW_THREAD, .label = "worker", .tid = 12 },
		  "thread 12 worker",
		  "threads worker" },
		{ { .kind = ROW_THREAD, .label = "worker", .tid = 13 },
		  "thread 13 worker",
		  "threads worker" },
		{ { .kind = ROW_THREAD, .label = "", .tid = 13 }, "thread 13", "threads" },
		{ { .kind = ROW_THREAD, .label = "13 worker" }, "13 worker", "13 worker" },
		{ { .kind = ROW_ARENA, .label = "main arena (brk)" },
		  "main arena (brk)",
		  "main arena (brk)" },
		{ { .kind = ROW_ARENA, .start = 0x7f0000000000 },
		  "thread arena 7f0000000000",
		  "thread arenas" },
	};
	enum { N = sizeof(c) / sizeof(*c) };
	struct made m;
	uint32_t row;

	REQUIRE(!ledger_builder_init(&m.b, &m.l));
	for (int again = 0; again < 2; again++)
		for (uint32_t i = 0; i < N; i++) {
			REQUIRE(!ledger_row_of(&m.b, CAT_NATIVE, &c[i].id, &row));
			CHECK_INT(row, i + 1);
		}
	for (int i = 0; i < N; i++) {
		const struct ledger_row *r = &m.l.rows.v[i + 1];
		struct text t = { 0 };

		CHECK_STR(r->name, c[i].name);
		CHECK(!row_compare(&r->id, &c[i].id));
		CHECK(!r->id.label == !c[i].id.label);
		REQUIRE(!row_name_of_all(&r->id, &t));
		CHECK_STR(t.p, c[i].of_all);
		text_free(&t);
	}
	made_free(&m);
}

TEST(ledger_rows_of_several_images)
{
	struct ledger_builder b;
	struct ledger l;
	uint32_t a, c, again;

	REQUIRE(!ledger_builder_init(&b, &l));
	b.image = "/opt/a.so";
	REQUIRE(!ledger_row(&b, CAT_GO_STACKS, ROW_TYPE, "stacks", &a));
	b.image = "/opt/b.so";
	REQUIRE(!ledger_row(&b, CAT_GO_STACKS, ROW_TYPE, "stacks", &c));
	b.image = "/opt/a.so";
	REQUIRE(!ledger_row(&b, CAT_GO_STACKS, ROW_TYPE, "stacks", &again));
	CHECK(a != c && again == a);
	CHECK_STR(l.rows.v[c].id.image, "/opt/b.so");
	b.image = NULL;
	REQUIRE(!ledger_row(&b, CAT_GO_STACKS, ROW_TYPE, "stacks", &again));
	CHECK(again != a && again != c && !l.rows.v[again].id.image);
	ledger_builder_free(&b);
	ledger_free(&l);
}

TEST(ledger_moves_what_is_there_within_a_category)
{
	struct ledger_builder b;
	struct ledger l;
	uint32_t from, to, other;

	REQUIRE(!ledger_builder_init(&b, &l));
	REQUIRE(!ledger_row(&b, CAT_GO_HEAP_RELEASED, ROW_TYPE, "a", &from));
	REQUIRE(!ledger_row(&b, CAT_GO_HEAP_RELEASED, ROW_TYPE, "b", &to));
	REQUIRE(!ledger_row(&b, CAT_GO_HEAP_FREE, ROW_TYPE, "c", &other));
	l.rows.v[from].resident = 100;
	l.rows.v[from].huge = 40;
	l.rows.v[from].virtual_ = 300;
	CHECK_INT(ledger_move(&l, from, to, 30, 10), 30);
	CHECK_INT(l.rows.v[to].resident, 30);
	CHECK_INT(l.rows.v[to].huge, 10);
	CHECK_INT(l.rows.v[to].virtual_, 30);
	CHECK_INT(l.rows.v[from].resident, 70);
	CHECK_INT(l.rows.v[from].huge, 30);
	CHECK_INT(l.rows.v[from].virtual_, 270);
	CHECK_INT(ledger_move(&l, from, other, 30, 10), 0);
	CHECK_INT(ledger_move(&l, from, from, 30, 10), 0);
	CHECK_INT(l.rows.v[from].resident, 70);
	CHECK_INT(ledger_move(&l, from, to, 1000, 1000), 70);
	CHECK_INT(l.rows.v[to].resident, 100);
	CHECK_INT(l.rows.v[to].huge, 40);
	CHECK_INT(l.rows.v[from].resident + l.rows.v[from].huge, 0);
	CHECK_INT(l.rows.v[from].virtual_, 200);
	ledger_free(&l);
	ledger_builder_free(&b);
}
