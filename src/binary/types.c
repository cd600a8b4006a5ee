/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Type descriptors (internal/abi/type.go; runtime/type.go up to 1.20), known by what they hold: a
 * program does not list all of them. They lie on 8 bytes, up to 1.26 between names, and nothing in
 * them that is looked at is a pointer, which a PIE's file would not hold.
 *
 *   0 size, ptrdata  16 hash  20 tflag, align, fieldAlign, kind  40 name, pointer to this: offsets
 *   48 more by kind; then, with its tflag, {package's path, methods, …}; fields, methods
 */
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/parts.h"

enum {
	WINDOW = 64 << 10,
	RTYPE = 48,
	UNCOMMON = 16,
	TFLAG_UNCOMMON = 1,
	TFLAG_STAR = 2,
	TFLAG_NAMED = 4,
	MANY = 1 << 16, /* fields, methods */
	QUIET = 1 << 20,
	NAME_HEAD = 12,
};

enum { /* internal/abi, Kind */
       KIND_BOOL = 1,
       KIND_ARRAY = 17,
       KIND_CHAN,
       KIND_FUNC,
       KIND_INTERFACE,
       KIND_MAP,
       KIND_POINTER,
       KIND_SLICE,
       KIND_STRING,
       KIND_STRUCT,
       KIND_UNSAFE_POINTER,
};

/* A map's descriptor: with buckets, with groups, with places in these (internal/abi/map*.go). */
static unsigned int map_size(const struct bin *b)
{
	const char *version = bin_go(b)->version;
	unsigned int minor = 99;

	sscanf(version, "go1.%3u", &minor);
	if (minor < 24 || strstr(version, "noswissmap"))
		return 88;
	return minor < 27 ? 112 : 136;
}

int types_begin(struct bin *b, const struct module *m, struct type_walk *out)
{
	uint64_t off, avail;

	*out = (struct type_walk){ .b = b, .base = m->types, .at = m->types };
	if (!m->types || m->etypes <= m->types || m->etypes > INT64_MAX ||
	    image_off(b, m->types, &off, &avail))
		return 0;
	out->limit = m->etypes - m->types < avail ? m->etypes : m->types + avail;
	out->end = out->limit;
	if (m->itabs > m->types && m->itabs < out->limit)
		out->end = m->itabs; /* 1.27: names come behind these */
	else
		out->quiet = QUIET;
	out->map_size = map_size(b);
	out->buf = malloc(WINDOW);
	return out->buf ? 0 : -ENOMEM;
}

void types_end(struct type_walk *w)
{
	free(w->buf);
	*w = (struct type_walk){ 0 };
}

/* n bytes (below WINDOW) at an address below limit, or NULL. */
static const uint8_t *bytes_at(struct type_walk *w, uint64_t at, size_t n)
{
	size_t want;

	if (at < w->base || at > w->limit || n > w->limit - at)
		return NULL;
	if (at >= w->win && at - w->win <= w->n && n <= w->n - (at - w->win))
		return w->buf + (at - w->win);
	want = w->limit - at < WINDOW ? w->limit - at : WINDOW;
	w->n = 0;
	if (bin_read(w->b, at, w->buf, want))
		return NULL;
	w->win = at;
	w->n = want;
	return w->buf;
}

/* A name: flags; its length, up to 1.16 in two bytes, high first, later as a varint; its bytes. Up
 * to 12 of them into head. False: there is none. */
static bool read_name(struct type_walk *w, uint32_t at, char head[NAME_HEAD], uint64_t *off,
		      uint32_t *len)
{
	uint64_t vaddr = w->base + at, avail;
	uint8_t h[4] = { 0 };

	memset(head, 0, NAME_HEAD);
	if (!at || at >= w->limit - w->base || w->limit - vaddr < sizeof(h) + 1 ||
	    bin_read(w->b, vaddr, h, sizeof(h)) || h[0] > 0xf)
		return false;
	if (!h[1]) {
		*len = h[2];
		vaddr += 3;
	} else {
		*len = h[1] & 0x80 ? (h[1] & 0x7fu) | (uint32_t)h[2] << 7 : h[1];
		vaddr += h[1] & 0x80 ? 3 : 2;
	}
	if (!*len || *len > w->limit - vaddr || image_off(w->b, vaddr, off, &avail) || *len > avail)
		return false;
	return !io_read(w->b->io, *off, head, *len < NAME_HEAD - 1 ? *len : NAME_HEAD - 1) &&
	       (uint8_t)head[0] > ' ';
}

/* Whether size and pointers are what the kind has: {size, ptrdata}, 0xff: any. */
static bool fits(unsigned int kind, uint64_t size, uint64_t ptrdata)
{
	static const uint8_t of[KIND_UNSAFE_POINTER + 1][2] = {
		[1] = { 1, 0 },	   [2] = { 8, 0 },  [3] = { 1, 0 },   [4] = { 2, 0 },
		[5] = { 4, 0 },	   [6] = { 8, 0 },  [7] = { 8, 0 },   [8] = { 1, 0 },
		[9] = { 2, 0 },	   [10] = { 4, 0 }, [11] = { 8, 0 },  [12] = { 8, 0 },
		[13] = { 4, 0 },   [14] = { 8, 0 }, [15] = { 8, 0 },  [16] = { 16, 0 },
		[17] = { 255, 0 }, [18] = { 8, 8 }, [19] = { 8, 8 },  [20] = { 16, 16 },
		[21] = { 8, 8 },   [22] = { 8, 8 }, [23] = { 24, 8 }, [24] = { 16, 8 },
		[25] = { 255, 0 }, [26] = { 8, 8 },
	};

	if (of[kind][0] == 255)
		return size < 1ULL << 40 && ptrdata <= size && ptrdata % 8 == 0;
	return size == of[kind][0] && (ptrdata == of[kind][1] || kind == KIND_POINTER);
}

/* What its string begins with, where it has no name. */
static bool reads_as(unsigned int kind, const char *s)
{
	static const char *const begins[KIND_UNSAFE_POINTER + 1] = {
		[KIND_ARRAY] = "[",	    [KIND_FUNC] = "func(", [KIND_INTERFACE] = "interface",
		[KIND_MAP] = "map[",	    [KIND_POINTER] = "*",  [KIND_SLICE] = "[]",
		[KIND_STRUCT] = "struct {",
	};

	if (kind == KIND_CHAN)
		return !strncmp(s, "chan", 4) || !strncmp(s, "<-chan", 6);
	return begins[kind] && !strncmp(s, begins[kind], strlen(begins[kind]));
}

static bool is_power(unsigned int x)
{
	return x && x <= 64 && !(x & (x - 1));
}

/* The 48 bytes of one, with its name. */
static bool is_type(struct type_walk *w, const uint8_t *t)
{
	unsigned int kind = t[23] & 31, tflag = t[20];
	const char *s;
	char head[NAME_HEAD];
	uint64_t off;
	uint32_t len;

	if (kind < KIND_BOOL || kind > KIND_UNSAFE_POINTER || tflag > 63 || !is_power(t[21]) ||
	    !is_power(t[22]) || t[22] > t[21] * 2 || !load_u32(t + 16) ||
	    !fits(kind, load_u64(t), load_u64(t + 8)))
		return false;
	if (!read_name(w, load_u32(t + 40), head, &off, &len))
		return false;
	if (tflag & TFLAG_STAR && head[0] != '*')
		return false;
	s = head + !!(tflag & TFLAG_STAR);
	return tflag & TFLAG_NAMED || reads_as(kind, s);
}

/* Bytes of the part by kind, *more: those that follow what is common. False: absurd. */
static bool size_by_kind(const struct type_walk *w, const uint8_t *t, uint64_t *base,
			 uint64_t *more)
{
	uint64_t n = load_u64(t + 64);

	*base = RTYPE;
	*more = 0;
	switch (t[23] & 31) {
	case KIND_ARRAY:
		*base = RTYPE + 24;
		break;
	case KIND_CHAN:
		*base = RTYPE + 16;
		break;
	case KIND_FUNC:
		*base = RTYPE + 8;
		*more = 8 * (load_u16(t + 48) + (load_u16(t + 50) & 0x7fffu));
		break;
	case KIND_INTERFACE:
	case KIND_STRUCT:
		*base = RTYPE + 32;
		if (n != load_u64(t + 72) || n > MANY)
			return false;
		*more = n * ((t[23] & 31) == KIND_STRUCT ? 24 : 8);
		break;
	case KIND_MAP:
		*base = w->map_size;
		break;
	case KIND_POINTER:
	case KIND_SLICE:
		*base = RTYPE + 8;
		break;
	}
	return true;
}

static bool measure(struct type_walk *w, uint64_t at, struct type_found *out)
{
	enum { MOST = RTYPE + 96 };
	uint8_t t[MOST] = { 0 };
	const uint8_t *p = bytes_at(w, at, RTYPE);
	uint64_t base, more;
	char head[NAME_HEAD];

	if (!p || !is_type(w, p))
		return false;
	/* at the very end there may be less than the longest one has */
	p = bytes_at(w, at, w->limit - at < MOST ? w->limit - at : MOST);
	if (!p)
		return false;
	memcpy(t, p, w->limit - at < MOST ? w->limit - at : MOST);
	if (!size_by_kind(w, t, &base, &more))
		return false;
	*out = (struct type_found){ .start = at, .end = at + base + more };
	p = t[20] & TFLAG_UNCOMMON ? bytes_at(w, at + base, UNCOMMON) : NULL;
	if (p) {
		uint32_t package = load_u32(p);
		uint64_t methods = load_u16(p + 4), moff = load_u32(p + 8);

		if (moff < UNCOMMON || moff > UNCOMMON + more + 8)
			moff = UNCOMMON + more;
		out->end = at + base + moff + 16 * methods;
		if (!read_name(w, package, head, &out->package, &out->npackage))
			out->npackage = 0;
	}
	if (out->end > w->end)
		out->end = w->end;
	return true;
}

int types_next(struct type_walk *w, struct type_found *out)
{
	w->at = (w->at + 7) & ~7ULL;
	for (; w->at < w->end && w->end - w->at >= RTYPE; w->at += 8) {
		if (w->quiet && w->last && w->at - w->last > w->quiet)
			break;
		if (!measure(w, w->at, out))
			continue;
		w->at = w->last = out->end;
		return 1;
	}
	w->at = w->end;
	return 0;
}
