/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

ssize_t file_read_some(int fd, uint64_t off, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)buf + done, n - done, off + done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			break;
		done += r;
	}
	return done;
}

int file_read_at(int fd, uint64_t off, void *buf, size_t n)
{
	ssize_t r = file_read_some(fd, off, buf, n);

	return r < 0 ? (int)r : (size_t)r < n ? -EIO : 0;
}
