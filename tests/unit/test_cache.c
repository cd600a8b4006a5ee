/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of binaries: entries that are damaged, or another file's, are refused; and facts
 * that are wrong, be they believed, lead to the very runtime that a search finds.
 */
#include "session/files.h"
#include "goruntime/cache.h"
#include "test.h"

#define CAPTURES "tests/captures"

enum { NGLOBALS = sizeof(struct go_globals) / sizeof(uint64_t) };

/* A runtime as found in a capture with what is known (NULL: nothing). m is closed: not compared. */
static int discover(const char *name, struct go_facts *known, struct go_runtime *rt)
{
	_text_ struct text exe = { 0 };
	struct maps maps = { 0 };
	struct memsrc *m = NULL;
	struct bin *b = NULL;
	uint64_t bias = 0;
	struct err e = { 0 };
	char path[256];
	int r;

	snprintf(path, sizeof(path), CAPTURES "/%s.rsc", name);
	REQUIRE(memsrc_open_file(path, &m, &e) == 0);
	REQUIRE(maps_read(memsrc_texts(m), 0, &maps, &e) == 0 &&
		memsrc_text(m, "proc/exe", 0, &exe) == 0);
	exe.p[strcspn(exe.p, "\n")] = 0;
	REQUIRE(files_open_exe(m, NULL, &maps, exe.p, &b, &bias, &e) == 0);
	r = go_runtime_open(m, b, bias, &maps, known, rt, &e);
	if (r)
		fprintf(stderr, "%s: %s\n", name, e.text);
	rt->m = NULL;
	bin_close(b);
	maps_free(&maps);
	memsrc_close(m);
	return r;
}

static bool same(const struct go_runtime *a, const struct go_runtime *b)
{
	return a->l == b->l && a->bias == b->bias && !memcmp(&a->g, &b->g, sizeof(a->g)) &&
	       !strcmp(a->identified_by, b->identified_by) && !strcmp(a->layout, b->layout) &&
	       !strcmp(a->missing, b->missing) && a->globals_bytes == b->globals_bytes &&
	       a->masks_bytes == b->masks_bytes && a->symbols == b->symbols && a->cgo == b->cgo &&
	       a->swapped == b->swapped && a->inline_marks == b->inline_marks &&
	       a->nstack_sizes == b->nstack_sizes &&
	       !memcmp(a->stack_sizes, b->stack_sizes, a->nstack_sizes * sizeof(a->stack_sizes[0]));
}

static uint64_t *global(struct go_globals *g, unsigned int i)
{
	return (uint64_t *)g + i;
}

/* Those that are recognised nowhere but in a symbol table. */
static bool is_bare(unsigned int i)
{
	struct go_globals g = { 0 };
	uint64_t *x = global(&g, i);

	return x == &g.starting_stack || x == &g.ncgocall || x == &g.finqueued ||
	       x == &g.finexecuted;
}

static const char *const names[] = { "go119cgo", "go126cgo", "go126pie", "go126pure" };

TEST(cache_known_binary_is_the_same)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct go_facts known = { 0 };
		struct go_runtime cold, warm;

		REQUIRE(discover(names[i], NULL, &cold) == 0);
		REQUIRE(discover(names[i], &known, &warm) == 0);
		CHECK(same(&cold, &warm));
		CHECK(known.has_runtime && known.changed);
		/* addresses of the file, not of that process */
		CHECK_INT(known.g.moduledata, cold.g.moduledata - cold.bias);
		known.changed = false;
		REQUIRE(discover(names[i], &known, &warm) == 0);
		CHECK(same(&cold, &warm));
		CHECK(!known.changed); /* nothing new, and nothing was searched for */
	}
}

/* Every address a little off, far off, or missing. */
TEST(cache_wrong_facts_cost_time_only)
{
	static const uint64_t off[] = { 8, (uint64_t)-8, 0x10000, 1ULL << 40 };

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct go_facts right = { 0 };
		struct go_runtime cold, warm;

		REQUIRE(discover(names[n], NULL, &cold) == 0);
		REQUIRE(discover(names[n], &right, &warm) == 0);
		for (unsigned int i = 0; i < NGLOBALS; i++) {
			if (is_bare(i) || !*global(&right.g, i))
				continue;
			for (size_t k = 0; k <= ARRAY_LEN(off); k++) {
				struct go_facts wrong = right;

				if (k < ARRAY_LEN(off))
					*global(&wrong.g, i) += off[k];
				else
					*global(&wrong.g, i) = 0;
				REQUIRE(discover(names[n], &wrong, &warm) == 0);
				if (!same(&cold, &warm))
					test_failed(__FILE__, __LINE__,
						    "%s: global %u wrong by %" PRIx64, names[n], i,
						    k < ARRAY_LEN(off) ? off[k] : 0);
			}
		}
	}
}

TEST(cache_wrong_layout_is_found_out)
{
	struct go_facts right = { 0 };
	struct go_runtime cold, warm;

	REQUIRE(discover("go119cgo", NULL, &cold) == 0);
	REQUIRE(discover("go119cgo", &right, &warm) == 0);
	for (uint32_t i = 0; i < go_nlayouts; i++) {
		struct go_facts wrong = right;

		wrong.layout = i;
		REQUIRE(discover("go119cgo", &wrong, &warm) == 0);
		/* another table that agrees in all that was looked at is as good */
		if (warm.l != cold.l)
			fprintf(stderr, "layout %u stands\n", i);
		CHECK(same(&cold, &warm) || i == wrong.layout);
		CHECK(!memcmp(&cold.g, &warm.g, sizeof(cold.g)));
	}
}

