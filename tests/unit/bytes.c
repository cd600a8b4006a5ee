/* SPDX-License-Identifier: BSD-2-Clause */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "binary/binary.h"
#include "source/memsrc.h"

int bytes_fd(const void *p, size_t n)
{
	int fd = memfd_create("bytes", MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
	return fd;
}

int bytes_open_bin(const void *p, size_t n, struct bin **b, struct err *e)
{
	_close_ int fd = bytes_fd(p, n);

	*e = (struct err){ 0 };
	*b = NULL;
	return bin_open(fd, b, e);
}

int bytes_open_memsrc(const void *p, size_t n, struct memsrc **m, struct err *e)
{
	_close_ int fd = bytes_fd(p, n);
	char path[64];

	*e = (struct err){ 0 };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return memsrc_open_file(path, m, e);
}
