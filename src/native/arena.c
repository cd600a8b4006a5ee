/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc's heaps, recognised by their headers; the chunks inside are not walked here.
 *
 * heap_info (malloc/arena.c, 2.26–2.41): {mstate ar_ptr; heap_info *prev; size_t size,
 * mprotect_size; [size_t pagesize]}, at a multiple of HEAP_MAX_SIZE = 64 MiB on 64-bit. The first
 * heap of an arena holds the arena right behind it. An mmapped chunk (malloc.c): {prev_size = 0,
 * size | IS_MMAPPED} at the start of a page, size a multiple of the page.
 */
#include "native/arena.h"

#include "base/cursor.h"

#define HEAP_ALIGN (64ULL << 20)

enum {
	IS_MMAPPED = 2,
	SIZE_BITS = 7,
	MIN_MMAPPED = 16 << 10, /* the threshold starts at 128 KiB, but memalign splits */
	MAX_LOOKS = 1 << 18,	/* resident pages looked at for chunk headers */
	BATCH = 256,
	TLS_MAX = 16 << 20,
	/* elf/dl-tls.c: the static surplus by default; the block starts at a page */
	TLS_SURPLUS = 1664,
	TCB_MAX = 8192, /* struct pthread is 2304 bytes, then the end of the page */
};

static bool heap_is_sane(struct memsrc *m, uint64_t base, const uint64_t h[4])
{
	uint64_t page = memsrc_page_size(m), ar = h[0], prev = h[1], size = h[2], prot = h[3];

	if (!size || size > HEAP_ALIGN || size % page || prot < size || prot > HEAP_ALIGN ||
	    prot % page)
		return false;
	if (!prev)
		return ar > base && ar - base >= 0x20 && ar - base <= 0x80;
	return prev % HEAP_ALIGN == 0 && prev != base && ar >= HEAP_ALIGN && ar % 16 == 0;
}

int native_read_arenas(struct memsrc *m, const struct maps *maps, const range_vec *others,
		       struct native *out)
{
	for (size_t i = 0; i < maps->vma.n; i++) {
		const struct vma *v = &maps->vma.v[i];
		uint64_t h[4];

		if (v->inode || v->name[0] || (v->flags & (VMA_R | VMA_W)) != (VMA_R | VMA_W) ||
		    v->end < HEAP_ALIGN)
			continue;
		for (uint64_t a = (v->start + HEAP_ALIGN - 1) & ~(HEAP_ALIGN - 1); a < v->end;
		     a += HEAP_ALIGN) {
			if (range_find(others->v, others->n, a) >= 0 ||
			    memsrc_read(m, PASS_NATIVE, a, h, sizeof(h)) ||
			    !heap_is_sane(m, a, h) || h[3] > v->end - a)
				continue;
			if (vec_push(&out->v,
				     (struct native_extent){ a, a + h[3], NATIVE_ARENA, 0, "", 0 }))
				return -ENOMEM;
		}
	}
	return 0;
}

/* The size of the mmapped chunk whose header is h, at addr; 0 when it is none. */
static uint64_t chunk_size(struct memsrc *m, const uint64_t h[2], uint64_t addr, uint64_t end)
{
	uint64_t size = h[1] & ~(uint64_t)SIZE_BITS;

	return !h[0] && (h[1] & SIZE_BITS) == IS_MMAPPED && size >= MIN_MMAPPED &&
			       size % memsrc_page_size(m) == 0 && size <= end - addr
		       ? size
		       : 0;
}

/*
 * The loader makes the main thread's TLS block before any thread or program mapping exists, so it
 * ends at the top of its gap: {surplus, thread-local variables, struct pthread}. The struct starts
 * with a tcbhead_t, on amd64 {void *tcb; dtv_t *dtv; void *self; …} with tcb == self == its own
 * address, 64-byte aligned. Gives the block's start, or 0.
 */
static uint64_t find_tls(struct memsrc *m, const struct range *gap, uint64_t tls)
{
	uint64_t page = memsrc_page_size(m), want = tls + TLS_SURPLUS + TCB_MAX + page;
	uint64_t lo = gap->end - gap->start > want ? gap->end - want : gap->start, start, n;
	_free_ uint8_t *buf = NULL;
	int r;

	lo &= ~(page - 1);
	n = gap->end - lo;
	buf = n <= TLS_MAX ? calloc(1, n) : NULL;
	if (!buf)
		return 0;
	r = memsrc_read(m, PASS_NATIVE, lo, buf, n);
	if (r && r != -ENODATA)
		return 0;
	for (uint64_t o = 0; o + 24 <= n; o += 64) {
		if (load_u64(buf + o) != lo + o || load_u64(buf + o + 16) != lo + o)
			continue;
		start = (lo + o - tls - TLS_SURPLUS) & ~(page - 1);
		return start > gap->start && start < gap->end ? start : gap->start;
	}
	return 0;
}

/* Looks at the pages [at, end), all present, of a gap that ends at gap_end. *next is where to go
 * on: a block may reach beyond. */
static int blocks_in_run(struct memsrc *m, uint64_t at, uint64_t end, uint64_t gap_end,
			 struct native *out, uint64_t *next)
{
	uint64_t page = memsrc_page_size(m), h[BATCH][2], batch = 1;

	while (at < end) {
		uint64_t stop = (end - at) / page > batch ? at + batch * page : end, a = at;
		int r = memsrc_read_heads(m, PASS_NATIVE, at, stop, sizeof(h[0]), h);

		if (r)
			return r;
		batch = batch < BATCH ? batch * 4 : BATCH;
		while (a < stop) {
			uint64_t size = chunk_size(m, h[(a - at) / page], a, gap_end);

			if (size) /* another block may follow it */
				batch = 1;
			if (size &&
			    vec_push(&out->v, (struct native_extent){ a, a + size, NATIVE_MMAPPED,
								      0, "", 0 }))
				return -ENOMEM;
			a += size ? size : page;
		}
		at = a;
	}
	*next = at;
	return 0;
}

static int blocks_in(struct memsrc *m, const struct range *gap, const range_vec *resident,
		     uint64_t *looks, struct native *out)
{
	uint64_t at = gap->start, page = memsrc_page_size(m);
	int r = 0;

	for (size_t i = range_lower(resident->v, resident->n, at);
	     i < resident->n && resident->v[i].start < gap->end && !r; i++) {
		const struct range *g = &resident->v[i];
		uint64_t end = g->end < gap->end ? g->end : gap->end;

		at = at > g->start ? at : g->start;
		if (at >= end || !(g->flags & PAGE_PRESENT))
			continue;
		if ((end - at) / page > *looks) {
			end = at + *looks * page;
			out->truncated = true;
		}
		*looks -= (end - at) / page;
		r = blocks_in_run(m, at, end, gap->end, out, &at);
	}
	return r;
}

int native_read_blocks(struct memsrc *m, const range_vec *gaps, const range_vec *resident,
		       uint64_t tls, struct native *out, struct err *e)
{
	uint64_t looks = MAX_LOOKS;

	for (size_t i = 0; i < gaps->n; i++) {
		struct range g = gaps->v[i];
		uint64_t start = find_tls(m, &g, tls);
		int r = 0;

		if (start) {
			r = vec_push(&out->v,
				     (struct native_extent){ start, g.end, NATIVE_TLS, 0, "", 0 });
			g.end = start;
		}
		if (!r)
			r = blocks_in(m, &g, resident, &looks, out);
		if (r)
			return err_set(e, r, "looking for malloc's blocks: %s", strerror(-r));
	}
	return 0;
}
