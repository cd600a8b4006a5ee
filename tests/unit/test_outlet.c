/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a stream is written: with a reader that takes nothing for a while, and one that goes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "observe/outlet.h"
#include "test.h"

enum { MUCH = 3 << 20 };

/* Bytes whose order can be told. */
static void put_much(struct outlet *o)
{
	for (uint32_t i = 0; i < MUCH / 8; i++)
		CHECK(!text_printf(&o->out, "%07" PRIx32 "\n", i));
}

static size_t read_some(int fd, char *buf, size_t n)
{
	ssize_t r = read(fd, buf, n);

	return r < 0 ? 0 : r;
}

TEST(outlet_keeps_what_a_reader_does_not_take_and_the_order)
{
	static char got[MUCH + 1];
	struct loop l = { 0 };
	struct outlet o;
	int fd[2];
	size_t n = 0;

	CHECK(!pipe2(fd, O_CLOEXEC) && !outlet_open(&o, &l, fd[1]));
	put_much(&o);
	CHECK(outlet_full(&o) && !outlet_flush(&o)); /* returns though nobody reads */
	CHECK(outlet_left(&o) > 0 && outlet_left(&o) < MUCH && outlet_full(&o));
	CHECK(outlet_stuck_ns(&o, mono_ns() + 5000000000) >= 5000000000);
	while (n < MUCH) {
		size_t k = read_some(fd[0], got + n, MUCH - n);

		CHECK(k > 0);
		if (!k)
			break;
		n += k;
		if (outlet_left(&o))
			CHECK(!loop_turn(&l));
	}
	CHECK(!outlet_left(&o) && !outlet_full(&o) && !outlet_stuck_ns(&o, UINT64_MAX));
	for (uint32_t i = 0; i < MUCH / 8; i++)
		if (strtoul(got + i * 8, NULL, 16) != i) {
			CHECK(!"out of order");
			break;
		}
	CHECK(!(fcntl(fd[1], F_GETFL) & O_NONBLOCK)); /* others may share it */
	outlet_close(&o);
	outlet_close(&o);
	loop_close(&l);
	close(fd[0]);
	close(fd[1]);
}

TEST(outlet_drops_all_when_its_reader_has_gone)
{
	struct loop l = { 0 };
	struct outlet o;
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe2(fd, O_CLOEXEC) && !outlet_open(&o, &l, fd[1]));
	close(fd[0]);
	CHECK(!loop_turn(&l) && o.rc == -EPIPE); /* though nothing was to be written */
	CHECK(!text_add(&o.out, "x", 1) && outlet_flush(&o) == -EPIPE && !outlet_left(&o));
	outlet_close(&o);
	loop_close(&l);
	close(fd[1]);
}

TEST(outlet_writes_files_at_once_and_tells_a_full_disk)
{
	char path[4096], buf[8];
	struct loop l = { 0 };
	struct outlet o;
	int fd;

	snprintf(path, sizeof(path), "%s/outlet", test_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !outlet_open(&o, &l, fd));
	put_much(&o);
	CHECK(!outlet_flush(&o) && !outlet_left(&o) && lseek(fd, 0, SEEK_END) == MUCH);
	CHECK(pread(fd, buf, 8, MUCH - 8) == 8 && strtoul(buf, NULL, 16) == MUCH / 8 - 1);
	outlet_close(&o);
	close(fd);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		CHECK(!outlet_open(&o, &l, fd) && !text_add(&o.out, "x", 1));
		CHECK(outlet_flush(&o) == -ENOSPC && o.rc == -ENOSPC);
		outlet_close(&o);
		close(fd);
	}
	loop_close(&l);
}
