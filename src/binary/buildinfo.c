/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Go's build information (src/debug/buildinfo/buildinfo.go, src/runtime/debug/mod.go): which Go
 * built this, which module, with cgo or not. A 32-byte header, 16-byte aligned:
 *
 *   0  "\xff Go buildinf:"   14 pointer size   15 flags: 1 big-endian, 2 inline strings
 *   ≤1.17: 16, 24 pointers to the string headers of version and modinfo
 *   ≥1.18: at 32 the two strings, each a varint length and the bytes
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	HEADER = 32,
	ALIGN = 16,
	FLAG_BIG_ENDIAN = 1,
	FLAG_INLINE = 2,
	VERSION_MAX = 4096,
	MODINFO_MAX = 4 << 20,
	SENTINEL = 16, /* modload.infoStart, infoEnd */
	VARINT_MAX = 10,
	TRIES_MAX = 64, /* look-alikes that a scan examines */
};

static const char magic[] = "\xff Go buildinf:";

/* Into a fixed buffer, cut at a byte; control characters become '?': it is shown to people. */
static void put_text(char *out, size_t size, const char *p, size_t n)
{
	if (n > size - 1)
		n = size - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)p[i] < 0x20 || p[i] == 0x7f ? '?' : p[i];
	out[n] = 0;
}

/* ---- modinfo */

/* The field after "key\t" of the line [p, end); fields are tab-separated. */
static bool line_field(const char *p, const char *end, const char *key, const char **field,
		       size_t *n)
{
	size_t k = strlen(key);
	const char *tab;

	if ((size_t)(end - p) <= k || memcmp(p, key, k) || p[k] != '\t')
		return false;
	p += k + 1;
	tab = memchr(p, '\t', end - p);
	*field = p;
	*n = (tab ? tab : end) - p;
	return true;
}

static void parse_line(struct bin_go *g, const char *p, const char *end, bool *has_mod,
		       bool *has_cgo)
{
	const char *f;
	size_t n;

	if (line_field(p, end, "path", &f, &n) && !*has_mod) {
		put_text(g->module, sizeof(g->module), f, n);
	} else if (line_field(p, end, "mod", &f, &n) && !*has_mod) {
		const char *v = f + n + 1, *stop;
		size_t used;

		*has_mod = true;
		put_text(g->module, sizeof(g->module), f, n);
		used = strlen(g->module);
		if (v >= end || used + 2 > sizeof(g->module))
			return;
		stop = memchr(v, '\t', end - v);
		if (!stop)
			stop = end;
		g->module[used] = ' ';
		put_text(g->module + used + 1, sizeof(g->module) - used - 1, v, stop - v);
	} else if (line_field(p, end, "build", &f, &n) && n > 12 &&
		   !memcmp(f, "CGO_ENABLED=", 12)) {
		*has_cgo = true;
		g->cgo = n == 13 && f[12] == '1';
	}
}

/* Whether CGO_ENABLED was recorded (from 1.18). */
static bool parse_modinfo(struct bin_go *g, const char *p, size_t n)
{
	bool has_mod = false, has_cgo = false;
	const char *end;

	/* as readRawBuildInfo does: anything else is no modinfo */
	if (n < 2 * SENTINEL + 1 || p[n - SENTINEL - 1] != '\n')
		return false;
	end = p + n - SENTINEL;
	for (p += SENTINEL; p < end;) {
		const char *nl = memchr(p, '\n', end - p);

		if (!nl)
			nl = end;
		parse_line(g, p, nl, &has_mod, &has_cgo);
		p = nl + 1;
	}
	return has_cgo;
}

/* ---- the header */

/* Reads n bytes at vaddr into a new buffer. */
static int read_bytes(const struct bin *b, uint64_t vaddr, size_t n, char **out)
{
	char *p = malloc(n + 1);
	int r;

	if (!p)
		return -ENOMEM;
	r = bin_read(b, vaddr, p, n);
	if (r) {
		free(p);
		return r;
	}
	p[n] = 0;
	*out = p;
	return 0;
}

