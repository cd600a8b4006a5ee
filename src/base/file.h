/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading at a place of a file, whatever interrupts or shortens the system call. */
#ifndef RSSCOPE_BASE_FILE_H
#define RSSCOPE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As many of n bytes as there are: their number, or -errno of pread. */
ssize_t file_read_some(int fd, uint64_t off, void *buf, size_t n);

/* All n bytes: 0, -EIO where the file ends before, -errno of pread. */
int file_read_at(int fd, uint64_t off, void *buf, size_t n);

#endif
