/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps one file three times, a memfd twice, shared anonymous memory twice, and says as a line of
 * JSON how many bytes of that RSS counts beyond the first time. Sleeps until stdin ends.
 *
 * With an argument it is the witness: `repeated PID` counts the pages of that process which the
 * page map calls a file's, and their different frames ("frames": 0: we are not shown them).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_SIZE = 8 << 20, MEMFD = 4 << 20, ANON = 2 << 20, HOLE = 1 << 20, COPIED = 1 << 20 };

static volatile unsigned char sink;

static void touch(const volatile unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i += getpagesize())
		sink += p[i];
}

static unsigned char *map(size_t n, int prot, int flags, int fd, off_t off)
{
	unsigned char *p = mmap(NULL, n, prot, flags, fd, off);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	if (prot != PROT_NONE)
		touch(p, n);
	return p;
}

static int make_file(int fd, size_t n)
{
	unsigned char *b = malloc(n);
	int ok;

	memset(b, 7, n);
	ok = fd >= 0 && write(fd, b, n) == (ssize_t)n;
	free(b);
	return ok;
}

/* Bytes beyond the first time. */
static long map_all(void)
{
	char name[] = "/var/tmp/rsscope-repeated.XXXXXX";
	int file = mkstemp(name), memfd = memfd_create("twice", MFD_CLOEXEC);
	unsigned char *p, *again;

	unlink(name);
	if (!make_file(file, FILE_SIZE) || !make_file(memfd, MEMFD))
		return -1;
	/* whole; all but the first MiB; privately, with the last MiB of it copied */
	map(FILE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	map(FILE_SIZE - HOLE, PROT_READ, MAP_SHARED, file, HOLE);
	p = map(FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	memset(p + FILE_SIZE - COPIED, 1, COPIED);
	touch(p, FILE_SIZE); /* a huge page of which some is copied is unmapped whole */
	/* behind each other in the file: no page twice */
	map(MEMFD / 2, PROT_READ, MAP_SHARED, memfd, 0);
	map(MEMFD / 2, PROT_READ, MAP_SHARED, memfd, MEMFD / 2);
	/* and once more */
	map(MEMFD, PROT_READ, MAP_SHARED, memfd, 0);
	p = map(ANON, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(p, 3, ANON);
	again = mremap(p, 0, ANON, MREMAP_MAYMOVE); /* of shared memory: a second mapping */
	if (again == MAP_FAILED)
		return -1;
	touch(again, ANON);
	return (FILE_SIZE - HOLE) + (FILE_SIZE - COPIED) + MEMFD + ANON;
}

/* ---- the witness */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int witness(const char *pid)
{
	const uint64_t page = getpagesize(), max = 1 << 20;
	uint64_t *frame = calloc(max, sizeof(*frame)), n = 0, different = 0, start, end, entry;
	char path[64], line[4096], perms[8];
	unsigned long long inode;
	int fd;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	fd = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	f = fopen(path, "r");
	if (fd < 0 || !f || !frame)
		return 1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s %*x %*s %llu", &start, &end, perms, &inode) != 4 ||
		    !inode)
			continue;
		for (; start < end && n < max; start += page)
			if (pread(fd, &entry, 8, start / page * 8) == 8 && entry >> 63 &&
			    entry >> 61 & 1)
				frame[n++] = entry & ((1ULL << 55) - 1);
	}
	qsort(frame, n, sizeof(*frame), by_value);
	for (uint64_t i = 0; i < n; i++)
		different += frame[i] && (!i || frame[i] != frame[i - 1]);
	printf("{\"pages\":%lu,\"frames\":%lu}\n", n * page, different * page);
	return 0;
}

int main(int argc, char **argv)
{
	char buf[64];
	long beyond;

	if (argc > 1)
		return witness(argv[1]);
	beyond = map_all();
	if (beyond < 0)
		return 1;
	printf("{\"beyond\":%ld}\n", beyond);
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
	return 0;
}
