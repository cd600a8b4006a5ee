/* SPDX-License-Identifier: BSD-2-Clause */
/* Live sources, tried on forked children of ours: needs no privilege. */
#include "ranges.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/maps.h"
#include "source/memsrc.h"
#include "source/memsrc_impl.h"
#include "proc/rss.h"
#include "proc/status.h"

enum { PAGES = 2048, FILE_PAGES = 64 };

/* What the child has mapped; the same addresses in parent and child. */
struct fixture {
	pid_t pid;
	uint32_t page;
	uint8_t *checkered; /* PAGES pages, the even ones written */
	uint8_t *untouched; /* PAGES pages, never touched */
	uint8_t *none;	    /* 4 pages, the first written, then all PROT_NONE */
	uint8_t *zero;	    /* 4 pages, the first read only: zero page */
	uint8_t *file;	    /* FILE_PAGES pages of an unlinked file, the first touched */
	uint8_t *gone;	    /* unmapped again */
	int fd;
};

static uint8_t *map_anon(size_t pages, int prot)
{
	void *p = mmap(NULL, pages * getpagesize(), prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	madvise(p, pages * getpagesize(), MADV_NOHUGEPAGE);
	return p;
}

static uint8_t pattern(size_t page, size_t i)
{
	return page * 7 + i * 13 + 1;
}

static void child(struct fixture *f, int ready)
{
	volatile uint8_t sink;

	for (size_t p = 0; p < PAGES; p += 2)
		for (size_t i = 0; i < f->page; i++)
			f->checkered[p * f->page + i] = pattern(p, i);
	memset(f->none, 0x5a, f->page);
	mprotect(f->none, 4 * f->page, PROT_NONE);
	sink = f->zero[0];
	sink = f->file[0];
	(void)sink;
	if (write(ready, "", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void fixture_start(struct fixture *f)
{
	char path[64], byte;
	int ready[2];

	snprintf(path, sizeof(path), "%s/XXXXXX", test_dir());
	f->page = getpagesize();
	f->checkered = map_anon(PAGES, PROT_READ | PROT_WRITE);
	f->untouched = map_anon(PAGES, PROT_READ | PROT_WRITE);
	f->none = map_anon(4, PROT_READ | PROT_WRITE);
	f->zero = map_anon(4, PROT_READ | PROT_WRITE);
	f->gone = map_anon(4, PROT_READ | PROT_WRITE);
	f->fd = mkostemp(path, O_CLOEXEC);
	REQUIRE(f->fd >= 0);
	unlink(path);
	REQUIRE(!ftruncate(f->fd, FILE_PAGES * f->page));
	REQUIRE(pwrite(f->fd, "file", 4, 0) == 4);
	f->file = mmap(NULL, FILE_PAGES * f->page, PROT_READ, MAP_PRIVATE, f->fd, 0);
	REQUIRE(f->file != MAP_FAILED);
	/* no fault-around: exactly the touched page becomes present */
	madvise(f->file, FILE_PAGES * f->page, MADV_RANDOM);
	munmap(f->gone, 4 * f->page);
	REQUIRE(!pipe(ready));
	f->pid = fork();
	if (!f->pid)
		child(f, ready[1]);
	REQUIRE(f->pid > 0 && read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
}

static void fixture_kill(struct fixture *f)
{
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	f->pid = 0;
}

static void fixture_stop(struct fixture *f)
{
	fixture_kill(f);
	close(f->fd);
}

static void close_source(struct memsrc **m)
{
	memsrc_close(*m);
}
#define _memsrc_ _cleanup_(close_source) struct memsrc *

static struct memsrc *open_or_skip(pid_t pid)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };
	int rc = memsrc_open_live(pid, &m, &e);

	if (rc == -EPERM || rc == -EACCES) {
		kill(pid, SIGKILL);
		SKIP(e.text);
	}
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	REQUIRE(!rc);
	return m;
}

static uint64_t addr(const void *p)
{
	return (uintptr_t)p;
}

static void check_checkered(struct memsrc *m, const struct fixture *f)
{
	size_t len = (size_t)PAGES * f->page;
	_free_ uint8_t *buf = malloc(len);
	uint64_t before = memsrc_stats(m)->not_resident;
	uint8_t small[16];

	/* what is looked for has been written; else untouched memory is zeros */
	CHECK_INT(memsrc_read(m, PASS_DISCOVER, addr(f->checkered), buf, len), -ENODATA);
	CHECK_INT(memsrc_stats(m)->not_resident - before, len / 2);
	memset(buf, 0xee, len);
	CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f->checkered), buf, len), 0);
	CHECK_INT(memsrc_stats(m)->not_resident - before, len / 2);
	for (size_t p = 0, bad = 0; p < PAGES && !bad; p++)
		for (size_t i = 0; i < f->page; i++)
			bad |= buf[p * f->page + i] != (p % 2 ? 0 : pattern(p, i));
	/* unaligned, across a boundary, both ways of reading */
	CHECK_INT(memsrc_read(m, PASS_DISCOVER, addr(f->checkered + f->page - 8), small, 16),
		  -ENODATA);
	memset(small, 0xee, sizeof(small));
	CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f->checkered + f->page - 8), small, 16), 0);
	CHECK_INT(small[0], pattern(0, f->page - 8));
	CHECK_INT(small[7], pattern(0, f->page - 1));
	CHECK_INT(small[8], 0);
	CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f->checkered + 5), buf, 3 * f->page), 0);
	CHECK_INT(buf[0], pattern(0, 5));
	CHECK_INT(buf[f->page - 5], 0);
	CHECK_INT(buf[2 * f->page - 5], pattern(2, 0));
	CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f->checkered + 2 * f->page), buf, f->page), 0);
	CHECK_INT(memsrc_stats(m)->failed, 0);
}

