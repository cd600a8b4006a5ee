/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps the first page of each of N files DIR/lib0.so … as code, as a program with many plugins
 * does, then N pages of anonymous memory that are code and constants by turns. Says so, waits for
 * the end of stdin. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[1]) : 0, page = sysconf(_SC_PAGESIZE);
	char path[4096], *p;

	for (long i = 0; i < n; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/lib%ld.so", argv[2], i);
		fd = open(path, O_RDONLY);
		p = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		if (fd < 0 || p == MAP_FAILED || *(volatile char *)p != 0x7f) {
			perror(path);
			return 1;
		}
		close(fd);
	}
	p = mmap(NULL, (n + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < n; i++) {
		p[i * page] = 1;
		if (mprotect(p + i * page, page, PROT_READ | (i & 1 ? PROT_EXEC : 0))) {
			perror("mprotect");
			return 1;
		}
	}
	puts("{\"ready\":true}");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
