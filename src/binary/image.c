/* SPDX-License-Identifier: BSD-2-Clause */
/* The file as it lies in memory: addresses, and pointers that a PIE's relocations fill in. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	DYN_MAX = 1024, /* entries of PT_DYNAMIC */
	RELA_PARTS = 8,
};

int image_off(const struct bin *b, uint64_t vaddr, uint64_t *off, uint64_t *avail)
{
	for (size_t i = 0; i < b->seg.n; i++) {
		const struct bin_segment *s = &b->seg.v[i];
		uint64_t at = vaddr - s->vaddr;

		if (vaddr < s->vaddr || at >= s->filesz || s->offset + at >= io_size(b->io))
			continue;
		*off = s->offset + at;
		*avail = s->filesz - at;
		if (*avail > io_size(b->io) - *off)
			*avail = io_size(b->io) - *off;
		return 0;
	}
	return -EFAULT;
}

int bin_read(const struct bin *b, uint64_t vaddr, void *buf, size_t len)
{
	uint64_t off, avail;
	int r = image_off(b, vaddr, &off, &avail);

	if (r || len > avail)
		return -EFAULT;
	return io_read(b->io, off, buf, len);
}

/* ---- relocations */

struct rela_part {
	uint64_t off, size; /* in the file */
};

bool image_dynamic(const struct bin *b, int64_t tag, uint64_t *out)
{
	for (size_t i = 0; i < DYN_MAX && (i + 1) * sizeof(Elf64_Dyn) <= b->dynamic.filesz; i++) {
		Elf64_Dyn d;

		if (io_read(b->io, b->dynamic.off + i * sizeof(d), &d, sizeof(d)) ||
		    d.d_tag == DT_NULL)
			return false;
		if (d.d_tag == tag) {
			*out = d.d_un.d_val;
			return true;
		}
	}
	return false;
}

/* The table that the loader would use: PT_DYNAMIC's, else (a static PIE without one) the
 * sections that are loaded. */
static size_t rela_parts(const struct bin *b, struct rela_part *out)
{
	uint64_t rela, size, off, avail;
	size_t n = 0;

	if (image_dynamic(b, DT_RELA, &rela) && image_dynamic(b, DT_RELASZ, &size) &&
	    !image_off(b, rela, &off, &avail)) {
		out[0] = (struct rela_part){ off, size < avail ? size : avail };
		return 1;
	}
	for (size_t i = 0; i < b->sec.n && n < RELA_PARTS; i++) {
		const struct bin_sec *s = &b->sec.v[i];

		if (s->type == SHT_RELA && s->flags & SHF_ALLOC)
			out[n++] = (struct rela_part){ s->off, s->size };
	}
	return n;
}

struct rela_walk {
	rela_fn *fn;
	void *ctx;
	uint32_t relative;
	uint64_t next; /* file offset of the next entry */
};

static int walk_rela(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct rela_walk *w = ctx;

	for (; w->next + RELA_ENTRY <= off + n; w->next += RELA_ENTRY) {
		const uint8_t *q = p + (w->next - off);
		int r;

		if (load_u32(q + 8) != w->relative)
			continue;
		r = w->fn(w->ctx, load_u64(q), load_u64(q + 16), w->next);
		if (r)
			return r;
	}
	return 0;
}

int image_rela(const struct bin *b, rela_fn *fn, void *ctx)
{
	struct rela_walk w = { .fn = fn, .ctx = ctx };
	struct rela_part part[RELA_PARTS];
	size_t n;

	if (b->type != ET_DYN)
		return 0;
	if (b->machine == EM_X86_64)
		w.relative = R_X86_64_RELATIVE;
	else if (b->machine == EM_AARCH64)
		w.relative = R_AARCH64_RELATIVE;
	else
		return 0;
	n = rela_parts(b, part);
	for (size_t i = 0; i < n; i++) {
		int r;

		w.next = part[i].off;
		r = io_scan(b->io, part[i].off, part[i].size, RELA_ENTRY - 1, walk_rela, &w);
		if (r)
			return r;
	}
	return 0;
}

struct words {
	const struct bin *b;
	uint64_t vaddr;
	uint64_t *out;
	size_t n;
};

