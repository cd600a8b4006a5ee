/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * absent FILE: memory that is mapped but not there, which a reader must not bring in. Prints its
 * addresses as a line of JSON and sleeps until stdin ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 32 << 20, TOUCHED = 4 << 20 };

static char *map(const char *name, int prot, int flags, int fd)
{
	char *p = mmap(NULL, SIZE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	printf("%s\"%s\":\"%p\"", strcmp(name, "untouched") ? "," : "{", name, (void *)p);
	return p;
}

int main(int argc, char **argv)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
	char *none, *touched, buf[64];
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, SIZE))
		return 1;
	if (!map("untouched", rw, anon | MAP_NORESERVE, -1) ||
	    !map("file", PROT_READ, MAP_SHARED, fd) || !map("private_file", rw, MAP_PRIVATE, fd))
		return 1;
	/* Resident, and then not readable; and never touched, not readable. */
	none = map("none_touched", rw, anon, -1);
	if (!none || !map("none", PROT_NONE, anon, -1))
		return 1;
	memset(none, 1, TOUCHED);
	if (mprotect(none, SIZE, PROT_NONE))
		return 1;
	/* Resident in front, absent behind; pageout may swap the front out. */
	touched = map("touched", rw, anon, -1);
	if (!touched)
		return 1;
	memset(touched, 1, TOUCHED);
	printf("}\n");
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
	return 0;
}
