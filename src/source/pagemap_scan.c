/* SPDX-License-Identifier: BSD-2-Clause */
/* The PAGEMAP_SCAN ioctl: a page costs it a fifth of what reading its entry does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "source/memsrc.h"
#include "source/pagemap_impl.h"

/* include/uapi/linux/fs.h of 6.7 (newer than the headers we build with). */
struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
_Static_assert(sizeof(struct pm_scan_arg) == 96, "struct pm_scan_arg is UAPI");

struct page_region {
	uint64_t start, end, categories;
};
_Static_assert(sizeof(struct page_region) == 24, "struct page_region is UAPI");

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pm_scan_arg)
enum {
	IS_FILE = 1 << 2,
	IS_PRESENT = 1 << 3,
	IS_SWAPPED = 1 << 4,
	IS_PFNZERO = 1 << 5,
	IS_HUGE = 1 << 6,
	IS_GUARD = 1 << 8,
};

enum {
	SCAN_REGIONS = 4096,  /* 96 KiB */
	SCAN_PAGES = 1 << 14, /* found by one ioctl, which holds the target's mmap_lock: 0.1 ms */
	PLAIN_MIN = 1 << 20,
};

/* One stretch of address space to scan. `file`: its pages may be the page cache's. */
struct stretch {
	uint64_t start, end;
	bool file;
};

static int scan(const struct pagemap *p, struct pm_scan_arg *a, uint64_t *walk_end)
{
	int rc;

	a->size = sizeof(*a);
	do
		rc = ioctl(p->fd, PAGEMAP_SCAN_IOCTL, a);
	while (rc < 0 && errno == EINTR);
	*walk_end = a->walk_end;
	return rc < 0 ? -errno : rc;
}

static int scan_once(const struct pagemap *p, const struct stretch *s, uint64_t guard,
		     struct page_region *r, size_t n, uint64_t *walk_end)
{
	struct pm_scan_arg a = {
		.start = s->start,
		.end = s->end,
		.vec = (uintptr_t)r,
		.vec_len = n,
		.max_pages = SCAN_PAGES,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = IS_PRESENT | IS_SWAPPED | IS_PFNZERO | IS_HUGE | guard |
			       (s->file ? IS_FILE : 0),
	};

	return scan(p, &a, walk_end);
}

/* Those that are not plainly present. */
static int scan_others(const struct pagemap *p, uint64_t start, uint64_t end, struct page_region *r,
		       size_t n, uint64_t *walk_end)
{
	const uint64_t others = IS_PRESENT | IS_SWAPPED | IS_PFNZERO | IS_HUGE | p->scan_guard;
	struct pm_scan_arg a = {
		.start = start,
		.end = end,
		.vec = (uintptr_t)r,
		.vec_len = n,
		.category_inverted = IS_PRESENT,
		.category_anyof_mask = others,
		.return_mask = others,
	};

	return scan(p, &a, walk_end);
}

void pagemap_scan_probe(struct pagemap *p)
{
	const struct stretch first = { 0, p->page_size, true };
	struct page_region r;
	uint64_t walk_end;

	p->scan_guard = IS_GUARD;
	p->scan = scan_once(p, &first, IS_GUARD, &r, 1, &walk_end) >= 0;
	if (p->scan)
		return;
	p->scan_guard = 0;
	p->scan = scan_once(p, &first, 0, &r, 1, &walk_end) >= 0;
}

static uint32_t scan_flags(uint64_t categories)
{
	return (categories & IS_PRESENT ? PAGE_PRESENT : 0) |
	       (categories & IS_SWAPPED ? PAGE_SWAPPED : 0) |
	       (categories & IS_FILE ? PAGE_FILE : 0) | (categories & IS_HUGE ? PAGE_HUGE : 0) |
	       (categories & IS_PFNZERO ? PAGE_ZERO : 0);
}

/*
 * Kernels from 6.7 to 6.16 did not say PFNZERO of the huge zero page (fixed in 6.17 and stable).
 * Appends a huge anonymous range with that put right as far as we may see frames.
 */
static int append_huge(const struct pagemap *p, uint64_t start, uint64_t end, uint32_t flags,
		       range_vec *out)
{
	uint64_t huge = (uint64_t)p->page_size * (p->page_size / 8), next;

	if (p->kflags < 0)
		return range_append(out, start, end, flags);
	for (uint64_t at = start; at < end; at = next) {
		uint64_t entry = 0, f = 0;
		int rc;

		next = at - at % huge + huge;
		if (next > end)
			next = end;
		if (pagemap_entries(p, at / p->page_size, &entry, 1) == 1)
			f = pagemap_frame_flags(p, entry & PM_PFN_MASK);
		rc = range_append(out, at, next, f & KPF_ZERO_PAGE ? flags | PAGE_ZERO : flags);
		if (rc)
			return rc;
	}
	return 0;
}

