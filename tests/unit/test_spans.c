/* SPDX-License-Identifier: BSD-2-Clause */
/* The span table of a made-up target, read once and again. */
#include <errno.h>

#include "test.h"

#include "goruntime/goruntime.h"
#include "source/memsrc_impl.h"

enum {
	MHEAP = 1 << 24,
	MHEAP_SIZE = 1 << 20,
	TABLE = 1 << 26,
	SLAB = 1 << 27,
	MOST = 4000,
	MSPAN_MAX = 256,
};
#define HEAP 0xc000000000ULL

struct target {
	struct memsrc m;
	const struct go_layout *l;
	size_t n;
	uint64_t at; /* where the next span may begin */
	uint64_t reads, bytes;
	uint64_t table[MOST];
	uint8_t mheap[MHEAP_SIZE];
	uint8_t slab[MOST * MSPAN_MAX];
};

static void copy(uint8_t *to, uint64_t addr, size_t len, uint64_t base, const void *from, size_t n)
{
	uint64_t a = addr > base ? addr : base, z = addr + len < base + n ? addr + len : base + n;

	if (a < z)
		memcpy(to + (a - addr), (const uint8_t *)from + (a - base), z - a);
}

static int target_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		       void *buf, size_t len, range_vec *holes)
{
	struct target *t = (struct target *)m;

	memset(buf, 0, len);
	copy(buf, addr, len, MHEAP, t->mheap, sizeof(t->mheap));
	copy(buf, addr, len, TABLE, t->table, sizeof(t->table));
	copy(buf, addr, len, SLAB, t->slab, sizeof(t->slab));
	t->reads++;
	t->bytes += len;
	return 0;
}

static const struct memsrc_ops ops = { .read = target_read };

static void put(struct target *t, size_t i, enum go_field f, uint64_t v, size_t n)
{
	memcpy(t->slab + i * t->l->f[GO_SIZE_MSPAN] + t->l->f[f], &v, n);
}

static uint64_t get(const struct target *t, size_t i, enum go_field f, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, t->slab + i * t->l->f[GO_SIZE_MSPAN] + t->l->f[f], n);
	return v;
}

/* State 0 dead, 1 objects, 2 manual; addresses of spans never repeat. */
static void set_span(struct target *t, size_t i, unsigned int state, uint64_t pages, uint64_t elem)
{
	put(t, i, GO_MSPAN_STATE, state, 1);
	put(t, i, GO_MSPAN_STARTADDR, t->at, 8);
	put(t, i, GO_MSPAN_NPAGES, pages, 8);
	put(t, i, GO_MSPAN_ELEMSIZE, elem, 8);
	put(t, i, GO_MSPAN_NELEMS, elem ? pages * GO_PAGE_SIZE / elem : 0, 2);
	put(t, i, GO_MSPAN_ALLOCCOUNT, 1, 2);
	put(t, i, GO_MSPAN_FREEINDEX, 1, 2);
	t->at += (pages + i % 3) * GO_PAGE_SIZE;
}

static void set_random(struct target *t, size_t i, uint64_t *r)
{
	static const uint64_t elem[] = { 16, 1024, 8192 };
	unsigned int state = test_random(r) % 8;

	set_span(t, i, state > 2 ? 1 : state, 1 + test_random(r) % 5,
		 state == 2 && test_random(r) % 2 ? 0 : elem[test_random(r) % 3]);
	/* some of them large objects, with pointers and without, one of them in the making */
	put(t, i, GO_MSPAN_SPANCLASS, test_random(r) % 3, 1);
	put(t, i, GO_MSPAN_LARGETYPE, test_random(r) % 5 * 0x1000, 8);
}

static struct target *target_new(size_t n, uint64_t seed)
{
	struct target *t = calloc(1, sizeof(*t));
	uint64_t slice[3] = { TABLE, n, MOST }, r = seed;
	size_t *order = calloc(n, sizeof(*order));

	REQUIRE(t && order);
	*t = (struct target){ .m = { .ops = &ops, .page_size = 4096 },
			      .l = go_layout_find("go1.26.8", "amd64"),
			      .n = n,
			      .at = HEAP };
	REQUIRE(t->l && t->l->f[GO_SIZE_MSPAN] <= MSPAN_MAX);
	REQUIRE(t->l->f[GO_SIZE_MHEAP] <= MHEAP_SIZE);
	memcpy(t->mheap + t->l->f[GO_MHEAP_ALLSPANS], slice, sizeof(slice));
	for (size_t i = 0; i < MOST; i++)
		t->table[i] = SLAB + i * t->l->f[GO_SIZE_MSPAN];
	/* the table's order is not that of addresses */
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t j = test_random(&r) % i, x = order[i - 1];