/* ---- bytes */

static struct go_facts some_facts(void)
{
	struct go_facts f = { .has_runtime = true,
			      .own_layout = true,
			      .layout = 3,
			      .nstack_sizes = 2,
			      .stack_sizes = { 0x1000, 0x2000 },
			      .has_gc_code = true,
			      .gc_code = { .work = 1,
					   .controller = 2,
					   .init_time = 3,
					   .stack_scan = GO_FIELD_COUNT,
					   .memstats = true } };

	for (unsigned int i = 0; i < NGLOBALS; i++)
		*global(&f.g, i) = 0x400000 + 8 * i;
	f.func[GO_FUNC_CGO].state = GO_FUNC_ABSENT;
	f.func[GO_FUNC_GC_END].state = GO_FUNC_FOUND;
	f.func[GO_FUNC_GC_END].entry = 0x401000;
	return f;
}

TEST(cache_entry_round_trip)
{
	struct go_facts f = some_facts(), back, none = { 0 };
	_text_ struct text key = { 0 }, other = { 0 }, bytes = { 0 };

	text_printf(&key, "dev 1 inode 2\n");
	text_printf(&other, "dev 1 inode 3\n");
	REQUIRE(go_cache_encode(&key, &f, &bytes) == 0);
	CHECK(bytes.n <= GO_CACHE_ENTRY_MAX);
	memset(&back, 0xa5, sizeof(back));
	CHECK_INT(go_cache_decode(&key, bytes.p, bytes.n, &back), 0);
	CHECK_INT(back.layout, f.layout);
	CHECK(back.has_runtime && back.own_layout && !back.symbols && !back.changed);
	CHECK(!memcmp(&back.g, &f.g, sizeof(f.g)));
	CHECK_INT(back.nstack_sizes, 2);
	CHECK_INT(back.stack_sizes[1], 0x2000);
	CHECK_INT(back.func[GO_FUNC_CGO].state, GO_FUNC_ABSENT);
	CHECK_INT(back.func[GO_FUNC_RACE].state, GO_FUNC_UNKNOWN);
	CHECK_INT(back.func[GO_FUNC_GC_END].entry, 0x401000);
	CHECK(back.has_gc_code && back.gc_code.memstats);
	CHECK_INT(back.gc_code.init_time, 3);
	CHECK_INT(back.gc_code.stack_scan, GO_FIELD_COUNT);
	/* another file's */
	CHECK_INT(go_cache_decode(&other, bytes.p, bytes.n, &back), -EINVAL);
	CHECK(!memcmp(&back, &none, sizeof(none)));
}

TEST(cache_facts_are_joined)
{
	struct go_facts all = some_facts(), f = all, other;

	f.has_gc_code = false;
	f.func[GO_FUNC_CGO].state = GO_FUNC_UNKNOWN;
	f.func[GO_FUNC_GC_END].entry = 0x402000; /* what it knows itself stays */
	other = f;
	go_facts_join(&f, &all);
	CHECK(f.has_gc_code);
	CHECK_INT(f.gc_code.init_time, all.gc_code.init_time);
	CHECK_INT(f.func[GO_FUNC_CGO].state, GO_FUNC_ABSENT);
	CHECK_INT(f.func[GO_FUNC_GC_END].entry, 0x402000);
	other.g.memstats += 8; /* the code was asked about another place */
	go_facts_join(&other, &all);
	CHECK(!other.has_gc_code);
}

TEST(cache_damaged_entries_are_refused)
{
	struct go_facts f = some_facts(), back;
	_text_ struct text key = { 0 }, bytes = { 0 };

	text_printf(&key, "dev 1 inode 2\n");
	REQUIRE(go_cache_encode(&key, &f, &bytes) == 0);
	for (size_t n = 0; n < bytes.n; n++)
		CHECK_INT(go_cache_decode(&key, bytes.p, n, &back), -EINVAL);
	for (size_t i = 0; i < bytes.n * 8; i++) {
		bytes.p[i / 8] ^= 1 << i % 8;
		CHECK_INT(go_cache_decode(&key, bytes.p, bytes.n, &back), -EINVAL);
		bytes.p[i / 8] ^= 1 << i % 8;
	}
	REQUIRE(text_add(&bytes, "", 1) == 0); /* a byte more */
	CHECK_INT(go_cache_decode(&key, bytes.p, bytes.n, &back), -EINVAL);
}

/* Without the checksum: what is believed stays within bounds. */
TEST(cache_facts_are_bounded)
{
	struct go_facts f = some_facts(), back;
	_text_ struct text bytes = { 0 };
	unsigned int refused = 0;

	REQUIRE(go_facts_encode(&f, &bytes) == 0);
	for (size_t n = 0; n < bytes.n; n++)
		CHECK_INT(go_facts_decode(bytes.p, n, &back), -EINVAL);
	for (size_t i = 0; i < bytes.n * 8; i++) {
		bytes.p[i / 8] ^= 1 << i % 8;
		refused += go_facts_decode(bytes.p, bytes.n, &back) != 0;
		CHECK(back.layout < go_nlayouts && back.nstack_sizes <= GO_STACK_SIZES);
		CHECK(back.gc_code.stack_scan <= GO_FIELD_COUNT);
		for (int k = 0; k < GO_FUNC_COUNT; k++)
			CHECK(back.func[k].state <= GO_FUNC_ABSENT);
		bytes.p[i / 8] ^= 1 << i % 8;
	}
	CHECK(refused > 64); /* version, flags, counts, states */
}
