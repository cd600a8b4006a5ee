/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of a userfaultfd, by the text of smaps. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
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
