/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening what others name; reading and writing whatever interrupts or shortens the call. */
#ifndef RSSCOPE_BASE_FILE_H
#define RSSCOPE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens a regular file for reading. Looks at it first through a descriptor that opens nothing
 * (O_PATH): to open a device can rewind a tape or start a watchdog, and a FIFO blocks. resolve:
 * RESOLVE_* of openat2(2), from Linux 5.6, ignored on older ones. The descriptor, which the caller
 * closes, and *st; -ENOTSUP no regular file, else -errno. */
int file_open_regular(int dirfd, const char *path, uint64_t resolve, struct stat *st);

/* Opens for reading what lies in the file system that dirfd is in, also above it ("../x"), through
 * no symbolic link. The descriptor, or -errno; -ENOSYS before Linux 5.6. */
int file_open_within(int dirfd, const char *path);

/* As many of n bytes as there are: their number, or -errno of pread. */
ssize_t file_read_some(int fd, uint64_t off, void *buf, size_t n);

/* All n bytes: 0, -EIO where the file ends before, -errno of pread. */
int file_read_at(int fd, uint64_t off, void *buf, size_t n);

/* All n bytes: 0 or -errno of write. */
int file_write_all(int fd, const void *p, size_t n);

#endif
