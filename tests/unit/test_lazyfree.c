/* SPDX-License-Identifier: BSD-2-Clause */
/* Lazily freed frames, from flags as /proc/kpageflags gives them. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/lazyfree.h"
#include "test.h"

enum { FRAMES = 8192 };
#define DIRTY (1ULL << 4)
#define ANON  (1ULL << 12)
#define SWAP  (1ULL << 14) /* swap-backed: not lazily freed */
#define HEAD  (1ULL << 15)
#define TAIL  (1ULL << 16)

static int flags_file(uint64_t flags[FRAMES])
{
	int fd = memfd_create("kpageflags", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, flags, FRAMES * 8) == FRAMES * 8);
	return fd;
}

TEST(lazyfree_is_anonymous_clean_and_not_swapbacked)
{
	static uint64_t flags[FRAMES];
	const uint64_t pfn[] = { 100, 101, 102, 103, 4000, 8000, FRAMES + 5 };
	_close_ int fd = -1;

	flags[100] = ANON;
	flags[101] = ANON | SWAP;
	flags[102] = 0; /* of a file */
	flags[103] = ANON | DIRTY;
	flags[4000] = ANON;
	flags[8000] = ANON;
	flags[4001] = ANON; /* not asked for */
	fd = flags_file(flags);
	CHECK_INT(lazyfree_count(fd, pfn, ARRAY_LEN(pfn)), 3);
	CHECK_INT(lazyfree_count(fd, pfn + 1, 3), 0);
	CHECK_INT(lazyfree_count(fd, pfn, 0), 0);
	CHECK_INT(lazyfree_count(-1, pfn, ARRAY_LEN(pfn)), 0);
}

/* Before 6.10 tail pages have no flags of their own but PG_anon, which is their folio's. */
TEST(lazyfree_of_a_folio_is_its_head_s)
{
	static uint64_t flags[FRAMES], pfn[FRAMES];
	_close_ int fd = -1;

	for (size_t i = 0; i < 512; i++) { /* lazily freed, swap-backed, smaller lazily freed */
		flags[512 + i] = ANON | (i ? TAIL : HEAD);
		flags[1024 + i] = ANON | (i ? TAIL : HEAD | SWAP);
	}
	for (size_t i = 0; i < 16; i++)
		flags[1536 + i] = ANON | (i ? TAIL : HEAD);
	flags[1552] = ANON | SWAP;
	fd = flags_file(flags);
	for (size_t i = 0; i < FRAMES; i++)
		pfn[i] = i;
	CHECK_INT(lazyfree_count(fd, pfn, FRAMES), 512 + 16);
	/* of which the heads are not asked for */
	CHECK_INT(lazyfree_count(fd, pfn + 700, 100), 100);
	CHECK_INT(lazyfree_count(fd, pfn + 1024 + 300, 100), 0);
	CHECK_INT(lazyfree_count(fd, pfn + 1550, 3), 2);
	/* a tail whose head is nowhere */
	CHECK_INT(lazyfree_count(fd, (const uint64_t[]){ 513, 1025, 1537 }, 3), 2);
}