TEST(live_reads_present_pages)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);

		check_checkered(m, &f);
		check_checkered(m, &f); /* now from the cache */
		memsrc_live_force_procmem(m);
		memsrc_flush(m);
		check_checkered(m, &f);
	}
	fixture_stop(&f);
}

TEST(live_reads_heads_of_pages)
{
	enum { EACH = 24 };
	static uint8_t heads[PAGES * EACH];
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		uint64_t start = addr(f.checkered), end = start + (uint64_t)PAGES * f.page;

		memset(heads, 0xee, sizeof(heads));
		CHECK_INT(memsrc_read_heads(m, PASS_NATIVE, start, end, EACH, heads), 0);
		for (size_t p = 0; p < PAGES; p++)
			for (size_t i = 0; i < EACH; i++)
				if (heads[p * EACH + i] != (p % 2 ? 0 : pattern(p, i))) {
					test_failed(__FILE__, __LINE__, "page %zu byte %zu", p, i);
					goto out;
				}
	}
out:
	fixture_stop(&f);
}

TEST(live_reads_fresh_after_flush)
{
	int to[2], from[2];
	volatile uint64_t *cell = (void *)map_anon(1, PROT_READ | PROT_WRITE);
	char byte = 0;
	uint64_t x;
	pid_t pid;

	*cell = 1;
	REQUIRE(!pipe(to) && !pipe(from));
	pid = fork();
	if (!pid) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1) {
			++*cell;
			if (write(from[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	{
		_memsrc_ m = open_or_skip(pid);

		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr((void *)cell), &x), 0);
		CHECK_INT(x, 1);
		REQUIRE(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr((void *)cell), &x), 0);
		CHECK_INT(x, 1);
		memsrc_flush(m);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr((void *)cell), &x), 0);
		CHECK_INT(x, 2);
	}
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	waitpid(pid, NULL, 0);
}

