/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/lazyfree.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Bits of /proc/kpageflags, include/uapi/linux/kernel-page-flags.h */
#define KPF_DIRTY	  (1ULL << 4)
#define KPF_ANON	  (1ULL << 12)
#define KPF_SWAPBACKED	  (1ULL << 14)
#define KPF_COMPOUND_HEAD (1ULL << 15)
#define KPF_COMPOUND_TAIL (1ULL << 16)

enum {
	WINDOW = 16384,	  /* page map entries at once */
	FLAGS = 1024,	  /* frames whose flags are read at once */
	FOLIO_ORDER = 18, /* of the largest folio: 1 GiB */
};

static size_t read_flags(int kflags, uint64_t pfn, uint64_t *out, size_t n)
{
	ssize_t r = pread(kflags, out, n * sizeof(*out), pfn * sizeof(*out));

	return r < 0 ? 0 : r / sizeof(*out);
}

/* Flags of the folio that the tail page pfn belongs to: folios lie at multiples of their size. */
static uint64_t head_flags(int kflags, uint64_t pfn)
{
	for (int k = 1; k <= FOLIO_ORDER; k++) {
		uint64_t at = pfn & ~((1ULL << k) - 1), f;

		if (read_flags(kflags, at, &f, 1) != 1)
			break;
		if (f & KPF_COMPOUND_HEAD)
			return f;
	}
	return KPF_SWAPBACKED; /* not known: not counted */
}

static bool is_lazy(uint64_t flags)
{
	return (flags & (KPF_ANON | KPF_SWAPBACKED | KPF_DIRTY)) == KPF_ANON;
}

/*
 * The kernel takes as long for the flags of a frame as for a system call: those between are not
 * read. Before Linux 6.10 a tail page shows its own flags, which say nothing: those of its folio
 * count.
 */
size_t lazyfree_count(int kflags, const uint64_t *pfn, size_t n)
{
	uint64_t flags[FLAGS];
	size_t lazy = 0;

	for (size_t i = 0, end; i < n; i = end) {
		uint64_t folio = 0;
		size_t got, next = i;

		for (end = i + 1;
		     end < n && pfn[end] - pfn[end - 1] <= 1 && pfn[end] - pfn[i] < FLAGS; end++)
			;
		got = read_flags(kflags, pfn[i], flags, pfn[end - 1] - pfn[i] + 1);
		for (size_t k = 0; k < got; k++) {
			if (!(flags[k] & KPF_COMPOUND_TAIL))
				folio = flags[k];
			else if (!k)
				folio = head_flags(kflags, pfn[i]);
			for (; next < end && pfn[next] == pfn[i] + k; next++)
				lazy += is_lazy(folio);
		}
	}
	return lazy;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct window {
	uint64_t first, stop;	/* virtual page numbers */
	uint64_t entry[WINDOW]; /* of these pages */
	uint64_t pfn[WINDOW];
};

static uint64_t first_page(const struct pagemap *p, const struct range *r)
{
	return r->start / p->page_size + !!(r->start % p->page_size);
}

/* Lazily freed pages of r[0] to r[n - 1] that lie in the window. */
static long count_window(const struct pagemap *p, struct window *w, const struct range *r, size_t n)
{
	long got = pagemap_entries(p, w->first, w->entry, w->stop - w->first);
	bool hidden = false;
	size_t m = 0;

	for (size_t i = 0; i < n && got > 0; i++) {
		uint64_t v = first_page(p, &r[i]), end = r[i].end / p->page_size;

		v = v > w->first ? v : w->first;
		for (; v < end && v < w->first + got; v++) {
			uint64_t e = w->entry[v - w->first];

			if (!(e & PM_PRESENT) || (e & PM_FILE))
				continue;
			hidden |= !(e & PM_PFN_MASK);
			w->pfn[m++] = e & PM_PFN_MASK;
		}
	}
	if (got < 0 || hidden)
		return got < 0 ? got : -ENOTSUP;
	qsort(w->pfn, m, sizeof(*w->pfn), by_value);
	return lazyfree_count(p->kflags, w->pfn, m);
}

int lazyfree_bytes(const struct pagemap *p, const struct range *r, size_t n, uint64_t *bytes)
{
	_free_ struct window *w = malloc(sizeof(*w));
	uint64_t pages = 0, at = 0;

	if (p->kflags < 0)
		return -ENOTSUP;
	if (!w)
		return -ENOMEM;
	for (size_t i = 0, j; i < n; i = j) {
		uint64_t limit;
		long got;

		w->first = first_page(p, &r[i]);
		w->first = at > w->first ? at : w->first;
		w->stop = w->first;
		limit = w->first + WINDOW;
		/* all ranges that begin in it; the last one may go on in the next */
		for (j = i; j < n && first_page(p, &r[j]) < limit; j++) {
			uint64_t end = r[j].end / p->page_size;

			if (end > w->stop)
				w->stop = end < limit ? end : limit;
			if (end > limit)
				break;
		}
		at = w->stop;
		if (w->stop <= w->first) {
			j = j > i ? j : i + 1;
			continue;
		}
		got = count_window(p, w, r + i, (j < n ? j + 1 : n) - i);
		if (got < 0)
			return got;
		pages += got;
	}
	*bytes = pages * p->page_size;
	return 0;
}
