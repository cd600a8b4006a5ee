/* SPDX-License-Identifier: BSD-2-Clause */
/* Binaries that processes share, with fewer descriptors than files. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "binary/shelf.h"
#include "elf_writer.h"

enum { FILES = 100 };

/* A user of files, who notes how often each was opened. */
struct user {
	unsigned int opens;
	bool gone;
};

static int open_it(void *owner, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct user *u = owner;

	if (u->gone)
		return -ESRCH;
	u->opens++;
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

static struct bin *get(struct shelf *s, struct user *u, const char *path)
{
	struct shelf_opener o = { .open = open_it, .owner = u, .path = path };
	struct err e = { 0 };
	struct bin *b = NULL;

	if (shelf_get(s, &o, &b, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(b);
	return b;
}

/* A file whose first loaded byte is `mark`. */
static void write_file(const char *path, uint8_t mark)
{
	uint8_t body[64] = { mark };
	_text_ struct text file = { 0 };
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct elfw w;

	elfw_init(&w, ET_EXEC, EM_X86_64);
	elfw_load(&w, PF_R, 0x400000, body, sizeof(body), sizeof(body));
	elfw_finish(&w, &file);
	elfw_free(&w);
	REQUIRE(fd >= 0 && !file_write_all(fd, file.p, file.n));
}

static void name_file(char path[256], unsigned int i)
{
	snprintf(path, 256, "%s/shelf%d.%u", test_dir(), (int)getpid(), i);
}

static int first_byte(const struct bin *b)
{
	uint8_t x;
	int r = bin_read(b, 0x400000, &x, 1);

	return r ? r : x;
}

static struct shelf_stats stats(const struct shelf *s)
{
	struct shelf_stats x;

	shelf_stats(s, &x);
	return x;
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(shelf_shares_an_image)
{
	struct user u = { 0 }, v = { 0 };
	struct shelf *s = NULL;
	struct bin *a, *b;
	char path[256];

	name_file(path, 0);
	write_file(path, 7);
	REQUIRE(!shelf_create(0, &s));
	a = get(s, &u, path);
	b = get(s, &v, path);
	CHECK(a == b);
	CHECK_INT(stats(s).images, 1);
	CHECK_INT(stats(s).shared, 1);
	CHECK_INT(stats(s).open, 1);
	/* the one who opened it has gone */
	shelf_put(s, a, &u);
	CHECK_INT(first_byte(b), 7);
	shelf_put(s, b, &v);
	CHECK_INT(stats(s).idle, 1);
	CHECK_INT(stats(s).open, 0);
	/* and back before it was forgotten */
	b = get(s, &v, path);
	CHECK(a == b);
	CHECK_INT(first_byte(b), 7);
	/* another file of that name is another image */
	REQUIRE(!unlink(path));
	write_file(path, 8);
	a = get(s, &u, path);
	CHECK(a != b);
	CHECK_INT(first_byte(a), 8);
	CHECK_INT(first_byte(b), 7);
	shelf_put(s, a, &u);
	shelf_put(s, b, &v);
	CHECK_INT(shelf_trim(s), 2);
	CHECK_INT(stats(s).images, 0);
	shelf_destroy(s);
	shelf_put(NULL, NULL, NULL);
}

TEST(shelf_bounds_descriptors)
{
	unsigned int before = open_descriptors();
	struct bin *b[FILES];
	struct shelf *s = NULL;
	struct user u = { 0 };
	char path[256];

	REQUIRE(!shelf_create(4, &s));
	for (unsigned int i = 0; i < FILES; i++) {
		name_file(path, i);
		write_file(path, i);
		b[i] = get(s, &u, path);
		CHECK(open_descriptors() <= before + 4);
	}
	CHECK_INT(stats(s).closed, FILES - 4);
	for (unsigned int i = 0; i < FILES; i++)
		CHECK_INT(first_byte(b[i]), i);
	CHECK(open_descriptors() <= before + 4);
	/* what was read last is what stays open */
	u.opens = 0;
	for (unsigned int k = 0; k < 10; k++)
		for (unsigned int i = FILES - 4; i < FILES; i++)
			CHECK_INT(first_byte(b[i]), i);
	CHECK_INT(u.opens, 0);
	/* the first of them is read again: the one that was read longest ago goes */
	CHECK_INT(bin_fd(b[FILES - 4]) >= 0, 1);
	CHECK_INT(first_byte(b[0]), 0);
	CHECK_INT(u.opens, 1);
	CHECK_INT(bin_fd(b[FILES - 4]) >= 0, 1);
	CHECK_INT(u.opens, 1);
	for (unsigned int i = 0; i < FILES; i++)
		shelf_put(s, b[i], &u);
	CHECK_INT(stats(s).open, 0);
	CHECK_INT(stats(s).images, SHELF_IDLE);
	shelf_destroy(s);
	CHECK_INT(open_descriptors(), before);
}

TEST(shelf_reopens_the_same_file_only)
{
	struct user u = { 0 }, v = { 0 };
	struct shelf *s = NULL;
	char path[2][256];
	struct bin *a, *b;

	for (unsigned int i = 0; i < 2; i++) {
		name_file(path[i], i);
		write_file(path[i], i + 1);
	}
	REQUIRE(!shelf_create(1, &s));
	a = get(s, &u, path[0]);
	CHECK(get(s, &v, path[0]) == a);
	b = get(s, &u, path[1]);
	/* one of its users has ended, the other opens it */
	u.gone = true;
	CHECK_INT(first_byte(a), 1);
	u.gone = false;
	CHECK_INT(first_byte(b), 2);
	/* another file lies there by now */
	REQUIRE(!unlink(path[0]));
	write_file(path[0], 9);
	CHECK_INT(first_byte(a), -ESTALE);
	CHECK_INT(bin_fd(a), -ESTALE);
	CHECK_INT(first_byte(b), 2);
	shelf_put(s, a, &u);
	shelf_put(s, a, &v);
	shelf_put(s, b, &u);
	shelf_destroy(s);
}

TEST(shelf_at_rest)
{
	struct shelf_stats before, rested, after;
	struct user u = { 0 };
	struct shelf *s = NULL;
	struct bin *b[3];
	char path[256];

	REQUIRE(!shelf_create(0, &s));
	for (unsigned int i = 0; i < 3; i++) {
		name_file(path, i);
		write_file(path, i + 1);
		b[i] = get(s, &u, path);
	}
	shelf_stats(s, &before);
	shelf_rest(s);
	shelf_stats(s, &rested);
	CHECK(before.open == 3 && before.most == SHELF_FDS);
	CHECK(rested.open == 0 && rested.images == 3 && rested.idle == 0);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_INT(first_byte(b[i]), i + 1);
	shelf_stats(s, &after);
	CHECK(after.open == 3 && after.reopened == 3);
	for (unsigned int i = 0; i < 3; i++)
		shelf_put(s, b[i], &u);
	shelf_destroy(s);
}

TEST(shelf_where_descriptors_are_few)
{
	struct rlimit old, few = { 24, 24 };
	struct bin *b[FILES];
	struct shelf *s = NULL;
	struct user u = { 0 };
	char path[256];

	for (unsigned int i = 0; i < FILES; i++) {
		name_file(path, i);
		write_file(path, i);
	}
	REQUIRE(!shelf_create(FILES, &s) && !getrlimit(RLIMIT_NOFILE, &old));
	few.rlim_max = old.rlim_max;
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &few));
	for (unsigned int i = 0; i < FILES; i++) {
		name_file(path, i);
		b[i] = get(s, &u, path);
	}
	for (unsigned int i = 0; i < FILES; i++)
		CHECK_INT(first_byte(b[i]), i);
	for (unsigned int i = 0; i < FILES; i++)
		shelf_put(s, b[i], &u);
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &old));
	shelf_destroy(s);
}
