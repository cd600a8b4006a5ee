/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps on checked-in captures: what is hidden from a reader must come out as unknown, with
 * exactly its bytes, and nothing else may move.
 */
#include <dirent.h>

#include "collect/collect.h"
#include "goruntime/goruntime.h"
#include "test.h"

#define CAPTURES "tests/captures"

struct look_at {
	struct memsrc *m;
	struct ledger_builder claims; /* of r.ledger */
	struct report r;
};

static void look(struct look_at *x, const char *path, const struct collect_opts *opts)
{
	struct collect_opts o = *opts;
	struct err e = { 0 };

	o.keep = &x->claims;
	REQUIRE(memsrc_open_file(path, &x->m, &e) == 0);
	if (collect_once(x->m, NULL, &o, &x->r, &e)) {
		test_failed(__FILE__, __LINE__, "%s: %s", path, e.text);
		exit(1);
	}
}

static void look_end(struct look_at *x)
{
	ledger_builder_free(&x->claims);
	report_free(&x->r);
	memsrc_close(x->m);
}

static uint64_t sum(const struct report *r)
{
	uint64_t s = 0;

	for (int c = 0; c < CAT_COUNT; c++)
		s += r->ledger.cat[c].resident;
	return s;
}

/* Resident bytes of [start, end) by the page map of the look. */
static uint64_t resident(struct memsrc *m, uint64_t start, uint64_t end)
{
	range_vec v = { 0 };
	uint64_t n = 0;

	REQUIRE(memsrc_pages(m, 0, 0, (1ULL << 47) - 4096, &v) == 0);
	for (size_t i = 0; i < v.n; i++) {
		uint64_t a = v.v[i].start > start ? v.v[i].start : start;
		uint64_t z = v.v[i].end < end ? v.v[i].end : end;

		if ((v.v[i].flags & PAGE_PRESENT) && !(v.v[i].flags & PAGE_ZERO) && a < z)
			n += z - a;
	}
	vec_free(&v);
	return n;
}

static bool in_go_heap(enum category c)
{
	return c >= CAT_GO_HEAP && c <= CAT_GO_HEAP_RELEASED;
}

/* The biggest resident claim of a level whose row satisfies `want`. */
static struct claim pick(struct look_at *x, enum claim_level level, bool (*want)(enum category))
{
	struct claim best = { 0 };
	uint64_t most = 0;

	for (size_t i = 0; i < x->claims.claims[level].n; i++) {
		const struct claim *c = &x->claims.claims[level].v[i];
		uint64_t n = c->end - c->start;

		if (n > most && n <= (1 << 20) && want(x->r.ledger.rows.v[c->row].cat) &&
		    resident(x->m, c->start, c->end)) {
			best = *c;
			most = n;
		}
	}
	return best;
}

static void check_hidden_span(const char *path)
{
	struct collect_opts o = { 0 };
	struct look_at a, b;
	uint64_t bytes, moved = 0;
	struct claim c;

	look(&a, path, &o);
	CHECK_INT(sum(&a.r), a.r.rss.scanned);
	CHECK_INT(a.r.ledger.cat[CAT_UNKNOWN].resident, 0);
	c = pick(&a, LEVEL_FINE, in_go_heap);
	REQUIRE(c.end > c.start);
	bytes = resident(a.m, c.start, c.end);
	o.hide_span = c.start;
	look(&b, path, &o);
	CHECK_INT(sum(&b.r), a.r.rss.scanned);
	CHECK_INT(b.r.ledger.cat[CAT_UNKNOWN].resident, bytes);
	CHECK_INT(b.r.ledger.unexplained - a.r.ledger.unexplained, bytes);
	for (int i = 0; i < CAT_COUNT; i++) {
		if (in_go_heap(i))
			moved += a.r.ledger.cat[i].resident - b.r.ledger.cat[i].resident;
		else if (i != CAT_UNKNOWN)
			CHECK_INT(b.r.ledger.cat[i].resident, a.r.ledger.cat[i].resident);
	}
	CHECK_INT(moved, bytes);
	look_end(&a);
	look_end(&b);
}

static bool through_mapping(enum category c)
{
	return c == CAT_NATIVE_STACKS || c == CAT_NATIVE_MMAP || c == CAT_NATIVE_MALLOC;
}

/* Of the mapping's resident bytes, those whose owner is known through the mapping only: it itself,
 * and malloc's blocks, which are looked for in known mappings. */
static uint64_t owned(struct look_at *x, const struct claim *c)
{
	uint64_t n = 0;

	for (uint64_t p = c->start; p < c->end; p += 4096)
		if (through_mapping(x->r.ledger.rows.v[ledger_owner(&x->claims, p)].cat))
			n += resident(x->m, p, p + 4096);
	return n;
}

/* The main stack, and the anonymous mapping that the fixture made. */
static void check_hidden_vma_of(const char *path, enum category cat)
{
	struct collect_opts o = { 0 };
	struct look_at a, b;
	struct claim c = { 0 };
	uint64_t bytes = 0;

	look(&a, path, &o);
	for (size_t i = 0; i < a.claims.claims[LEVEL_VMA].n && !bytes; i++) {
		c = a.claims.claims[LEVEL_VMA].v[i];
		if (a.r.ledger.rows.v[c.row].cat == cat && c.end - c.start <= (64 << 20))
			bytes = owned(&a, &c);
	}
	REQUIRE(bytes);
	o.hide_vma = c.start;
	look(&b, path, &o);
	CHECK_INT(sum(&b.r), a.r.rss.scanned);
	CHECK_INT(b.r.ledger.cat[CAT_UNKNOWN].resident, bytes);
	for (int i = 0; i < CAT_COUNT; i++)
		if (i != CAT_UNKNOWN && !through_mapping(i))
			CHECK_INT(b.r.ledger.cat[i].resident, a.r.ledger.cat[i].resident);
	look_end(&a);
	look_end(&b);
}

static void check_hidden_vma(const char *path)
{
	check_hidden_vma_of(path, CAT_NATIVE_STACKS);
	check_hidden_vma_of(path, CAT_NATIVE_MMAP);
}

static void each_capture(void (*fn)(const char *path))
{
	DIR *d = opendir(CAPTURES);
	unsigned int n = 0;

	REQUIRE(d);
	for (struct dirent *e; (e = readdir(d));) {
		char path[512];
		size_t len = strlen(e->d_name);

		if (len < 5 || strcmp(e->d_name + len - 4, ".rsc"))
			continue;
		snprintf(path, sizeof(path), CAPTURES "/%s", e->d_name);
		fn(path);
		n++;
	}
	closedir(d);
	CHECK(n >= 3);
}

TEST(a_hidden_span_becomes_unknown)
{
	each_capture(check_hidden_span);
}

TEST(a_hidden_mapping_becomes_unknown)
{
	each_capture(check_hidden_vma);
}

/* The sum of marked slots is the runtime's own figure for the live heap: two books that are kept
 * apart, bit by bit in the spans and as one counter in gcController. */
static void check_live_heap(const char *path)
{
	struct collect_opts o = { 0 };
	struct look_at a;
	uint64_t live;

	look(&a, path, &o);
	live = a.r.ledger.cat[CAT_GO_HEAP_LIVE].virtual_;
	REQUIRE(a.r.go.live.has);
	if (a.r.go.live.v < live || a.r.go.live.v - live > 4096)
		test_failed(path, 0, "marked slots %" PRIu64 ", the runtime says %" PRIu64, live,
			    a.r.go.live.v);
	look_end(&a);
}

TEST(live_objects_are_what_the_runtime_marked)
{
	each_capture(check_live_heap);
}
