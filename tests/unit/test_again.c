/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read again and again, on a forked child that changes its memory when it is told to. */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/memsrc.h"
#include "source/memsrc_impl.h"

enum { PAGES = 40 };

struct child {
	pid_t pid;
	int to, from;
	size_t page;
	uint8_t *mem; /* PAGES pages, written; their first word is `cell` */
	struct memsrc *m;
};

static volatile uint64_t *cell(const struct child *c)
{
	return (void *)c->mem;
}

static void obey(struct child *c, int to, int from)
{
	char what;

	while (read(to, &what, 1) == 1) {
		if (what == '+')
			++*cell(c);
		if (what == 'd') /* all but the first page */
			madvise(c->mem + c->page, (PAGES - 1) * c->page, MADV_DONTNEED);
		if (what == 'w')
			c->mem[5 * c->page] = 77;
		if (what == 'u')
			munmap(c->mem + 5 * c->page, c->page);
		if (write(from, &what, 1) != 1)
			break;
	}
	_exit(0);
}

static void start(struct child *c)
{
	int to[2], from[2];
	struct err e = { 0 };
	int r;

	c->page = getpagesize();
	c->mem = mmap(NULL, PAGES * c->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	REQUIRE(c->mem != MAP_FAILED && !pipe(to) && !pipe(from));
	madvise(c->mem, PAGES * c->page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PAGES * c->page; i++)
		c->mem[i] = i * 7 + i / c->page;
	*cell(c) = 1;
	c->pid = fork();
	if (!c->pid) {
		close(to[1]);
		close(from[0]);
		obey(c, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
	r = memsrc_open_live(c->pid, &c->m, &e);
	if (r == -EPERM || r == -EACCES)
		SKIP(e.text);
	REQUIRE(!r);
}

static void stop(struct child *c)
{
	memsrc_close(c->m);
	close(c->to);
	close(c->from);
	waitpid(c->pid, NULL, 0);
	munmap(c->mem, PAGES * c->page);
}

static void tell(struct child *c, char what)
{
	REQUIRE(write(c->to, &what, 1) == 1 && read(c->from, &what, 1) == 1);
}

static uint64_t read_cell(struct child *c)
{
	uint64_t x = 0;

	CHECK_INT(memsrc_u64(c->m, PASS_BOOKS, (uintptr_t)c->mem, &x), 0);
	return x;
}

TEST(again_reads_ahead_what_this_reader_has_read)
{
	struct child c;

	start(&c);
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(read_cell(&c), 1);
	tell(&c, '+');
	CHECK_INT(read_cell(&c), 1); /* one moment */
	memsrc_again(c.m, READER_SNAPSHOT);
	tell(&c, '+');
	/* this reader has not read it before: it is read now */
	CHECK_INT(read_cell(&c), 3);
	memsrc_again(c.m, READER_COUNTERS); /* and this one has: as it is at this moment */
	tell(&c, '+');
	CHECK_INT(read_cell(&c), 3);
	memsrc_again(c.m, READER_SECOND);
	memsrc_again(c.m, READER_COUNTERS);
	tell(&c, '+');
	CHECK_INT(read_cell(&c), 4);
	/* what nobody has asked for the last time is forgotten */
	memsrc_again(c.m, READER_SNAPSHOT);
	memsrc_again(c.m, READER_SNAPSHOT);
	tell(&c, '+');
	CHECK_INT(read_cell(&c), 6);
	stop(&c);
}

/* Of untouched memory a reader of counters knows from the last time that it is mapped; everybody
 * else, and he after a flush, asks. What it holds is always read. */
TEST(again_untouched_memory)
{
	struct child c;
	uint64_t x, at;

	start(&c);
	at = (uintptr_t)c.mem + 5 * c.page;
	tell(&c, 'd');
	for (int i = 0; i < 3; i++) {
		memsrc_again(c.m, READER_COUNTERS);
		CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, at, &x), 0);
		CHECK_INT(x, 0);
	}
	tell(&c, 'w');
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, at, &x), 0);
	CHECK_INT(x, 77);
	tell(&c, 'd');
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, at, &x), 0);
	CHECK_INT(x, 0);
	tell(&c, 'u');
	memsrc_again(c.m, READER_SNAPSHOT);
	CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, at, &x), -EFAULT);
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, at, &x), -EFAULT);
	stop(&c);
}