/* An inline string; *vaddr moves behind it. */
static int read_inline(const struct bin *b, uint64_t *vaddr, size_t max, char **out, size_t *n)
{
	uint8_t len[VARINT_MAX];
	uint64_t off, avail, size;
	struct cursor c;
	int r;

	if (image_off(b, *vaddr, &off, &avail))
		return -EFAULT;
	c = cursor_make(len, avail < sizeof(len) ? avail : sizeof(len));
	r = bin_read(b, *vaddr, len, c.len);
	if (r)
		return r;
	size = cursor_uvarint(&c);
	if (c.bad || size > max || size > avail - c.pos)
		return -EINVAL;
	if (size) {
		r = read_bytes(b, *vaddr + c.pos, size, out);
		if (r)
			return r;
	}
	*vaddr += c.pos + size;
	*n = size;
	return 0;
}

/* A Go string by the address of its header {data, len}. */
static int read_pointed(const struct bin *b, uint64_t header, size_t max, char **out, size_t *n)
{
	uint64_t w[2];
	int r = image_words(b, header, w, 2);

	if (r)
		return r;
	if (w[1] > max)
		return -EINVAL;
	*n = w[1];
	return w[1] ? read_bytes(b, w[0], w[1], out) : 0;
}

/* Decodes the header at vaddr. -EINVAL when it is none. */
static int decode(struct bin *b, uint64_t vaddr)
{
	_free_ char *version = NULL, *mod = NULL;
	size_t nversion = 0, nmod = 0;
	uint8_t h[HEADER];
	int r = bin_read(b, vaddr, h, sizeof(h));

	if (r)
		return r;
	if (memcmp(h, magic, sizeof(magic) - 1))
		return -EINVAL;
	if (h[15] & FLAG_INLINE) {
		uint64_t at = vaddr + HEADER;

		r = read_inline(b, &at, VERSION_MAX, &version, &nversion);
		if (!r && read_inline(b, &at, MODINFO_MAX, &mod, &nmod) == -ENOMEM)
			r = -ENOMEM;
	} else if (h[14] == 8 && !(h[15] & FLAG_BIG_ENDIAN)) {
		uint64_t p[2];

		r = image_words(b, vaddr + 16, p, 2);
		if (!r)
			r = read_pointed(b, p[0], VERSION_MAX, &version, &nversion);
		if (!r && p[1] && read_pointed(b, p[1], MODINFO_MAX, &mod, &nmod) == -ENOMEM)
			r = -ENOMEM;
	} else {
		r = -EINVAL;
	}
	if (r)
		return r;
	if (!nversion)
		return -EINVAL;
	b->go.is_go = true;
	put_text(b->go.version, sizeof(b->go.version), version, nversion);
	if (!mod || !parse_modinfo(&b->go, mod, nmod))
		b->go.cgo = symbols_cgo(b);
	return 0;
}

struct magic_scan {
	struct bin *b;
	uint64_t vaddr; /* of file offset `off` */
	uint64_t off;
	unsigned int tries;
};

/* 1 found and decoded. */
static int scan_magic(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct magic_scan *s = ctx;
	uint64_t vaddr = s->vaddr + (off - s->off);

	for (size_t i = -vaddr & (ALIGN - 1); i + sizeof(magic) - 1 <= n; i += ALIGN) {
		int r;

		if (p[i] != 0xff || memcmp(p + i, magic, sizeof(magic) - 1))
			continue;
		r = decode(s->b, vaddr + i);
		if (!r || r == -ENOMEM)
			return r ? r : 1;
		if (++s->tries == TRIES_MAX)
			return -EINVAL;
	}
	return 0;
}

int buildinfo_read(struct bin *b)
{
	const struct bin_sec *sec = section_find(b, ".go.buildinfo");
	struct magic_scan s = { .b = b };
	int r = 0;

	if (sec && !image_off(b, sec->addr, &s.off, &(uint64_t){ 0 })) {
		s.vaddr = sec->addr;
		r = io_scan(b->io, s.off, sec->size, ALIGN - 1, scan_magic, &s);
	}
	/* No such section: the linker puts it near the start of the data segment. */
	for (size_t i = 0; i < b->seg.n && !r; i++) {
		const struct bin_segment *seg = &b->seg.v[i];

		if (!(seg->flags & BIN_SEG_W))
			continue;
		s.vaddr = seg->vaddr;
		s.off = seg->offset;
		r = io_scan(b->io, s.off, seg->filesz, ALIGN - 1, scan_magic, &s);
	}
	return r == -ENOMEM ? r : 0;
}