TEST(live_tells_absent_from_unmapped)
{
	uint8_t buf[8];
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		size_t len = 8 * f.page;
		_free_ uint8_t *big = malloc(len);

		CHECK_INT(memsrc_read(m, PASS_DISCOVER, addr(f.untouched), buf, 8), -ENODATA);
		CHECK_INT(memsrc_stats(m)->not_resident, 8);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.untouched), buf, 8), 0);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.file + f.page), buf, 8), -ENODATA);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.none + f.page), buf, 8), -ENODATA);
		CHECK_INT(memsrc_stats(m)->not_resident, 24);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, 16, buf, 8), -EFAULT);
		CHECK_INT(memsrc_stats(m)->unmapped, 8);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, UINT64_MAX - 3, buf, 8), -EFAULT);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, UINT64_MAX - 8, buf, 8), -EFAULT);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, 0xdeadbeefdeadbeef, big, len), -EFAULT);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.gone), big, 4 * f.page), -EFAULT);
		CHECK_INT(memsrc_read(m, PASS_COUNT, addr(f.zero), buf, 8), -EFAULT);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, 16, buf, 0), 0);
	}
	fixture_stop(&f);
}

enum { ITEMS = 70000, EACH_ITEM = 24 };

static uint64_t next_random(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x >> 33;
}

/* Places of every kind, in no order: present, untouched, of a file, protected, unmapped, absurd. */
static void scatter(const struct fixture *f, uint64_t *at)
{
	const uint64_t odd[] = { 0,
				 16,
				 UINT64_MAX,
				 UINT64_MAX - 8,
				 1ULL << 62,
				 addr(f->gone),
				 addr(f->none),
				 addr(f->none) + f->page,
				 addr(f->file),
				 addr(f->file) + f->page };
	uint64_t x = 1;

	for (size_t i = 0; i < ITEMS; i++)
		at[i] = i % 16 ? addr(f->checkered) +
					 next_random(&x) % ((uint64_t)(PAGES - 1) * f->page)
			       : odd[next_random(&x) % ARRAY_LEN(odd)];
	for (size_t i = 1000; i < 3000; i++) /* and some side by side, upwards and downwards */
		at[i] = addr(f->checkered) + (i < 2000 ? i : 4000 - i) * 40;
}

static void check_gather(struct memsrc *m, const struct fixture *f, enum memsrc_pass pass)
{
	_free_ uint64_t *at = malloc(ITEMS * sizeof(*at));
	_free_ uint8_t *got = malloc(ITEMS * EACH_ITEM), *want = malloc(ITEMS * EACH_ITEM);
	_free_ bool *bad = malloc(ITEMS);
	size_t wrong = 0, lost = 0;

	scatter(f, at);
	memset(got, 0xee, ITEMS * EACH_ITEM);
	memset(bad, 1, ITEMS);
	CHECK_INT(memsrc_gather(m, pass, at, ITEMS, EACH_ITEM, got, bad), 0);
	for (size_t i = 0; i < ITEMS; i++) {
		int rc = memsrc_read(m, pass, at[i], want + i * EACH_ITEM, EACH_ITEM);

		lost += rc != 0;
		wrong += bad[i] != (rc != 0) ||
			 memcmp(got + i * EACH_ITEM, want + i * EACH_ITEM, EACH_ITEM) != 0;
	}
	CHECK_INT(wrong, 0);
	CHECK(lost > 1000 && lost < ITEMS / 2 + ITEMS / 8);
}

TEST(live_gathers_what_reads_give)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		uint64_t at = addr(f.checkered), x;
		bool bad;

		check_gather(m, &f, PASS_BOOKS);
		check_gather(m, &f, PASS_DISCOVER);
		memsrc_live_force_procmem(m);
		memsrc_flush(m);
		check_gather(m, &f, PASS_BOOKS);
		CHECK_INT(memsrc_gather(m, PASS_BOOKS, &at, 0, 8, &x, &bad), 0);
		CHECK_INT(memsrc_gather(m, PASS_BOOKS, &at, 1, 0, &x, &bad), -EINVAL);
		CHECK_INT(memsrc_gather(m, PASS_BOOKS, &at, 1, MEMSRC_GATHER_EACH + 1, &x, &bad),
			  -EINVAL);
		fixture_kill(&f);
		CHECK_INT(memsrc_gather(m, PASS_BOOKS, &at, 1, 8, &x, &bad), -ESRCH);
	}
	fixture_stop(&f);
}