		order[i - 1] = order[j];
		order[j] = x;
	}
	for (size_t i = 0; i < n; i++)
		set_random(t, order[i], &r);
	free(order);
	return t;
}

/* The type of mspan i's large object; 0: it has none. */
static uint64_t large_type(const struct target *t, size_t i)
{
	return get(t, i, GO_MSPAN_STATE, 1) == 1 && !get(t, i, GO_MSPAN_SPANCLASS, 1)
		       ? get(t, i, GO_MSPAN_LARGETYPE, 8)
		       : 0;
}

static struct go_runtime runtime_of(struct target *t)
{
	return (struct go_runtime){ .m = &t->m, .l = t->l, .g = { .mheap = MHEAP } };
}

static void target_free(struct target *t)
{
	vec_free(&t->m.holes);
	free(t);
}

/* Each living mspan is there, in order of address, with its figures. */
static void check_all(const struct target *t, const struct go_heap *h)
{
	size_t alive = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct go_span *s;

		if (!get(t, i, GO_MSPAN_STATE, 1))
			continue;
		alive++;
		s = go_heap_span(h, get(t, i, GO_MSPAN_STARTADDR, 8));
		REQUIRE(s);
		CHECK_INT(s->start, get(t, i, GO_MSPAN_STARTADDR, 8));
		CHECK_INT(s->npages, get(t, i, GO_MSPAN_NPAGES, 8));
		CHECK_INT(s->elemsize, get(t, i, GO_MSPAN_ELEMSIZE, 8));
		CHECK_INT(s->kind, get(t, i, GO_MSPAN_STATE, 1) == 1 ? GO_SPAN_OBJECTS
				   : s->elemsize		     ? GO_SPAN_STACK
								     : GO_SPAN_MANUAL);
		CHECK_INT(go_heap_large_type(h, s->start), large_type(t, i));
	}
	CHECK_INT(h->spans.n, alive);
	CHECK_INT(h->bad, 0);
	for (size_t i = 1; i < h->spans.n; i++)
		if (h->spans.v[i - 1].start >= h->spans.v[i].start)
			test_failed(__FILE__, __LINE__, "span %zu is out of order", i);
}

TEST(spans_sorted_by_address)
{
	static const size_t counts[] = { 0, 1, 2, 3, 700, MOST };

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct target *t = target_new(counts[seed - 1], seed);
		struct go_runtime rt = runtime_of(t);
		struct go_heap h;

		REQUIRE(!go_heap_read(&rt, PASS_SPANS, &h, NULL));
		CHECK_INT(h.nspans, t->n);
		check_all(t, &h);
		go_heap_free(&h);
		target_free(t);
	}
}

/* A second reading says what a reading from scratch says. */
static void check_again(struct target *t, const struct go_heap *first)
{
	struct go_runtime rt = runtime_of(t);
	struct go_heap again, full;

	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &full, NULL));
	REQUIRE(!go_heap_again(&rt, first, &again, NULL));
	CHECK(!again.same);
	CHECK_INT(again.spans.n, full.spans.n);
	for (size_t i = 0; i < again.spans.n && i < full.spans.n; i++)
		if (again.spans.v[i].start != full.spans.v[i].start ||
		    again.spans.v[i].npages != full.spans.v[i].npages ||
		    again.spans.v[i].kind != full.spans.v[i].kind)
			test_failed(__FILE__, __LINE__, "span %zu is another", i);
	CHECK_INT(again.sums.objects, full.sums.objects);
	CHECK_INT(again.sums.stacks, full.sums.stacks);
	CHECK_INT(again.sums.manual, full.sums.manual);
	CHECK_INT(again.sums.used, full.sums.used);
	go_heap_free(&again);
	go_heap_free(&full);
}

