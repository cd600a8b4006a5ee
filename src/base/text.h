/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings: growable text, whole files, numbers in lines of /proc, bytes for people. */
#ifndef RSSCOPE_BASE_TEXT_H
#define RSSCOPE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct text {
	char *p;  /* NUL-terminated once anything was added; NULL when empty */
	size_t n; /* bytes, without the NUL */
	size_t cap;
};

int text_add(struct text *t, const void *p, size_t n);
int text_printf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_free(struct text *t);
#define _text_ _cleanup_(text_free)

/* Reads a whole file (of unknown size, as in /proc) relative to dirfd, at most `max` bytes.
 * 0, -errno of open/read, -EFBIG past max. */
int text_read_at(int dirfd, const char *path, size_t max, struct text *out);

/* The same of a file that is open, from its beginning, by offset: a file of /proc that is kept open
 * is read again so. */
int text_read_fd(int fd, size_t max, struct text *out);

/* The same of a file that gives all it has to one read that is large enough, as those that the
 * kernel makes with single_open() do: a short read is its end. */
int text_read_whole(int fd, size_t max, struct text *out);

/* The number behind `key` at the start of a line ("VmRSS:\t  12 kB"), times 1024 when the line
 * ends in kB. false when there is no such line or no number. */
bool text_field_u64(const char *text, const char *key, uint64_t *out);

/* Strict decimal: the whole string must be digits. false on anything else or overflow. */
bool text_parse_u64(const char *s, uint64_t *out);

/* "412.6 MiB", "512 B": IEC units, one decimal. Returns buf. */
char *text_bytes(char *buf, size_t n, uint64_t bytes);

/* The same, or with `exact` the plain number. */
char *text_size(char *buf, size_t n, uint64_t bytes, bool exact);

/* Whole MiB, for settings: "512 MiB", rounded up; "512MiB" as GOMEMLIMIT takes it, rounded down.
 * Both return buf. */
char *text_mib_up(char *buf, size_t n, uint64_t bytes);
char *text_memlimit(char *buf, size_t n, uint64_t bytes);

/* Figures that are read together have one unit, that of the largest: " MiB", or "" with `exact`. */
struct text_scale {
	double by;
	const char *unit;
};
struct text_scale text_scale_of(uint64_t largest, bool exact);
/* "64.0", without the unit, into buf, which it returns. */
const char *text_scaled(const struct text_scale *s, char buf[32], uint64_t bytes);

#endif
