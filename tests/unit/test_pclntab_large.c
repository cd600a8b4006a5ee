/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function table of 144 MB, as the largest programs have: what a lookup reads and what stays in
 * memory, by the kernel's counts of both.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "binary/shelf.h"
#include "collect/owned.h"
#include "collect/profile_impl.h"
#include "large_writer.h"

enum {
#ifdef __SANITIZE_ADDRESS__
	SANITIZED = true,
#else
	SANITIZED = false,
#endif
};

/* ---- witnesses */

static uint64_t field(const char *path, const char *name)
{
	_text_ struct text t = { 0 };
	uint64_t v = 0;

	REQUIRE(!text_read_at(AT_FDCWD, path, 1 << 16, &t) && text_field_u64(t.p, name, &v));
	return v;
}

/* Bytes that this process has read so far. */
static uint64_t bytes_read(void)
{
	return field("/proc/self/io", "rchar:");
}

/* From here on the peak is that of what follows. The resident set, bytes. */
static uint64_t forget_peak(void)
{
	_close_ int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, "5", 1) == 1);
	return field("/proc/self/status", "VmRSS:");
}

static void between(uint64_t x, uint64_t low, uint64_t high)
{
	if (x < low || x > high)
		test_failed(__FILE__, __LINE__, "%" PRIu64 ", want %" PRIu64 " to %" PRIu64, x, low,
			    high);
}

/* ---- */

static int open_it(void *owner, const char *path, uint64_t start, uint64_t end, int *fd)
{
	*fd = fcntl(*(int *)owner, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static void is_function(const struct bin_func *f, unsigned int i)
{
	char name[NAME];

	large_name(i, name);
	CHECK_STR(f->name, name);
	CHECK_INT(f->entry, TEXT + (uint64_t)i * CODE);
	CHECK_INT(f->end, TEXT + (uint64_t)(i + 1) * CODE);
}

static void by_address(struct bin *b, unsigned int i, uint64_t *most)
{
	uint64_t before = bytes_read(), pc = TEXT + (uint64_t)i * CODE + CODE - 1, n;
	struct bin_func f = { 0 };
	const char *file = "";
	uint32_t line = 0;

	CHECK_INT(bin_go_func(b, 0, pc, &f), 0);
	is_function(&f, i);
	CHECK_INT(bin_go_line(b, 0, pc, &file, &line), 0);
	CHECK_STR(file, "big.go");
	CHECK_INT(line, LINE);
	n = bytes_read() - before;
	*most = n > *most ? n : *most;
}

static void by_name(struct bin *b, unsigned int i, uint64_t *most)
{
	uint64_t before = bytes_read(), n;
	struct bin_func f = { 0 };
	char name[NAME];

	large_name(i, name);
	CHECK_INT(bin_go_lookup(b, 0, name, &f), 0);
	is_function(&f, i);
	n = bytes_read() - before;
	*most = n > *most ? n : *most;
}

static void check_lookups(struct bin *b)
{
	static const unsigned int chosen[] = { 0, 1, FUNCS / 2, FUNCS - 2, FUNCS - 1 };
	/* one block of 16 KiB for each step of a search among 2^21, and some for what it finds */
	const uint64_t search = (21 + 11) * (16 << 10);
	uint64_t address = 0, name = 0, before, seed = 1;
	struct bin_func f;

	for (size_t i = 0; i < ARRAY_LEN(chosen); i++) {
		by_address(b, chosen[i], &address);
		by_name(b, chosen[i], &name);
	}
	for (int i = 0; i < 200; i++)
		by_address(b, test_random(&seed) % FUNCS, &address);
	CHECK(address && address < search);
	/* by name: one pass over the names, none over the functions */
	CHECK(name > (uint64_t)FUNCS * NAME / 2 && name < (uint64_t)FUNCS * NAME + search);
	before = bytes_read();
	CHECK_INT(bin_go_lookup(b, 0, "example.org/module/p1650000.(*T).Method", &f), -ENOENT);
	CHECK_INT(bin_go_func(b, 0, TEXT + (uint64_t)FUNCS * CODE, &f), -ENOENT);
	CHECK_INT(bin_go_func(b, 0, TEXT - 1, &f), -ENOENT);
	CHECK(bytes_read() - before < (uint64_t)FUNCS * NAME + 2 * search);
}

/* The executable's profile: all functions one after another, the largest by name. */
static void check_profile(struct bin *b)
{
	range_vec owned = { 0 };
	struct making *k = calloc(1, sizeof(*k));
	struct profile p = { 0 };
	uint64_t rss = forget_peak(), before = bytes_read(), sum = 0;
	const uint64_t code = (uint64_t)FUNCS * CODE;

	REQUIRE(k && !profile_init(&p));
	k->p = &p;
	p.ntypes = 2;
	REQUIRE(!range_append(&owned, TEXT, TEXT + code,
			      OWNED_RESIDENT | OWNED_MAPPED | CAT_BINARY_TEXT));
	REQUIRE(!range_append(&owned, RO, RO + TABLE,
			      OWNED_RESIDENT | OWNED_MAPPED | CAT_BINARY_RODATA));
	CHECK_INT(profile_fill_binary(k, b, 0, NULL, 0, &owned), 0);
	for (size_t i = 0; i < p.samples.n; i++)
		sum += p.samples.v[i].value[0];
	CHECK_INT(sum, code + TABLE);
	between(p.samples.n, 65000, 90000); /* 65,536 names, 16,384 packages */
	/* the table of functions twice, their names once, and blocks that several of them share */
	between(bytes_read() - before, TABLE / 2, 4ULL * TABLE);
	/* what is named, 300 bytes each */
	CHECK(SANITIZED || field("/proc/self/status", "VmHWM:") < rss + (48 << 20));
	profile_free(&p);
	vec_free(&owned);
	free(k);
}

TEST(pclntab_of_144_MB_is_never_read_whole)
{
	_close_ int fd = large_program();
	struct shelf_opener o = { .open = open_it, .owner = &fd, .path = "large" };
	struct shelf *shelf = NULL;
	struct err e = { 0 };
	struct bin *b = NULL;
	uint64_t before, rss;

	REQUIRE(!shelf_create(0, &shelf));
	rss = forget_peak();
	before = bytes_read();
	REQUIRE(!shelf_get(shelf, &o, &b, &e));
	CHECK(bytes_read() - before < 1 << 20);
	CHECK_INT(bin_go(b)->nfunc, FUNCS);
	CHECK_STR(bin_go(b)->version, "go1.26.8");
	check_lookups(b);
	/* an index of 8 bytes a function would be 12 MiB; sanitizers keep what is freed */
	CHECK(SANITIZED || field("/proc/self/status", "VmHWM:") < rss + (8 << 20));
	check_profile(b);
	shelf_put(shelf, b, &fd);
	shelf_destroy(shelf);
}