TEST(spans_again_where_some_moved)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct target *t = target_new(1000, seed);
		struct go_runtime rt = runtime_of(t);
		uint64_t r = seed * 77, n;
		struct go_heap first;

		REQUIRE(!go_heap_read(&rt, PASS_SPANS, &first, NULL));
		for (int i = 0; i < (seed == 1 ? 1 : 60); i++)
			set_random(t, test_random(&r) % t->n, &r);
		set_span(t, 3, 1, 2, 16);
		if (seed % 2) { /* the table grew */
			for (n = t->n; n < 1100; n++)
				set_random(t, n, &r);
			t->n = n;
			memcpy(t->mheap + t->l->f[GO_MHEAP_ALLSPANS] + 8, &n, 8);
		}
		check_again(t, &first);
		go_heap_free(&first);
		target_free(t);
	}
}

TEST(spans_again_where_none_moved)
{
	struct target *t = target_new(1000, 5);
	struct go_runtime rt = runtime_of(t);
	struct go_heap first, again, full;

	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &first, NULL));
	REQUIRE(!go_heap_again(&rt, &first, &again, NULL));
	CHECK(again.same);
	CHECK_INT(again.spans.n, 0);
	CHECK_INT(again.sums.used, first.sums.used);
	CHECK_INT(again.sums.objects, first.sums.objects);
	go_heap_free(&again);

	/* allocation inside spans moves nothing, but is seen */
	for (size_t i = 0; i < t->n; i += 7)
		if (get(t, i, GO_MSPAN_STATE, 1) == 1 && get(t, i, GO_MSPAN_NELEMS, 2) > 2)
			put(t, i, GO_MSPAN_ALLOCCOUNT, 2, 2);
	REQUIRE(!go_heap_again(&rt, &first, &again, NULL));
	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &full, NULL));
	CHECK(again.same);
	CHECK(again.sums.used > first.sums.used);
	CHECK_INT(again.sums.used, full.sums.used);
	go_heap_free(&again);
	go_heap_free(&full);
	go_heap_free(&first);
	target_free(t);
}

/* Torn entries lose their span, not the table. */
TEST(spans_torn)
{
	struct target *t = target_new(100, 9);
	struct go_runtime rt = runtime_of(t);
	struct go_heap h, again;

	set_span(t, 10, 1, 1, 1024);
	put(t, 10, GO_MSPAN_STARTADDR, 1ULL << 60, 8);
	set_span(t, 11, 1, 0, 1024);
	set_span(t, 12, 9, 1, 1024);
	set_span(t, 13, 1, 4, 1024);
	set_span(t, 14, 1, 1, 1024); /* inside the one before */
	put(t, 14, GO_MSPAN_STARTADDR, get(t, 13, GO_MSPAN_STARTADDR, 8) + GO_PAGE_SIZE, 8);
	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &h, NULL));
	CHECK_INT(h.bad, 4);
	CHECK(go_heap_span(&h, get(t, 13, GO_MSPAN_STARTADDR, 8)));
	CHECK(!go_heap_span(&h, 1ULL << 60));
	for (size_t i = 1; i < h.spans.n; i++)
		CHECK(h.spans.v[i - 1].start + h.spans.v[i - 1].npages * (uint64_t)GO_PAGE_SIZE <=
		      h.spans.v[i].start);
	REQUIRE(!go_heap_again(&rt, &h, &again, NULL));
	CHECK_INT(again.spans.n, h.spans.n);
	go_heap_free(&again);
	go_heap_free(&h);
	target_free(t);
}

/* What a look costs at a heap of 4 GiB rests on this: a table in order is read in large pieces. */
TEST(spans_read_in_runs)
{
	struct target *t = target_new(MOST, 4);
	struct go_runtime rt = runtime_of(t);
	struct go_heap h;

	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &h, NULL));
	CHECK(t->reads < 40);
	CHECK(t->bytes < (uint64_t)MOST * (t->l->f[GO_SIZE_MSPAN] + 8) + 4096);
	/* README: memory by spans */
	CHECK_INT(sizeof(struct go_span) + sizeof(struct go_span_key), 64);
	go_heap_free(&h);
	target_free(t);
}

/* Memory follows the table, not the length that the target states. */
TEST(spans_of_a_table_that_is_not_there)
{
	struct target *t = target_new(MOST, 5);
	struct go_runtime rt = runtime_of(t);
	uint64_t len = 1 << 26;
	struct go_heap h;

	memcpy(t->mheap + t->l->f[GO_MHEAP_ALLSPANS] + 8, &len, 8);
	memcpy(t->mheap + t->l->f[GO_MHEAP_ALLSPANS] + 16, &len, 8);
	REQUIRE(!go_heap_read(&rt, PASS_SPANS, &h, NULL));
	CHECK(h.spans.n > MOST / 2 && h.spans.n <= MOST);
	CHECK(h.keys.n < 1 << 17);
	CHECK(t->bytes < 4 << 20);
	go_heap_free(&h);
	target_free(t);
}

