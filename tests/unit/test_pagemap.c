/* SPDX-License-Identifier: BSD-2-Clause */
/* The page map of memory that stays mapped is asked for otherwise, and is the same. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ranges.h"
#include "test.h"

#include "source/memsrc.h"

enum { MIB = 1 << 20, LEN = 96 * MIB, HUGE_LEN = 2 * MIB };

/* include/uapi/asm-generic/mman-common.h of 6.13 */
#define GUARD_INSTALL 102

static struct memsrc *open_self(void)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };
	int rc = memsrc_open_live(getpid(), &m, &e);

	if (rc == -EPERM || rc == -EACCES)
		SKIP(e.text);
	REQUIRE(!rc);
	if (strcmp(memsrc_pages_how(m), "PAGEMAP_SCAN")) {
		memsrc_close(m);
		SKIP("no PAGEMAP_SCAN");
	}
	return m;
}

static void touch(uint8_t *p, size_t len, size_t step)
{
	for (size_t i = 0; i < len; i += step)
		p[i] = 1;
}

/* Memory in all states that private anonymous pages have, more of them than one call reports. */
static uint8_t *make(size_t page)
{
	uint8_t *all = mmap(NULL, LEN + HUGE_LEN, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *p = all + HUGE_LEN - (uintptr_t)all % HUGE_LEN;
	uint64_t r = 7;

	REQUIRE(all != MAP_FAILED);
	madvise(p, LEN, MADV_NOHUGEPAGE);
	touch(p, 48 * MIB, 2 * page);
	touch(p + 48 * MIB, 4 * MIB, page);
	for (size_t i = 0; i < 4 * MIB; i += page)
		(void)*(volatile uint8_t *)&p[52 * MIB + i];
	madvise(p + 56 * MIB, 6 * MIB, MADV_HUGEPAGE);
	touch(p + 56 * MIB, 4 * MIB, page);
	(void)*(volatile uint8_t *)&p[60 * MIB];
	madvise(p + 56 * MIB, 6 * MIB, MADV_NOHUGEPAGE); /* khugepaged would go on */
	madvise(p + 62 * MIB, MIB, GUARD_INSTALL);	 /* where the kernel knows it */
	touch(p + 63 * MIB, 3 * MIB, page);
	mprotect(p + 64 * MIB, MIB, PROT_NONE);
	madvise(p + 65 * MIB, MIB, MADV_DONTNEED);
	for (int i = 0; i < 3000; i++)
		p[66 * MIB + test_random(&r) % (30 * MIB)] = 1;
	touch(p + 70 * MIB, 4 * MIB, page);
	REQUIRE(!munmap(p + 71 * MIB, 2 * MIB));
	return p;
}

static void check_same(const range_vec *a, const range_vec *b)
{
	CHECK_INT(a->n, b->n);
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->v[i].start != b->v[i].start || a->v[i].end != b->v[i].end ||
		    a->v[i].flags != b->v[i].flags) {
			CHECK_INT(i, -1);
			break;
		}
}

TEST(pagemap_of_lasting_memory)
{
	range_vec plain = { 0 }, fast = { 0 };
	struct memsrc *m = open_self();
	/* nothing is to be mapped where something has been unmapped */
	bool room = !vec_reserve(&plain, 1 << 14) && !vec_reserve(&fast, 1 << 14);
	uint8_t *p = make(memsrc_page_size(m));
	uint64_t start = (uintptr_t)p;
	/* with what is not mapped, and what is not asked for */
	struct range ranges[] = { { start - MIB, start + 30 * MIB, 0 },
				  { start + 31 * MIB, start + 90 * MIB, 0 },
				  { start + LEN + 64 * MIB, start + LEN + 65 * MIB, 0 } };
	const range_vec some = { ranges, ARRAY_LEN(ranges), 0 };
	struct range whole[] = { { start, start + LEN, 0 } };
	const range_vec all = { whole, 1, 0 };

	REQUIRE(room);
	CHECK(!memsrc_pages(m, 0, start, start + LEN, &plain));
	CHECK(plain.n > 6144 + 1000);
	CHECK(range_sum(plain.v, plain.n, PAGE_ZERO) >= 4 * MIB);
	memsrc_set_lasting(m, &all);
	CHECK(!memsrc_pages(m, 0, start, start + LEN, &fast));
	check_same(&plain, &fast);
	fast.n = 0;
	memsrc_set_lasting(m, &some);
	CHECK(!memsrc_pages(m, 0, start, start + LEN, &fast));
	check_same(&plain, &fast);

	/* It is believed that it stays: what has gone since the mappings were read looks present.
	 */
	fast.n = 0;
	REQUIRE(!munmap(p + 48 * MIB, 4 * MIB));
	CHECK(!memsrc_pages(m, 0, start + 48 * MIB, start + 64 * MIB, &fast));
	CHECK(fast.n && fast.v[0].start == start + 48 * MIB);
	fast.n = 0;
	memsrc_set_lasting(m, NULL);
	CHECK(!memsrc_pages(m, 0, start + 48 * MIB, start + 64 * MIB, &fast));
	CHECK(fast.n && fast.v[0].start == start + 52 * MIB);

	munmap(p, LEN);
	vec_free(&plain);
	vec_free(&fast);
	memsrc_close(m);
}