/* The middle one of three untouched pages, which `spoil` makes one that must not count as zeros. */
static void check_middle_unknown(bool (*spoil)(uint8_t *page, size_t size))
{
	uint8_t *p = map_anon(64, PROT_READ | PROT_WRITE), byte = 0,
		*middle = p + 32 * getpagesize();
	size_t page = getpagesize(), len = 64 * page;
	int ready[2];
	pid_t pid;

	REQUIRE(!pipe(ready));
	pid = fork();
	if (!pid) {
		byte = spoil(middle, page);
		if (write(ready[1], &byte, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	REQUIRE(pid > 0 && read(ready[0], &byte, 1) == 1);
	if (!byte) {
		kill(pid, SIGKILL);
		SKIP("this kernel has no such pages");
	}
	for (int scan = 1; scan >= 0; scan--) {
		_memsrc_ m = open_or_skip(pid);
		_free_ uint8_t *buf = malloc(len);
		uint64_t x;

		if (!scan)
			memsrc_live_force_pagemap(m);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(middle - 8), &x), 0);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(middle), &x), -ENODATA);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(middle + page), &x), 0);
		CHECK_INT(memsrc_stats(m)->not_resident, 8);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(p), buf, len), -ENODATA);
		CHECK_INT(memsrc_stats(m)->not_resident, 8 + page);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	munmap(p, len);
}

/*
 * Of many mappings a newer kernel is asked for one by one, where an older one's text is parsed:
 * what is absent, unmapped or reads as zeros is the same.
 */
TEST(live_one_of_many_mappings)
{
	enum { SPLIT = 2000, TRIED = 10 };
	size_t page = getpagesize();
	uint8_t *split = map_anon(SPLIT, PROT_READ), *p = map_anon(4 * TRIED, PROT_READ);
	void *shared =
		mmap(p + 4 * page, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	char file[64], byte;
	int ready[2], fd;
	pid_t pid;

	snprintf(file, sizeof(file), "%s/XXXXXX", test_dir());
	fd = mkostemp(file, O_CLOEXEC);
	REQUIRE(fd >= 0 && !ftruncate(fd, page) && shared != MAP_FAILED && !pipe(ready));
	REQUIRE(mmap(p + 8 * page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED);
	REQUIRE(!munmap(p + 12 * page, 2 * page) && !munmap(p + 15 * page, page));
	REQUIRE(!mprotect(p + 20 * page, page, PROT_NONE));
	REQUIRE(!mprotect(p + 24 * page, page, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < SPLIT; i += 2)
		REQUIRE(!mprotect(split + i * page, page, PROT_READ | PROT_EXEC));
	pid = fork();
	if (!pid && write(ready[1], "", 1) == 1)
		for (;;)
			pause();
	REQUIRE(pid > 0 && read(ready[0], &byte, 1) == 1);
	{
		_memsrc_ by_text = open_or_skip(pid);
		_memsrc_ asked = open_or_skip(pid);
		_text_ struct text maps = { 0 };
		int seen[3] = { 0 };

		CHECK(!memsrc_text(asked, "proc/maps", 0, &maps) && maps.n > 64 << 10);
		for (size_t i = 0; i < 4 * TRIED; i++) {
			/* across an edge, too */
			uint64_t at = addr(p + i * page) - (i % 2 ? 4 : 0), a = 1, b = 2;
			int r = memsrc_u64(by_text, PASS_BOOKS, at, &a);

			CHECK_INT(memsrc_u64(asked, PASS_BOOKS, at, &b), r);
			CHECK(!a && !b);
			seen[!r ? 0 : r == -ENODATA ? 1 : 2]++;
		}
		CHECK(seen[0] && seen[1] && seen[2]);
		CHECK_INT(memsrc_stats(asked)->unmapped, memsrc_stats(by_text)->unmapped);
		CHECK_INT(memsrc_stats(asked)->not_resident, memsrc_stats(by_text)->not_resident);
		CHECK(memsrc_stats(asked)->unmapped >= 2 * 8);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	close(fd);
	munmap(p, 4 * TRIED * page);
	munmap(split, SPLIT * page);
}

static bool make_guard(uint8_t *page, size_t size)
{
	enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL, from 6.13 */

	return !madvise(page, size, GUARD_INSTALL);
}

TEST(live_guard_regions_are_no_zeros)
{
	check_middle_unknown(make_guard);
}

static bool make_userfault(uint8_t *page, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)page, size },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	return fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg);
}

TEST(live_userfault_ranges_are_no_zeros)
{
	check_middle_unknown(make_userfault);
}

/*
 * Whether /proc/PID/mem reads what is protected, as for a debugger. Since Linux 6.12 a kernel may
 * be configured not to (CONFIG_PROC_MEM_FORCE_PTRACE, proc_mem.force_override): Debian's 7.2 is.
 */
static bool reads_protected(const struct fixture *f)
{
	_close_ int mem = -1;
	char path[64];
	uint8_t byte;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)f->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	return pread(mem, &byte, 1, addr(f->none)) == 1;
}

