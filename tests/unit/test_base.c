/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/sort.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/file.h"
#include "base/range.h"
#include "base/text.h"
#include "test.h"

TEST(cursor_stops_at_the_end)
{
	struct cursor c = cursor_make("\1\2\3\4\5", 5);

	CHECK_INT(cursor_u32(&c), 0x04030201);
	CHECK(!c.bad);
	CHECK_INT(cursor_u16(&c), 0);
	CHECK(c.bad);
	CHECK_INT(c.bad_at, 4);
	CHECK_INT(cursor_u8(&c), 0); /* bad for good */
}

TEST(cursor_uvarint_is_bounded)
{
	struct cursor c = cursor_make("\x96\x01", 2);

	CHECK_INT(cursor_uvarint(&c), 150);
	c = cursor_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
	CHECK_INT(cursor_uvarint(&c), 0);
	CHECK(c.bad);
	c = cursor_make("\x80", 1);
	cursor_uvarint(&c);
	CHECK(c.bad);
}

TEST(range_find_and_merge)
{
	range_vec v = { 0 };

	CHECK_INT(range_append(&v, 0x1000, 0x2000, 1), 0);
	CHECK_INT(range_append(&v, 0x2000, 0x3000, 1), 0);
	CHECK_INT(range_append(&v, 0x3000, 0x4000, 2), 0);
	CHECK_INT(range_append(&v, 0x8000, 0x9000, 3), 0);
	CHECK_INT(v.n, 3);
	CHECK_INT(range_find(v.v, v.n, 0x2fff), 0);
	CHECK_INT(range_find(v.v, v.n, 0x3000), 1);
	CHECK_INT(range_find(v.v, v.n, 0x4000), -1);
	CHECK_INT(range_find(v.v, v.n, 0x9000), -1);
	CHECK_INT(range_lower(v.v, v.n, 0x4000), 2);
	vec_free(&v);
}

TEST(range_unite_merges_overlaps)
{
	range_vec v = { 0 };

	CHECK_INT(vec_push(&v, (struct range){ 5, 9, 1 }), 0);
	CHECK_INT(vec_push(&v, (struct range){ 1, 3, 2 }), 0);
	CHECK_INT(vec_push(&v, (struct range){ 2, 4, 1 }), 0);
	CHECK_INT(vec_push(&v, (struct range){ 6, 7, 1 }), 0);
	CHECK_INT(vec_push(&v, (struct range){ 9, 10, 1 }), 0);
	range_unite(&v);
	CHECK_INT(v.n, 2);
	CHECK_INT(v.v[0].start, 1);
	CHECK_INT(v.v[0].end, 4);
	CHECK_INT(v.v[1].start, 5);
	CHECK_INT(v.v[1].end, 10);
	vec_free(&v);
}

TEST(text_fields_and_numbers)
{
	uint64_t x = 7;
	char buf[32];

	CHECK(text_field_u64("Name:\tx\nVmRSS:\t  12 kB\n", "VmRSS:", &x));
	CHECK_INT(x, 12288);
	CHECK(!text_field_u64("VmRSS: none\n", "VmRSS:", &x));
	CHECK(!text_field_u64("VmPeak: 1 kB\n", "VmRSS:", &x));
	CHECK(!text_parse_u64("12x", &x));
	CHECK(!text_parse_u64("-1", &x));
	CHECK(!text_parse_u64("18446744073709551616", &x));
	CHECK(text_parse_u64("18446744073709551615", &x));
	CHECK_STR(text_bytes(buf, sizeof(buf), 0), "0 B");
	CHECK_STR(text_bytes(buf, sizeof(buf), 1023), "1023 B");
	CHECK_STR(text_bytes(buf, sizeof(buf), 1024), "1.0 KiB");
	CHECK_STR(text_bytes(buf, sizeof(buf), 432645775), "412.6 MiB");
	CHECK_STR(text_bytes(buf, sizeof(buf), 1048575), "1.0 MiB");
	CHECK_STR(text_size(buf, sizeof(buf), 1048575, true), "1048575");
	CHECK_STR(text_size(buf, sizeof(buf), 1048575, false), "1.0 MiB");
	CHECK_STR(text_mib_up(buf, sizeof(buf), 1048576), "1 MiB");
	CHECK_STR(text_mib_up(buf, sizeof(buf), 1048577), "2 MiB");
	CHECK_STR(text_memlimit(buf, sizeof(buf), 2097151), "1MiB");
}

TEST(err_prefix_keeps_the_text)
{
	struct err e = { 0 };

	CHECK_INT(err_set(&e, -2, "open %s", "x"), -2);
	CHECK_INT(err_prefix(&e, -5, "capture"), -5);
	CHECK_STR(e.text, "capture: open x");
	CHECK_INT(err_set(NULL, -3, "x"), -3);
}