/* Also what was read by large reads, and by gathers. */
TEST(again_knows_large_reads_and_gathers)
{
	struct child c;
	uint64_t at[3];
	uint8_t got[3][16], *buf;
	bool bad[3];
	size_t n;

	start(&c);
	n = 30 * c.page - 100;
	if (n > 128 << 10)
		n = 100 << 10;
	buf = malloc(n);
	for (int i = 0; i < 3; i++)
		at[i] = (uintptr_t)c.mem + (size_t)(31 + 2 * i) * c.page + c.page - 8;
	for (int round = 0; round < 3; round++) {
		memsrc_again(c.m, READER_COUNTERS);
		if (round)
			tell(&c, '+');
		memset(buf, 0, n);
		CHECK_INT(memsrc_read(c.m, PASS_SPANS, (uintptr_t)c.mem + 4, buf, n), 0);
		CHECK(!memcmp(buf + 4, c.mem + 8, n - 4));
		/* in the first round the read comes after the change, then before it */
		CHECK_INT(memsrc_gather(c.m, PASS_SPANS, at, 3, 16, got, bad), 0);
		for (int i = 0; i < 3; i++)
			CHECK(!bad[i] && !memcmp(got[i], (void *)(uintptr_t)at[i], 16));
		CHECK_INT(read_cell(&c), round ? round : 1);
	}
	free(buf);
	stop(&c);
}

static uint64_t resident(struct child *c)
{
	uint64_t sum = 0;
	range_vec v = { 0 };

	CHECK_INT(memsrc_pages(c->m, 0, (uintptr_t)c->mem, (uintptr_t)c->mem + PAGES * c->page, &v),
		  0);
	for (size_t i = 0; i < v.n; i++)
		if (v.v[i].flags & PAGE_PRESENT)
			sum += v.v[i].end - v.v[i].start;
	vec_free(&v);
	return sum / c->page;
}

/* The target gives pages back between two times: reading ahead must not fault them in. */
static void check_absent(bool scan)
{
	struct child c;
	uint8_t *buf;
	size_t n;

	start(&c);
	if (!scan)
		memsrc_live_force_pagemap(c.m);
	n = 8 * c.page < 100 << 10 ? 8 * c.page : 100 << 10;
	buf = malloc(n);
	memsrc_again(c.m, READER_COUNTERS);
	read_cell(&c);
	for (int i = 0; i < PAGES; i++)
		CHECK_INT(memsrc_read(c.m, PASS_BOOKS, (uintptr_t)c.mem + i * c.page, buf, 8), 0);
	CHECK_INT(memsrc_read(c.m, PASS_BOOKS, (uintptr_t)c.mem, buf, n), 0);
	CHECK_INT(resident(&c), PAGES);
	tell(&c, 'd');
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(resident(&c), 1);
	CHECK_INT(memsrc_read(c.m, PASS_BOOKS, (uintptr_t)c.mem, buf, n), 0);
	for (size_t i = c.page; i < n; i++)
		CHECK(!buf[i]);
	CHECK_INT(memsrc_read(c.m, PASS_BOOKS, (uintptr_t)c.mem + 9 * c.page, buf, 8), 0);
	CHECK_INT(memsrc_read(c.m, PASS_DISCOVER, (uintptr_t)c.mem + 9 * c.page, buf, 8), -ENODATA);
	CHECK_INT(resident(&c), 1);
	free(buf);
	stop(&c);
}

TEST(again_leaves_absent_pages_absent)
{
	check_absent(true);
}

TEST(again_leaves_absent_pages_absent_without_scan)
{
	check_absent(false);
}

TEST(again_of_a_process_that_has_ended)
{
	struct child c;
	uint64_t x;

	start(&c);
	memsrc_again(c.m, READER_COUNTERS);
	read_cell(&c);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	memsrc_again(c.m, READER_COUNTERS);
	CHECK_INT(memsrc_u64(c.m, PASS_BOOKS, (uintptr_t)c.mem, &x), -ESRCH);
	stop(&c);
}
