/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside goruntime/: small reads of runtime structures by layout field. */
#ifndef RSSCOPE_GORUNTIME_RD_H
#define RSSCOPE_GORUNTIME_RD_H

#include <time.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "goruntime/goruntime.h"

struct go_slice {
	uint64_t ptr, len, cap;
};

static inline int rd(const struct go_runtime *rt, enum memsrc_pass pass, uint64_t addr, void *buf,
		     size_t n)
{
	return memsrc_read(rt->m, pass, addr, buf, n);
}

/* Reads of the runtime's variables: zeroed ones (bss) that nobody has touched yet are zeros that
 * need no page. Only swapped pages hold something that can't be read. */
static inline int rd_vars(const struct go_runtime *rt, enum memsrc_pass pass, uint64_t addr,
			  void *buf, size_t n)
{
	int r = memsrc_read(rt->m, pass, addr, buf, n);

	return r == -ENODATA && !rt->swapped ? 0 : r;
}

static inline int rd_u64(const struct go_runtime *rt, enum memsrc_pass pass, uint64_t addr,
			 uint64_t *out)
{
	return memsrc_read(rt->m, pass, addr, out, 8);
}

/* The same n bytes at off behind each of the addresses at[0..count), of which those that are 0 are
 * none: fn gets those that could be read, in order. 0, or -errno. */
typedef void rd_each_fn(void *ctx, size_t i, const uint8_t *buf);
int rd_each(const struct go_runtime *rt, enum memsrc_pass pass, const uint64_t *at, size_t count,
	    int64_t off, size_t n, rd_each_fn *fn, void *ctx);

static inline int rd_slice(const struct go_runtime *rt, enum memsrc_pass pass, uint64_t addr,
			   struct go_slice *s)
{
	int r = rd_vars(rt, pass, addr, s, sizeof(*s));

	return r ? r : s->len > s->cap ? -EINVAL : 0;
}

/* A field of a structure that was read into buf of n bytes; 0 when the layout has no such field
 * or it lies outside (a layout that does not fit the buffer). */
static inline uint64_t get_u64(const struct go_layout *l, enum go_field f, const uint8_t *buf,
			       size_t n)
{
	int64_t o = l->f[f];

	return o < 0 || (size_t)o + 8 > n ? 0 : load_u64(buf + o);
}

static inline uint32_t get_u32(const struct go_layout *l, enum go_field f, const uint8_t *buf,
			       size_t n)
{
	int64_t o = l->f[f];

	return o < 0 || (size_t)o + 4 > n ? 0 : load_u32(buf + o);
}

static inline uint8_t get_u8(const struct go_layout *l, enum go_field f, const uint8_t *buf,
			     size_t n)
{
	int64_t o = l->f[f];

	return o < 0 || (size_t)o >= n ? 0 : buf[o];
}

/* An integer of the given width: fields such as mspan.nelems shrank from 8 to 2 bytes. */
static inline uint64_t get_uint(const struct go_layout *l, enum go_field f, enum go_field width,
				const uint8_t *buf, size_t n)
{
	int64_t o = l->f[f], w = l->f[width];
	uint64_t x = 0;

	if (o < 0 || w < 1 || w > 8 || (size_t)(o + w) > n)
		return 0;
	if (w == 2)
		return load_u16(buf + o);
	if (w == 8)
		return load_u64(buf + o);
	memcpy(&x, buf + o, w);
	return x;
}

/* Before what was read is read again, for the attempt-th time: first at once, later with time for a
 * running process to end what it is in the middle of. */
static inline void rd_again(const struct go_runtime *rt, unsigned int attempt)
{
	enum { AT_ONCE = 4, PAUSE_NS = 500000 };

	if (attempt >= AT_ONCE && memsrc_kind(rt->m) == MEMSRC_LIVE)
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	memsrc_flush(rt->m);
}

static inline uint64_t page_down(const struct go_runtime *rt, uint64_t a)
{
	return a & ~(uint64_t)(memsrc_page_size(rt->m) - 1);
}

static inline uint64_t page_up(const struct go_runtime *rt, uint64_t a)
{
	return page_down(rt, a + memsrc_page_size(rt->m) - 1);
}

#endif