/* The new beginning fits, the old text is cut, the end is one. */
TEST(err_prefix_cuts_a_long_text)
{
	char longest[2 * sizeof(((struct err *)0)->text)];
	struct err e = { 0 };

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	err_set(&e, -2, "%s", longest);
	err_prefix(&e, -5, "capture");
	CHECK_INT(strlen(e.text), sizeof(e.text) - 1);
	CHECK(!strncmp(e.text, "capture: xxx", 12));
}

/* What is no regular file is not even opened: inotify would tell. */
TEST(file_opens_regular_ones_only)
{
	_close_ int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), fd = -1;
	char path[4096], event[4096];
	struct stat st;

	REQUIRE(notify >= 0);
	snprintf(path, sizeof(path), "%s/fifo", test_dir());
	REQUIRE(!mkfifo(path, 0600) && inotify_add_watch(notify, path, IN_OPEN) >= 0);
	CHECK_INT(file_open_regular(AT_FDCWD, path, 0, &st), -ENOTSUP);
	CHECK(read(notify, event, sizeof(event)) < 0 && errno == EAGAIN);
	CHECK_INT(file_open_regular(AT_FDCWD, test_dir(), 0, &st), -ENOTSUP);
	CHECK_INT(file_open_regular(AT_FDCWD, "/dev/null", 0, &st), -ENOTSUP);
	CHECK_INT(file_open_regular(AT_FDCWD, "/nonexistent", 0, &st), -ENOENT);
	snprintf(path, sizeof(path), "%s/file", test_dir());
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, "abcdef", 6) == 6);
	close_fd(&fd);
	fd = file_open_regular(AT_FDCWD, path, 0, &st);
	REQUIRE(fd >= 0);
	CHECK_INT(st.st_size, 6);
	CHECK_INT(file_read_some(fd, 2, event, 10), 4);
	CHECK(!memcmp(event, "cdef", 4));
	CHECK_INT(file_read_at(fd, 2, event, 4), 0);
	CHECK_INT(file_read_at(fd, 3, event, 4), -EIO);
	CHECK(write(fd, "x", 1) < 0); /* for reading */
}

TEST(keys_are_sorted_above_their_index)
{
	enum { N = 5000, INDEX_BITS = 16 };
	static const uint64_t top[] = { 0, 5, 0x7ff, 0x800, 0xffffffff, (1ULL << 48) - 1 };
	static uint64_t key[2 * N];
	uint64_t x = 7;

	for (size_t t = 0; t < ARRAY_LEN(top); t++) {
		uint64_t max = 0, *sorted;

		for (size_t i = 0; i < N; i++) {
			uint64_t k = (x = x * 6364136223846793005u + 1) >> 16 & top[t];

			key[i] = k << INDEX_BITS | i;
			max = k > max ? k : max;
		}
		sorted = sort_keys(key, key + N, N, INDEX_BITS, max);
		for (size_t i = 1; i < N; i++) /* equal ones stay in their order */
			if (sorted[i - 1] >= sorted[i]) {
				test_failed(__FILE__, __LINE__, "top %zu, key %zu", t, i);
				break;
			}
	}
	CHECK(sort_keys(key, key + N, 0, INDEX_BITS, 0) != NULL);
}

TEST(text_whole_is_the_whole)
{
	_text_ struct text in_pieces = { 0 }, whole = { 0 }, small = { 0 };
	_close_ int file = open(test_dir(), O_RDWR | O_TMPFILE, 0600);
	_close_ int kernel = open("/proc/self/limits", O_RDONLY);
	enum { N = 100000 };
	char *p = malloc(N);

	REQUIRE(file >= 0 && kernel >= 0 && p);
	for (int i = 0; i < N; i++)
		p[i] = 'a' + i % 26;
	REQUIRE(write(file, p, N) == N);
	CHECK_INT(text_read_whole(file, N, &whole), 0);
	CHECK(whole.n == N && !memcmp(whole.p, p, N) && !whole.p[N]);
	CHECK_INT(text_read_whole(file, N - 1, &small), -EFBIG);
	free(p);
	text_free(&whole);
	CHECK_INT(text_read_whole(kernel, 1 << 20, &whole), 0);
	CHECK_INT(text_read_fd(kernel, 1 << 20, &in_pieces), 0);
	CHECK(whole.n > 100 && !strcmp(whole.p, in_pieces.p));
}

TEST(file_within_stays_in_its_file_system)
{
	_close_ int proc = open("/proc/self", O_RDONLY | O_DIRECTORY), dir = -1, fd = -1;
	char path[256];

	REQUIRE(proc >= 0);
	fd = file_open_within(proc, "../uptime");
	if (fd == -ENOSYS)
		SKIP("openat2 is not there");
	CHECK(fd >= 0);
	CHECK_INT(file_open_within(proc, "../../etc/passwd"), -EXDEV);
	snprintf(path, sizeof(path), "%s/link", test_dir());
	REQUIRE(!symlink("/proc/uptime", path));
	dir = open(test_dir(), O_RDONLY | O_DIRECTORY);
	CHECK_INT(file_open_within(dir, "link"), -ELOOP);
	CHECK_INT(file_open_within(dir, "none"), -ENOENT);
	unlink(path);
}
