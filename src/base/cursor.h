/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded reader over bytes that nobody vouches for: ELF files, captures, target memory.
 *
 * Reading past the end yields 0 and sets `bad` for good; `bad_at` keeps the first failing offset.
 * So a decoder reads a whole record and asks once. Nothing here allocates; the bytes are borrowed.
 * All integers are little-endian (amd64 and arm64 Linux are).
 */
#ifndef RSSCOPE_BASE_CURSOR_H
#define RSSCOPE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *p;
	size_t len, pos;
	bool bad;
	size_t bad_at;
};

static inline struct cursor cursor_make(const void *p, size_t len)
{
	return (struct cursor){ .p = p, .len = len };
}

/* The next n bytes, or NULL (and bad) when fewer are left. */
static inline const void *cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *r;

	if (c->bad || n > c->len - c->pos) {
		if (!c->bad)
			c->bad_at = c->pos;
		c->bad = true;
		return NULL;
	}
	r = c->p + c->pos;
	c->pos += n;
	return r;
}

static inline void cursor_seek(struct cursor *c, size_t pos)
{
	if (pos > c->len) {
		if (!c->bad)
			c->bad_at = pos;
		c->bad = true;
		return;
	}
	c->pos = pos;
}

#define CURSOR_INT(name, type)                                                                     \
	static inline type cursor_##name(struct cursor *c)                                         \
	{                                                                                          \
		type x = 0;                                                                        \
		const void *p = cursor_bytes(c, sizeof(x));                                        \
                                                                                                   \
		if (p)                                                                             \
			memcpy(&x, p, sizeof(x));                                                  \
		return x;                                                                          \
	}
CURSOR_INT(u8, uint8_t)
CURSOR_INT(u16, uint16_t)
CURSOR_INT(u32, uint32_t)
CURSOR_INT(u64, uint64_t)
#undef CURSOR_INT

/* Unsigned LEB128 (Go's binary.Uvarint); more than 64 bits is bad. */
uint64_t cursor_uvarint(struct cursor *c);

/* Little-endian loads from memory that the caller has bounded. */
static inline uint16_t load_u16(const void *p)
{
	uint16_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint32_t load_u32(const void *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64_t load_u64(const void *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

#endif