TEST(live_reads_what_is_protected)
{
	uint8_t buf[8];
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		size_t len = 3 * f.page;
		_free_ uint8_t *big = malloc(len);

		if (reads_protected(&f)) {
			CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.none), buf, 8), 0);
			CHECK_INT(buf[0], 0x5a); /* PROT_NONE though present */
			CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.none), big, len), -ENODATA);
			CHECK_INT(big[0], 0x5a);
			CHECK_INT(big[f.page - 1], 0x5a);
			CHECK_INT(big[f.page], 0);
			CHECK_INT(memsrc_stats(m)->failed, 0);
		} else {
			CHECK_INT(memsrc_read(m, PASS_BOOKS, addr(f.none), buf, 8), -EFAULT);
			CHECK_INT(memsrc_stats(m)->failed, 8);
		}
	}
	fixture_stop(&f);
}

static uint64_t present_not_zero(const range_vec *v)
{
	return range_sum(v->v, v->n, PAGE_PRESENT) - range_sum(v->v, v->n, PAGE_ZERO);
}

TEST(live_pages)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		range_vec v = { 0 };
		size_t len = (size_t)PAGES * f.page;

		CHECK_INT(memsrc_pages(m, 0, addr(f.checkered), addr(f.checkered) + len, &v), 0);
		CHECK_INT(v.n, PAGES / 2);
		CHECK_INT(v.v[1].start, addr(f.checkered) + 2 * f.page);
		CHECK_INT(v.v[1].end, addr(f.checkered) + 3 * f.page);
		CHECK_INT(v.v[1].flags, PAGE_PRESENT);
		v.n = 0;
		CHECK_INT(memsrc_pages(m, 0, addr(f.untouched), addr(f.untouched) + len, &v), 0);
		CHECK_INT(v.n, 0);
		CHECK_INT(memsrc_pages(m, 0, addr(f.none), addr(f.none) + 4 * f.page, &v), 0);
		CHECK_INT(range_sum(v.v, v.n, PAGE_PRESENT), f.page);
		v.n = 0;
		CHECK_INT(memsrc_pages(m, 0, addr(f.file), addr(f.file) + FILE_PAGES * f.page, &v),
			  0);
		CHECK_INT(range_sum(v.v, v.n, PAGE_PRESENT | PAGE_FILE), f.page);
		v.n = 0;
		CHECK_INT(memsrc_pages(m, 0, addr(f.zero), addr(f.zero) + 4 * f.page, &v), 0);
		CHECK_INT(v.n, 1);
		if (strcmp(memsrc_pages_how(m), "pagemap without PFNs"))
			CHECK_INT(v.v[0].flags, PAGE_PRESENT | PAGE_ZERO);
		vec_free(&v);
	}
	fixture_stop(&f);
}