static int append_regions(const struct pagemap *p, const struct page_region *r, size_t n,
			  bool *zero_told, range_vec *out)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		uint32_t flags = scan_flags(r[i].categories);

		if (r[i].categories & IS_GUARD)
			continue;
		if ((flags & PAGE_HUGE) && (flags & PAGE_ZERO))
			*zero_told = true;
		if (!*zero_told && (flags & PAGE_HUGE) && !(flags & (PAGE_FILE | PAGE_SWAPPED)))
			rc = append_huge(p, r[i].start, r[i].end, flags, out);
		else
			rc = range_append(out, r[i].start, r[i].end, flags);
	}
	return rc;
}

/* The ioctl refuses (EFAULT) what lies above the task's address space: its size is one of these. */
static uint64_t lower_end(const struct pagemap *p, uint64_t end)
{
	static const uint8_t bits[] = { 56, 52, 48, 47, 42, 39 };

	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		uint64_t top = 1ULL << bits[i];

		if (top < end)
			return top;
		if (top - p->page_size < end)
			return top - p->page_size;
	}
	return 0;
}

/*
 * Which of n pages are present or swapped, as entries of which only that is set; guard regions
 * count as swapped (all are swap entries to the kernel). A page costs a fifth of what reading its
 * entry does. 0 when the process is gone: a scan of it finds nothing, without complaint.
 */
long pagemap_scan_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n)
{
	uint64_t start = vpn * p->page_size, end = start + n * p->page_size;
	struct page_region r[128];
	bool any = false;

	memset(entry, 0, n * sizeof(*entry));
	while (start < end) {
		struct pm_scan_arg a = {
			.size = sizeof(a),
			.start = start,
			.end = end,
			.vec = (uintptr_t)r,
			.vec_len = ARRAY_LEN(r),
			.category_anyof_mask = IS_PRESENT | IS_SWAPPED | p->scan_guard,
			.return_mask = IS_PRESENT | IS_SWAPPED | p->scan_guard,
		};
		int got = ioctl(p->fd, PAGEMAP_SCAN_IOCTL, &a);

		if (got < 0)
			return -errno;
		any |= got;
		for (int i = 0; i < got; i++)
			for (uint64_t at = r[i].start; at < r[i].end; at += p->page_size)
				entry[at / p->page_size - vpn] =
					r[i].categories & IS_PRESENT ? PM_PRESENT : PM_SWAP;
		if ((size_t)got < ARRAY_LEN(r))
			break;
		start = r[got - 1].end;
	}
	return any || pagemap_has_mm(p) ? (long)n : 0;
}

static int scan_stretch(const struct pagemap *p, struct stretch s, struct page_region *r,
			bool *zero_told, range_vec *out)
{
	while (s.start < s.end) {
		uint64_t walk_end, pages = 0;
		int n = scan_once(p, &s, p->scan_guard, r, SCAN_REGIONS, &walk_end), rc;

		if (n == -EFAULT) {
			s.end = lower_end(p, s.end);
			continue;
		}
		if (n < 0)
			return n;
		rc = append_regions(p, r, n, zero_told, out);
		for (int i = 0; i < n; i++)
			pages += (r[i].end - r[i].start) / p->page_size;
		if (rc || (n < SCAN_REGIONS && pages < SCAN_PAGES))
			return rc;
		/* walk_end is stale once the kernel has emitted more than 512 regions. */
		s.start = walk_end > r[n - 1].end ? walk_end : r[n - 1].end;
	}
	return 0;
}

/* Regions of scan_others, which began at `at`, and what lies between them up to end. */
static int append_others(const struct pagemap *p, uint64_t at, const struct page_region *r,
			 size_t n, uint64_t end, bool *zero_told, range_vec *out)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		if (r[i].start > at)
			rc = range_append(out, at, r[i].start, PAGE_PRESENT);
		at = r[i].end;
		if (!rc && r[i].categories & (IS_PRESENT | IS_SWAPPED))
			rc = append_regions(p, &r[i], 1, zero_told, out);
	}
	return rc || at >= end ? rc : range_append(out, at, end, PAGE_PRESENT);
}

/*
 * Of private anonymous memory that stays mapped. The kernel's cost is in what it reports, not in
 * what it walks: to ask for the pages that are absent or special costs a quarter. It says nothing
 * of what is not mapped, which would look present.
 */
