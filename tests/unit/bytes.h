/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up bytes as files. */
#ifndef RSSCOPE_TEST_BYTES_H
#define RSSCOPE_TEST_BYTES_H

#include <stddef.h>

#include "base/err.h"

struct bin;
struct memsrc;

/* A memfd that holds them, for the caller to close. */
int bytes_fd(const void *p, size_t n);

/* As bin_open of such a file: *b is NULL unless 0; e is cleared first. */
int bytes_open_bin(const void *p, size_t n, struct bin **b, struct err *e);

/* As memsrc_open_file of such a file; e is cleared first. */
int bytes_open_memsrc(const void *p, size_t n, struct memsrc **m, struct err *e);

#endif