/* The page map of a VMA, without pages that don't count. */
static void append_counted(struct memsrc *m, const struct vma *vma, range_vec *out)
{
	range_vec v = { 0 };

	CHECK_INT(memsrc_pages(m, 0, vma->start, vma->end, &v), 0);
	for (size_t i = 0; i < v.n; i++)
		if (!vma_outside_rss(vma, v.v[i].flags & PAGE_FILE))
			REQUIRE(!range_append(out, v.v[i].start, v.v[i].end, v.v[i].flags));
	vec_free(&v);
}

/* The ledger stands on this: every byte counted as the kernel counts it. */
TEST(live_pages_sum_to_rollup)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_cleanup_(maps_free) struct maps maps = { 0 };
		struct proc_rollup r;
		range_vec v = { 0 };
		int rc = proc_rollup_read(memsrc_texts(m), 0, &r, NULL);

		if (rc == -ENOENT || !strcmp(memsrc_pages_how(m), "pagemap without PFNs"))
			fixture_kill(&f), SKIP("no smaps_rollup, or no way to see zero pages");
		REQUIRE(!rc);
		REQUIRE(!maps_read(memsrc_texts(m), 0, &maps, NULL));
		for (size_t i = 0; i < maps.vma.n; i++)
			append_counted(m, &maps.vma.v[i], &v);
		CHECK_INT(present_not_zero(&v), r.rss);
		vec_free(&v);
	}
	fixture_stop(&f);
}

/* Where the kernel's counters pass for exact they say what smaps_rollup finds. */
TEST(live_rss_counters_agree_with_rollup)
{
	struct fixture f;

	fixture_start(&f);
	kill(f.pid, SIGSTOP);
	{
		_memsrc_ m = open_or_skip(f.pid);
		struct proc_rss counted, walked;

		if (!rss_counters_exact() ||
		    proc_rss_read(memsrc_texts(m), false, 0, &walked, NULL))
			fixture_kill(&f), SKIP("counters lag, or no smaps_rollup");
		REQUIRE(!proc_rss_read(memsrc_texts(m), true, 0, &counted, NULL));
		CHECK_INT(counted.rss, walked.rss);
	}
	fixture_stop(&f);
}

static void check_same_pages(const range_vec *a, const range_vec *b, bool pfns)
{
	size_t j = 0;

	/* not range by range: PAGE_HUGE splits them differently */
	for (uint32_t mask = PAGE_PRESENT; mask <= PAGE_FILE; mask <<= 1)
		CHECK_INT(range_sum(a->v, a->n, mask), range_sum(b->v, b->n, mask));
	if (pfns)
		CHECK_INT(range_sum(a->v, a->n, PAGE_ZERO), range_sum(b->v, b->n, PAGE_ZERO));
	for (size_t i = 0; i < a->n; i++) {
		for (uint64_t at = a->v[i].start; at < a->v[i].end; at = b->v[j].end) {
			j = range_lower(b->v, b->n, at);
			if (j == b->n || b->v[j].start > at ||
			    (b->v[j].flags ^ a->v[i].flags) &
				    (PAGE_PRESENT | PAGE_SWAPPED | PAGE_FILE)) {
				test_failed(__FILE__, __LINE__, "differ at %#" PRIx64, at);
				return;
			}
		}
	}
}

/* Without the terabytes of AddressSanitizer's shadow: a walk of entries takes 1 ms a GiB. */
static int pages_of_all(struct memsrc *m, const struct maps *maps, range_vec *out)
{
	int rc = 0;

	for (size_t i = 0; i < maps->vma.n && !rc; i++)
		if (maps->vma.v[i].end - maps->vma.v[i].start <= 1 << 30)
			rc = memsrc_pages(m, 0, maps->vma.v[i].start, maps->vma.v[i].end, out);
	return rc;
}