/* A size times a number that comes to little only because 64 bits are all there is. */
TEST(spans_of_an_impossible_size)
{
	static const struct {
		uint64_t size, n;
	} bad[] = { { 1ULL << 63, 2 }, { UINT64_MAX / 3 + 1, 3 }, { 8193, 1 }, { 0, 4 } };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct target *t = target_new(1, 1);
		struct go_runtime rt = runtime_of(t);
		struct go_heap h;

		set_span(t, 0, 1, 1, 1024);
		put(t, 0, GO_MSPAN_ELEMSIZE, bad[i].size, 8);
		put(t, 0, GO_MSPAN_NELEMS, bad[i].n, 2);
		REQUIRE(!go_heap_read(&rt, PASS_SPANS, &h, NULL));
		CHECK_INT(h.bad, 1);
		CHECK(h.spans.n == 1 && !h.spans.v[0].nelems);
		go_heap_free(&h);
		target_free(t);
	}
}

/* Ranges of the heap: what real ones can be, and what would take for ever to go through. */
TEST(spans_and_heap_ranges)
{
	static const struct {
		uint64_t start, end;
		int rc;
	} range[] = {
		{ HEAP, HEAP + (4 << 20), 0 },
		{ HEAP, HEAP + (1ULL << 46), -EINVAL },
		{ HEAP, HEAP + 4096, -EINVAL },
		{ HEAP, HEAP, -EINVAL },
		{ 1ULL << 48, (1ULL << 48) + (4 << 20), -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(range); i++) {
		struct target *t = target_new(1, 1);
		struct go_runtime rt = runtime_of(t);
		uint64_t slice[3] = { TABLE + 8 * (MOST - 2), 1, 1 };
		struct go_heap h;
		int r;

		memcpy(&t->table[MOST - 2], &range[i].start, 8);
		memcpy(&t->table[MOST - 1], &range[i].end, 8);
		memcpy(t->mheap + t->l->f[GO_MHEAP_PAGES] + t->l->f[GO_PAGEALLOC_INUSE] +
			       t->l->f[GO_ADDRRANGES_RANGES],
		       slice, sizeof(slice));
		r = go_heap_read(&rt, PASS_SPANS, &h, NULL);
		CHECK_INT(r, range[i].rc);
		if (!r) { /* bitmaps of zeros: all of it is free */
			CHECK_INT(h.sums.free, range[i].end - range[i].start);
			go_heap_free(&h);
		}
		target_free(t);
	}
}

/* Idle is what has no P that is anything else. */
TEST(heap_of_an_idle_program)
{
	enum { PS = 5, SLICE = MOST - 20, LIST = MOST - 10 };
	struct target *t = target_new(1, 1);
	struct go_runtime rt = runtime_of(t);
	uint64_t slice[3] = { TABLE + 8 * LIST, PS, PS };

	CHECK(!go_is_idle(&rt)); /* where its Ps are is not known */
	rt.g.allp = TABLE + 8 * SLICE;
	CHECK(!go_is_idle(&rt)); /* there are none: it has hardly begun */
	memcpy(&t->table[SLICE], slice, sizeof(slice));
	for (int i = 0; i < PS; i++)
		t->table[LIST + i] = SLAB + (2000 + i) * MSPAN_MAX;
	CHECK(go_is_idle(&rt));
	for (uint32_t status = 1; status <= 4; status++)
		for (int i = 0; i < PS; i++) {
			uint8_t *p = t->slab + (2000 + i) * MSPAN_MAX + t->l->f[GO_P_STATUS];

			memcpy(p, &status, 4);
			CHECK(!go_is_idle(&rt));
			memset(p, 0, 4);
		}
	CHECK(go_is_idle(&rt));
	slice[1] = 1 << 20;
	slice[2] = 1 << 20;
	memcpy(&t->table[SLICE], slice, sizeof(slice));
	CHECK(!go_is_idle(&rt)); /* no number of CPUs */
	target_free(t);
}
