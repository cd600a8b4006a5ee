/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded reads of one file, with a small block cache and a record of what was read.
 *
 * pread, never mmap: a shared library can be overwritten or truncated in place while we look, and
 * a mapping would turn that into SIGBUS. Memory is constant (the cache), whatever the file's size.
 */
#ifndef RSSCOPE_BINARY_IO_H
#define RSSCOPE_BINARY_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/range.h"
#include "binary/binary.h"

struct bin_io;

/* Duplicates fd. -EINVAL when it is no regular file. */
int io_open(int fd, struct bin_io **out, struct err *e);
void io_close(struct bin_io *io); /* NULL-safe */

/* The descriptor, opened again when it had to be closed: borrowed until the next call. -errno. */
int io_fd(struct bin_io *io);
uint64_t io_size(const struct bin_io *io); /* bytes */
void io_identity(const struct bin_io *io, struct bin_identity *out);

/* Which file it is. 0 or -errno of fstat. */
int io_identify(int fd, struct bin_identity *out);

/*
 * Files that share a bound on open descriptors. Beyond it that of the one read longest ago is
 * closed, its cached blocks freed. Zero-initialised but for max; for one thread.
 */
struct io_pool {
	size_t max, open;
	struct bin_io *newest, *oldest; /* of those that are open */
	uint64_t closed, reopened;
};

/* Opens it again: *fd of the same file. 0 or -errno. */
typedef int io_reopen_fn(void *ctx, void *what, int *fd);

/* From here on io is one of them, until it is closed; the pool outlives it. */
void io_pool_add(struct bin_io *io, struct io_pool *p, io_reopen_fn *fn, void *ctx, void *what);
/* Takes over a descriptor of the same file, where it has none: *fd is -1 then. */
void io_pool_give(struct bin_io *io, int *fd);
/* Closes its descriptor and frees its blocks. */
void io_pool_release(struct bin_io *io);
/* Closes the oldest until at most `most` are open. */
void io_pool_shrink(struct io_pool *p, size_t most);

/* All len bytes at off, or -EFAULT (outside the file, or it shrank) or -errno of pread. Recorded
 * while recording is on. */
int io_read(struct bin_io *io, uint64_t off, void *buf, size_t len);

/* The cached bytes from off to the end of its block: *n of them, at least 1, valid until the next
 * call. NULL outside the file. Not recorded. */
const uint8_t *io_peek(struct bin_io *io, uint64_t off, size_t *n);

/*
 * Calls fn over [off, off + len), clamped to the file, in windows that overlap by `overlap` bytes
 * (so that nothing shorter than overlap + 1 is missed at a border) until it returns non-zero.
 * Not recorded: fn notes its hits. -EFBIG once the allowance is used up.
 */
typedef int io_scan_fn(void *ctx, uint64_t off, const uint8_t *p, size_t n);
int io_scan(struct bin_io *io, uint64_t off, uint64_t len, size_t overlap, io_scan_fn *fn,
	    void *ctx);

/* How many bytes io_scan may go over from now on (at most 2 GiB): a hostile file has segments that
 * overlap, or is a terabyte of holes. */
void io_allow(struct bin_io *io, uint64_t bytes);

/* Recording: on from io_open until io_record_end, which sorts and merges. */
int io_note(struct bin_io *io, uint64_t off, uint64_t len);
void io_record_end(struct bin_io *io);
const range_vec *io_pieces(const struct bin_io *io); /* by file offset; flags 0 */

/*
 * Recording of what is read here and there from now on, to the grain of 64 bytes, strings that are
 * given out again included. fn gets the ranges when it ends, in order, until it returns non-zero,
 * which io_scraps returns. -ENOMEM; -EFBIG: of a file of more than 64 GiB.
 */
int io_record_again(struct bin_io *io);
int io_scraps(struct bin_io *io, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx);
/* Not while a question is answered that goes over the whole file: what it was before. */
bool io_record_pause(struct bin_io *io, bool pause);
/* Reads that io_peek serves, for those who use it. */
void io_touch(struct bin_io *io, uint64_t off, uint64_t len);

/* Strings of the file that were given out: one copy each, kept until intern_free. */
struct intern_slot {
	uint64_t off;
	char *s; /* NULL: free slot */
};
struct intern {
	struct intern_slot *slot;
	size_t n, cap; /* cap is a power of two */
	size_t bytes;
};

/* The NUL-terminated string at file offset off that ends before `end`. -EINVAL when it does not
 * (or is longer than 64 KiB), -ENOSPC when 64 MiB of strings are out, -ENOMEM. */
int intern_get(struct intern *t, struct bin_io *io, uint64_t off, uint64_t end, const char **out);
void intern_free(struct intern *t);

/* 1 when the NUL-terminated string at off is `s` (of n bytes), 0 when not, -EFAULT outside. */
int io_streq(struct bin_io *io, uint64_t off, const char *s, size_t n);

#endif