TEST(live_pagemap_agrees_with_scan)
{
	struct fixture f;

	fixture_start(&f);
	kill(f.pid, SIGSTOP);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_cleanup_(maps_free) struct maps maps = { 0 };
		range_vec scan = { 0 }, entries = { 0 };

		if (strcmp(memsrc_pages_how(m), "PAGEMAP_SCAN"))
			fixture_kill(&f), SKIP("kernel without PAGEMAP_SCAN");
		REQUIRE(!maps_read(memsrc_texts(m), 0, &maps, NULL));
		CHECK_INT(pages_of_all(m, &maps, &scan), 0);
		memsrc_live_force_pagemap(m);
		CHECK_INT(pages_of_all(m, &maps, &entries), 0);
		CHECK(scan.n > PAGES / 2);
		check_same_pages(&scan, &entries, !strcmp(memsrc_pages_how(m), "pagemap"));
		vec_free(&scan);
		vec_free(&entries);
	}
	fixture_stop(&f);
}

/* DESIGN: looking must not change what is looked at. */
TEST(live_looking_changes_nothing)
{
	struct fixture f;

	fixture_start(&f);
	kill(f.pid, SIGSTOP);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_cleanup_(maps_free) struct maps maps = { 0 };
		struct proc_status s0, s1;
		struct proc_stat t0, t1;
		range_vec before = { 0 }, after = { 0 };

		REQUIRE(!maps_read(memsrc_texts(m), 0, &maps, NULL));
		REQUIRE(!proc_status_read(memsrc_texts(m), 0, &s0, NULL) &&
			!proc_stat_read(memsrc_texts(m), 0, &t0, NULL));
		REQUIRE(!memsrc_pages(m, 0, 0, UINT64_MAX, &before));
		for (size_t i = 0; i < maps.vma.n; i++) {
			const struct vma *v = &maps.vma.v[i];
			uint64_t len = v->end - v->start, x;
			_free_ uint8_t *buf = NULL;

			if (vma_outside_rss(v, false))
				continue;
			if (len > 64 << 20) /* AddressSanitizer's shadow */
				len = 64 << 20;
			buf = malloc(len);
			for (int pass = PASS_DISCOVER; pass <= PASS_BOOKS; pass++) {
				memsrc_read(m, pass, v->start, buf, len);
				for (uint64_t a = v->start; a < v->start + len; a += f.page)
					memsrc_u64(m, pass, a, &x);
			}
		}
		CHECK(memsrc_stats(m)->not_resident > (uint64_t)PAGES * f.page);
		REQUIRE(!proc_status_read(memsrc_texts(m), 1, &s1, NULL) &&
			!proc_stat_read(memsrc_texts(m), 1, &t1, NULL));
		REQUIRE(!memsrc_pages(m, 1, 0, UINT64_MAX, &after));
		CHECK_INT(s1.vm_rss, s0.vm_rss);
		CHECK_INT(s1.vm_pte, s0.vm_pte);
		CHECK_INT(s1.vm_swap, s0.vm_swap);
		CHECK_INT(t1.minflt, t0.minflt);
		CHECK_INT(t1.majflt, t0.majflt);
		check_same_pages(&before, &after, true);
		vec_free(&before);
		vec_free(&after);
	}
	fixture_stop(&f);
}

TEST(live_texts)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_text_ struct text t = { 0 };
		uint64_t pid;

		CHECK_INT(memsrc_text(m, "proc/status", 0, &t), 0);
		CHECK(text_field_u64(t.p, "Pid:", &pid) && pid == (uint64_t)f.pid);
		t.n = 0;
		CHECK_INT(memsrc_text(m, "proc/task", 0, &t), 0);
		CHECK_INT(atoi(t.p), f.pid);
		t.n = 0;
		CHECK_INT(memsrc_text(m, "proc/exe", 0, &t), 0);
		CHECK(t.p[0] == '/');
		t.n = 0;
		CHECK_INT(memsrc_text(m, "host/page_size", 0, &t), 0);
		CHECK_INT(atoi(t.p), f.page);
		CHECK_INT(memsrc_text(m, "host/uname", 0, &t), 0);
		CHECK_INT(memsrc_text(m, "proc/nonsense", 0, &t), -ENOENT);
		CHECK_INT(memsrc_text(m, "proc/../self/maps", 0, &t), -EINVAL);
		CHECK_INT(memsrc_text(m, "proc/task/..", 0, &t), -EINVAL);
		CHECK_INT(memsrc_text(m, "proc//etc/passwd", 0, &t), -EINVAL);
		CHECK_INT(memsrc_text(m, "cgroup/etc/passwd", 0, &t), -EPERM);
		CHECK_INT(memsrc_text(m, "cgroup/sys/fs/cgroup/../../../etc/passwd", 0, &t),
			  -EINVAL);
		CHECK_INT(memsrc_text(m, "etc/passwd", 0, &t), -ENOENT);
		CHECK_INT(memsrc_text(m, "meta/none", 0, &t), -ENOENT);
	}
	fixture_stop(&f);
}