static int put_word(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	struct words *w = ctx;

	if (vaddr < w->vaddr || (vaddr - w->vaddr) / 8 >= w->n || (vaddr - w->vaddr) % 8)
		return 0;
	w->out[(vaddr - w->vaddr) / 8] = addend;
	return io_note(w->b->io, off, RELA_ENTRY);
}

int image_words(const struct bin *b, uint64_t vaddr, uint64_t *out, size_t n)
{
	struct words w = { b, vaddr, out, n };
	int r = bin_read(b, vaddr, out, n * sizeof(*out));

	return r ? r : image_rela(b, put_word, &w);
}

struct many {
	const struct image_span *span;
	size_t n;
	uint64_t *out;
};

/* The last span that begins at or below vaddr. */
static const struct image_span *span_below(const struct many *m, uint64_t vaddr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->span[mid].vaddr <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &m->span[lo - 1] : NULL;
}

static int put_many(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	const struct many *m = ctx;
	const struct image_span *x = span_below(m, vaddr);

	if (x && (vaddr - x->vaddr) / 8 < x->n && (vaddr - x->vaddr) % 8 == 0)
		m->out[x->first + (vaddr - x->vaddr) / 8] = addend;
	return 0;
}

int image_words_many(const struct bin *b, const struct image_span *span, size_t n, uint64_t *out)
{
	struct many m = { span, n, out };

	for (size_t i = 0; i < n; i++) {
		int r = bin_read(b, span[i].vaddr, out + span[i].first, span[i].n * sizeof(*out));

		if (r)
			return r;
	}
	return n ? image_rela(b, put_many, &m) : 0;
}

/* ---- pointers */

struct pointers {
	uint64_t lo, hi;
	pointer_fn *fn;
	void *ctx;
	const struct bin_segment *seg; /* being scanned */
};

static int scan_pointers(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct pointers *s = ctx;
	uint64_t vaddr = s->seg->vaddr + (off - s->seg->offset);

	for (size_t i = -vaddr & 7; i + 8 <= n; i += 8) {
		uint64_t w = load_u64(p + i);
		int r;

		if (w < s->lo || w >= s->hi)
			continue;
		r = s->fn(s->ctx, vaddr + i, w, off + i, 8);
		if (r)
			return r;
	}
	return 0;
}

static int rela_pointer(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off)
{
	struct pointers *s = ctx;

	if (addend < s->lo || addend >= s->hi)
		return 0;
	return s->fn(s->ctx, vaddr, addend, off, RELA_ENTRY);
}

int image_pointers(const struct bin *b, uint64_t lo, uint64_t hi, pointer_fn *fn, void *ctx)
{
	struct pointers s = { .lo = lo, .hi = hi, .fn = fn, .ctx = ctx };

	for (size_t i = 0; i < b->seg.n; i++) {
		int r;

		s.seg = &b->seg.v[i];
		if (!(s.seg->flags & PF_W))
			continue;
		r = io_scan(b->io, s.seg->offset, s.seg->filesz, 7, scan_pointers, &s);
		if (r)
			return r;
	}
	return image_rela(b, rela_pointer, &s);
}

/* ---- the loader's view */

uint64_t bin_bias(const struct bin *b, uint64_t map_start, uint64_t map_offset)
{
	if (b->type != ET_DYN)
		return 0;
	/* The kernel truncates offset and address by the page, which the file does not know: 4, 16
	 * or 64 KiB. The segment that starts in the mapping's page wins, lowest first. */
	for (unsigned int shift = 12; shift <= 16; shift += 2)
		for (size_t i = 0; i < b->seg.n; i++) {
			const struct bin_segment *s = &b->seg.v[i];

			if (s->filesz && s->offset >> shift << shift == map_offset)
				return map_start - map_offset - (s->vaddr - s->offset);
		}
	for (size_t i = 0; i < b->seg.n; i++) {
		const struct bin_segment *s = &b->seg.v[i];

		if (map_offset >= s->offset && map_offset - s->offset < s->filesz)
			return map_start - map_offset - (s->vaddr - s->offset);
	}
	return map_start - map_offset;
}
