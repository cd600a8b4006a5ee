/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pageout PID: asks the kernel to swap out the anonymous memory of PID (process_madvise with
 * MADV_PAGEOUT, kernel 5.10; without swap space it does nothing). Exit 77: this kernel can't.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

int main(int argc, char **argv)
{
	char path[64], line[512];
	long pid = argc == 2 ? atol(argv[1]) : 0;
	int pidfd;
	FILE *f;

	if (pid <= 0)
		return 2;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	snprintf(path, sizeof(path), "/proc/%ld/maps", pid);
	f = fopen(path, "re");
	if (pidfd < 0 || !f)
		return 1;
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, inode;
		struct iovec v;
		char perms[8];

		if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &start, &end, perms, &inode) != 4 ||
		    inode || strchr(line, '['))
			continue;
		v = (struct iovec){ (void *)start, end - start };
		if (syscall(SYS_process_madvise, pidfd, &v, 1, MADV_PAGEOUT, 0) < 0 &&
		    (errno == ENOSYS || errno == EPERM))
			return 77;
	}
	fclose(f);
	return 0;
}
