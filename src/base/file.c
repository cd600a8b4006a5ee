/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static int open_at(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };
	int fd = -1;

	if (resolve)
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	if (!resolve || (fd < 0 && errno == ENOSYS))
		fd = openat(dirfd, path, flags);
	return fd;
}

int file_open_regular(int dirfd, const char *path, uint64_t resolve, struct stat *st)
{
	enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	_close_ int at = open_at(dirfd, path, O_PATH | O_CLOEXEC, resolve);
	char self[64];
	int fd;

	if (at < 0 || fstat(at, st))
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -ENOTSUP;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
	fd = open(self, FLAGS);
	if (fd < 0 && errno == ENOENT) /* there is no procfs, or one of others */
		fd = open_at(dirfd, path, FLAGS, resolve);
	return fd < 0 ? -errno : fd;
}

int file_open_within(int dirfd, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
	int fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

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

int file_write_all(int fd, const void *buf, size_t n)
{
	const uint8_t *p = buf;

	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= w;
	}
	return 0;
}