TEST(live_notes_keep_the_first_value)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_text_ struct text t = { 0 };
		uint64_t x = 17;

		CHECK_INT(memsrc_note(m, "time", &x), 0);
		CHECK_INT(x, 17);
		x = 18;
		CHECK_INT(memsrc_note(m, "time", &x), 0);
		CHECK_INT(x, 17);
		CHECK_INT(memsrc_text(m, "meta/time", 0, &t), 0);
		CHECK_STR(t.p, "17\n");
	}
	fixture_stop(&f);
}

static bool same_inode(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

TEST(live_files)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_close_ int exe = -1, self = open("/proc/self/exe", O_RDONLY), deleted = -1;
		int none = -1, rc;

		CHECK_INT(memsrc_file(m, "exe", 0, 0, &exe), 0);
		CHECK(same_inode(exe, self));
		rc = memsrc_file(m, "/tmp/x (deleted)", addr(f.file),
				 addr(f.file) + FILE_PAGES * f.page, &deleted);
		if (rc != -EPERM) { /* map_files of a deleted file takes privilege */
			CHECK_INT(rc, 0);
			CHECK(same_inode(deleted, f.fd));
		}
		/* a path that is not the file mapped there */
		CHECK(memsrc_file(m, "/etc/passwd", addr(f.file) + f.page, addr(f.file) + 1,
				  &none) < 0);
		CHECK_INT(none, -1);
	}
	fixture_stop(&f);
}

TEST(live_end_is_noticed)
{
	struct fixture f;

	fixture_start(&f);
	{
		_memsrc_ m = open_or_skip(f.pid);
		_text_ struct text t = { 0 };
		range_vec v = { 0 };
		uint64_t x;

		CHECK_INT(memsrc_alive(m), 0);
		kill(f.pid, SIGKILL);
		waitid(P_PID, f.pid, NULL, WEXITED | WNOWAIT);
		CHECK_INT(memsrc_alive(m), -ESRCH); /* a zombie */
		fixture_kill(&f);
		CHECK_INT(memsrc_alive(m), -ESRCH);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(f.checkered), &x), -ESRCH);
		CHECK_INT(memsrc_pages(m, 0, 0, UINT64_MAX, &v), -ESRCH);
		CHECK_INT(memsrc_text(m, "proc/status", 0, &t), -ESRCH);
		vec_free(&v);
	}
	fixture_stop(&f);
}

TEST(live_exec_is_noticed)
{
	int go[2];
	pid_t pid;

	REQUIRE(!pipe2(go, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		char byte;

		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			execl("/bin/sleep", "sleep", "100", NULL);
		_exit(1);
	}
	{
		_memsrc_ m = open_or_skip(pid);
		char byte = 0;
		uint64_t x;
		int spins = 0;

		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(&pid), &x), 0);
		REQUIRE(write(go[1], &byte, 1) == 1);
		close(go[0]);
		close(go[1]);
		while (!memsrc_alive(m) && spins++ < 5000)
			usleep(1000);
		CHECK_INT(memsrc_alive(m), -ESRCH);
		memsrc_flush(m);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, addr(&pid), &x), -ESRCH);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
