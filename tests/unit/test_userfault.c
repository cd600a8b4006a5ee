/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of a userfaultfd, by the text of smaps. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/handle.h"
#include "source/livemem_impl.h"
#include "source/userfault.h"

TEST(userfault_flags_are_parsed)
{
	static const char good[] = "1000-2000 rw-p 00000000 00:00 0 \n"
				   "Size: 4 kB\nVmFlags: rd wr mr mw me um ac \n"
				   "2000-5000 rw-p 00000000 00:00 0 a um b\nVmFlags: rd um2 \n"
				   "6000-7000 rw-p 00000000 00:00 0 \nVmFlags: uw\n"
				   "7000-8000 rw-p 00000000 00:00 0 \nVmFlags: ui rd\n";
	static const char *const bad[] = { "",
					   "Size: 4 kB\n",
					   "VmFlags: um \n",
					   "2000-1000 rw-p 0 0:0 0\n",
					   "2000-3000 rw-p 0 0:0 0\nSize: 4 kB\n",
					   ("2000-3000 rw-p 0 0:0 0\nVmFlags: rd\n"
					    "1000-2000 rw-p 0 0:0 0\nVmFlags: rd\n") };
	range_vec v = { 0 };
	int fd = memfd_create("smaps", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, good, sizeof(good) - 1) == sizeof(good) - 1);
	REQUIRE(!lseek(fd, 0, SEEK_SET));
	CHECK_INT(userfault_parse(fd, &v), 0);
	REQUIRE(v.n == 2);
	CHECK_INT(v.v[0].start, 0x1000);
	CHECK_INT(v.v[0].end, 0x2000);
	CHECK_INT(v.v[1].start, 0x6000);
	CHECK_INT(v.v[1].end, 0x8000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		REQUIRE(!ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
		REQUIRE(write(fd, bad[i], strlen(bad[i])) == (ssize_t)strlen(bad[i]));
		REQUIRE(!lseek(fd, 0, SEEK_SET));
		CHECK_INT(userfault_parse(fd, &v), -EINVAL);
	}
	vec_free(&v);
	close(fd);
}

/* More than is read at once, so that every line is cut in two somewhere, the longest name too. */
TEST(userfault_flags_of_many_mappings)
{
	enum { N = 3000 };
	static char name[20000];
	range_vec v = { 0 };
	int fd = memfd_create("smaps", MFD_CLOEXEC);
	FILE *f = fdopen(fd, "w+");

	REQUIRE(f);
	memset(name, 'V', sizeof(name) - 1);
	for (unsigned int i = 0; i < N; i++)
		fprintf(f, "%x-%x rw-p 00000000 00:00 0 %.*s\nVery: 4 kB\nVmFlags: rd %s \n",
			i * 8192 + 8192, i * 8192 + 12288, i == 1000 ? 19999 : (int)(i % 70), name,
			i % 3 ? "wr" : "um");
	REQUIRE(!fflush(f) && !fseek(f, 0, SEEK_SET));
	CHECK_INT(userfault_parse(fileno(f), &v), 0);
	CHECK_INT(v.n, N / 3);
	for (size_t i = 0; i < v.n; i++)
		CHECK(v.v[i].start == i * 3 * 8192 + 8192 && v.v[i].end == v.v[i].start + 4096);
	vec_free(&v);
	fclose(f);
}

/* A page that nobody has touched, and who registers it when he is told to. */
struct child {
	pid_t pid;
	int to, from;
	uint8_t *page;
	size_t size;
};

static void register_page(const struct child *c)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)c->page, c->size },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	bool ok = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg);

	(void)!write(c->from, ok ? "y" : "n", 1);
}

static void child_start(struct child *c)
{
	int to[2], from[2];
	char go;

	c->size = getpagesize();
	c->page = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(c->page != MAP_FAILED && !pipe(to) && !pipe(from));
	c->pid = fork();
	if (!c->pid) {
		close(to[1]);
		c->from = from[1];
		while (read(to[0], &go, 1) == 1)
			register_page(c);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
}

static void child_stop(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->to);
	close(c->from);
	munmap(c->page, c->size);
}

static bool reads_as_zeros(struct livemem *l, const struct child *c)
{
	range_vec holes = { 0 };
	uint64_t word = 1;
	int r = livemem_read(l, true, (uintptr_t)c->page, &word, sizeof(word), &holes);
	bool zeros = !r && !holes.n && !word;

	vec_free(&holes);
	return zeros;
}

/* Which ranges others fill is asked for once in ten minutes; the clock is the test's. */
TEST(userfault_ranges_are_kept_for_ten_minutes)
{
	const uint64_t age = 600000000000ULL;
	struct handle *h = NULL;
	struct err e = { 0 };
	struct livemem l;
	struct child c;
	char said = 0;

	child_start(&c);
	if (handle_open_live(c.pid, &h, &e)) {
		child_stop(&c);
		SKIP(e.text);
	}
	livemem_init(&l, h);
	CHECK(reads_as_zeros(&l, &c));
	CHECK(write(c.to, "", 1) == 1 && read(c.from, &said, 1) == 1);
	livemem_flush(&l);
	CHECK(reads_as_zeros(&l, &c));
	livemem_age_userfault(&l, l.userfault_ns + age - 1);
	CHECK(reads_as_zeros(&l, &c));
	livemem_age_userfault(&l, l.userfault_ns + age);
	if (said == 'y')
		CHECK(!reads_as_zeros(&l, &c));
	livemem_deinit(&l);
	handle_close(h);
	child_stop(&c);
	if (said != 'y')
		SKIP("no userfaultfd here");
}