static int scan_lasting(const struct pagemap *p, uint64_t start, uint64_t end,
			struct page_region *r, bool *zero_told, range_vec *out)
{
	uint64_t most = (uint64_t)SCAN_PAGES * p->page_size;

	while (start < end) {
		uint64_t stop = end - start < most ? end : start + most, walk_end;
		int n = scan_others(p, start, stop, r, SCAN_REGIONS, &walk_end), rc;

		if (n < 0)
			return n;
		if (n == SCAN_REGIONS) /* see scan_stretch */
			stop = walk_end > r[n - 1].end ? walk_end : r[n - 1].end;
		rc = append_others(p, start, r, n, stop, zero_told, out);
		if (rc)
			return rc;
		start = stop;
	}
	return 0;
}

/* Of plain mappings, parts of which are lasting. */
static int scan_plain(const struct pagemap *p, struct stretch s, const range_vec *lasting,
		      struct page_region *r, bool *zero_told, range_vec *out)
{
	int rc = 0;

	for (size_t i = range_lower(lasting->v, lasting->n, s.start);
	     i < lasting->n && lasting->v[i].start < s.end && !rc; i++) {
		uint64_t a = lasting->v[i].start, z = lasting->v[i].end;

		a = a > s.start ? a : s.start;
		z = z < s.end ? z : s.end;
		rc = scan_stretch(p, (struct stretch){ s.start, a, false }, r, zero_told, out);
		if (!rc)
			rc = scan_lasting(p, a, z, r, zero_told, out);
		s.start = z;
	}
	return rc ? rc : scan_stretch(p, s, r, zero_told, out);
}

/* What of the lasting ranges private anonymous mappings hold. */
static int find_lasting(const struct maps *maps, const range_vec *lasting, range_vec *out)
{
	size_t i = 0, j = 0;
	int rc = 0;

	while (i < maps->vma.n && j < lasting->n && !rc) {
		const struct vma *v = &maps->vma.v[i];
		const struct range *l = &lasting->v[j];
		uint64_t a = v->start > l->start ? v->start : l->start;
		uint64_t z = v->end < l->end ? v->end : l->end;

		if (a < z && vma_is_private_anon(v))
			rc = range_append(out, a, z, 0);
		if (v->end < l->end)
			i++;
		else
			j++;
	}
	return rc;
}

/* The next mappings from *i on of which no page can be a file's, and that are large enough together
 * for an ioctl of their own: what they span. false: there are none. */
static bool next_plain(const struct maps *maps, size_t *i, struct stretch *out)
{
	const struct vma *v = maps->vma.v;

	while (*i < maps->vma.n) {
		uint64_t mapped = 0;

		while (*i < maps->vma.n && !vma_is_private_anon(&v[*i]))
			++*i;
		if (*i < maps->vma.n)
			*out = (struct stretch){ v[*i].start, v[*i].end, false };
		for (; *i < maps->vma.n && vma_is_private_anon(&v[*i]); ++*i) {
			mapped += v[*i].end - v[*i].start;
			out->end = v[*i].end;
		}
		if (mapped >= PLAIN_MIN)
			return true;
	}
	return false;
}

/*
 * Whose page it is costs the kernel a look at the page's own structure, five times the rest of the
 * walk: asked only where the answer is open. What comes while this goes on, between two mappings
 * that are plain, counts as plain; its owner is uncertain anyway.
 */
int pagemap_scan_ranges(const struct pagemap *p, const struct maps *maps, const range_vec *lasting,
			uint64_t start, uint64_t end, range_vec *out)
{
	_free_ struct page_region *r = calloc(SCAN_REGIONS, sizeof(*r));
	range_vec stays = { 0 };
	struct stretch plain;
	bool zero_told = false;
	size_t i = 0;
	int rc = r ? find_lasting(maps, lasting, &stays) : -ENOMEM;

	while (!rc && next_plain(maps, &i, &plain)) {
		if (plain.start < start)
			plain.start = start;
		if (plain.end > end)
			plain.end = end;
		if (plain.start >= plain.end)
			continue;
		rc = scan_stretch(p, (struct stretch){ start, plain.start, true }, r, &zero_told,
				  out);
		if (!rc)
			rc = scan_plain(p, plain, &stays, r, &zero_told, out);
		start = plain.end;
	}
	vec_free(&stays);
	return rc ? rc : scan_stretch(p, (struct stretch){ start, end, true }, r, &zero_told, out);
}
