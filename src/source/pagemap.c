/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/memsrc.h"

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

/* Bits of /proc/kpageflags, include/uapi/linux/kernel-page-flags.h */
#define KPF_THP	      (1ULL << 22)
#define KPF_ZERO_PAGE (1ULL << 24)

enum {
	SCAN_REGIONS = 4096,  /* 96 KiB */
	SCAN_PAGES = 1 << 14, /* found by one ioctl, which holds the target's mmap_lock: 0.1 ms */
	PLAIN_MIN = 1 << 20,
	SMALL_MAX = 4 << 20,	/* bytes: reading maps costs more than it saves */
	SCAN_WORTH = 16,	/* pages */
	WINDOW_ENTRIES = 16384, /* 128 KiB of entries: 64 MiB of 4 KiB pages */
};

/* A PROT_NONE mapping may hold pages (protected after use), but the big ones are reservations,
 * as of Go's arenas and of sanitizers; walking their entries costs 1 ms a GiB. */
#define PROT_NONE_MAX (1ULL << 30)

static long entries_at(int fd, uint64_t vpn, uint64_t *entry, size_t n)
{
	ssize_t r = pread(fd, entry, n * sizeof(*entry), vpn * sizeof(*entry));

	return r < 0 ? -errno : r / (long)sizeof(*entry);
}

long pagemap_entries(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n)
{
	return entries_at(p->fd, vpn, entry, n);
}

bool pagemap_has_mm(const struct pagemap *p)
{
	uint64_t entry;

	/* pagemap_read() gives 0 bytes once mmget_not_zero() fails. */
	return pagemap_entries(p, 0, &entry, 1) == 1;
}

/* One stretch of address space to scan. `file`: its pages may be the page cache's. */
struct stretch {
	uint64_t start, end;
	bool file;
};

static int scan_once(const struct pagemap *p, const struct stretch *s, uint64_t guard,
		     struct page_region *r, size_t n, uint64_t *walk_end)
{
	struct pm_scan_arg a = {
		.size = sizeof(a),
		.start = s->start,
		.end = s->end,
		.vec = (uintptr_t)r,
		.vec_len = n,
		.max_pages = SCAN_PAGES,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = IS_PRESENT | IS_SWAPPED | IS_PFNZERO | IS_HUGE | guard |
			       (s->file ? IS_FILE : 0),
	};
	int rc;

	do
		rc = ioctl(p->fd, PAGEMAP_SCAN_IOCTL, &a);
	while (rc < 0 && errno == EINTR);
	*walk_end = a.walk_end;
	return rc < 0 ? -errno : rc;
}

static void probe_scan(struct pagemap *p)
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

/* The frame that untouched anonymous memory shows when it is only read: everybody's zero page. */
static uint64_t find_zero_pfn(uint32_t page_size)
{
	_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page;
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 0;
	if (!*page && entries_at(fd, (uintptr_t)page / page_size, &entry, 1) != 1)
		entry = 0;
	munmap((void *)page, page_size);
	return entry & PM_PRESENT ? entry & PM_PFN_MASK : 0;
}

int pagemap_open(int proc_fd, uint32_t page_size, struct pagemap *out)
{
	struct pagemap p = { .kflags = -1, .page_size = page_size };

	p.fd = openat(proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	if (p.fd < 0)
		return -errno;
	if (!pagemap_has_mm(&p)) {
		close(p.fd);
		return -ESRCH;
	}
	probe_scan(&p);
	p.zero_pfn = find_zero_pfn(page_size);
	if (p.zero_pfn)
		p.kflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	*out = p;
	return 0;
}

void pagemap_close(struct pagemap *p)
{
	close_fd(&p->fd);
	close_fd(&p->kflags);
}

const char *pagemap_how(const struct pagemap *p)
{
	if (p->scan)
		return "PAGEMAP_SCAN";
	return p->zero_pfn ? "pagemap" : "pagemap without PFNs";
}

static uint64_t frame_flags(const struct pagemap *p, uint64_t pfn)
{
	uint64_t flags;

	if (p->kflags < 0 || !pfn || entries_at(p->kflags, pfn, &flags, 1) != 1)
		return 0;
	return flags;
}

/* ---- PAGEMAP_SCAN */

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
			f = frame_flags(p, entry & PM_PFN_MASK);
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
static long scan_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n)
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

long pagemap_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n)
{
	long got = p->scan && n >= SCAN_WORTH ? scan_present(p, vpn, entry, n) : -ENOTTY;

	return got < 0 ? pagemap_entries(p, vpn, entry, n) : got;
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
static int ranges_by_scan(const struct pagemap *p, const struct maps *maps, uint64_t start,
			  uint64_t end, range_vec *out)
{
	_free_ struct page_region *r = calloc(SCAN_REGIONS, sizeof(*r));
	struct stretch plain;
	bool zero_told = false;
	size_t i = 0;
	int rc = 0;

	if (!r)
		return -ENOMEM;
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
			rc = scan_stretch(p, plain, r, &zero_told, out);
		start = plain.end;
	}
	return rc ? rc : scan_stretch(p, (struct stretch){ start, end, true }, r, &zero_told, out);
}

/* ---- pagemap entries */

static uint32_t entry_flags(const struct pagemap *p, uint64_t entry)
{
	if (entry & PM_PRESENT) {
		if (p->zero_pfn && (entry & PM_PFN_MASK) == p->zero_pfn)
			return PAGE_PRESENT | PAGE_ZERO;
		return PAGE_PRESENT | (entry & PM_FILE ? PAGE_FILE : 0);
	}
	if ((entry & PM_SWAP) && !(entry & PM_GUARD))
		return PAGE_SWAPPED | (entry & PM_FILE ? PAGE_FILE : 0);
	return 0;
}

/*
 * Flags of a whole PMD that starts at entry[0], or 0 when it is not one huge page. An entry does
 * not tell how its page is mapped: aligned, contiguous frames of a transparent huge page count as
 * mapped by a PMD, which is wrong after a split of the mapping alone.
 */
static uint32_t huge_flags(const struct pagemap *p, const uint64_t *entry, size_t n)
{
	uint64_t pfn = entry[0] & PM_PFN_MASK, kflags;

	if (p->kflags < 0 || !(entry[0] & PM_PRESENT) || !pfn || pfn % n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!(entry[i] & PM_PRESENT) || (entry[i] & PM_PFN_MASK) != pfn + i)
			return 0;
	kflags = frame_flags(p, pfn);
	if (kflags & KPF_ZERO_PAGE)
		return PAGE_PRESENT | PAGE_HUGE | PAGE_ZERO;
	return kflags & KPF_THP ? entry_flags(p, entry[0]) | PAGE_HUGE : 0;
}

static int append_entries(const struct pagemap *p, uint64_t vpn, const uint64_t *entry, size_t n,
			  range_vec *out)
{
	size_t huge = p->page_size / 8;
	int rc = 0;

	for (size_t i = 0, step; i < n && !rc; i += step) {
		uint32_t flags = 0;

		step = huge;
		if ((vpn + i) % huge == 0 && n - i >= huge)
			flags = huge_flags(p, entry + i, huge);
		if (!flags) {
			step = 1;
			flags = entry_flags(p, entry[i]);
		}
		if (flags)
			rc = range_append(out, (vpn + i) * p->page_size,
					  (vpn + i + step) * p->page_size, flags);
	}
	return rc;
}

static int ranges_of_vma(const struct pagemap *p, uint64_t start, uint64_t end, uint64_t *buf,
			 range_vec *out)
{
	uint64_t vpn = start / p->page_size, stop = end / p->page_size;

	while (vpn < stop) {
		/* windows begin at multiples of their size: a huge page is never cut in two */
		size_t n = WINDOW_ENTRIES - vpn % WINDOW_ENTRIES;
		long got;
		int rc;

		if (n > stop - vpn)
			n = stop - vpn;
		got = pagemap_entries(p, vpn, buf, n);
		if (got < 0)
			return got;
		if (!got)
			return 0;
		rc = append_entries(p, vpn, buf, got, out);
		if (rc)
			return rc;
		vpn += got;
	}
	return 0;
}

static int ranges_by_entries(const struct pagemap *p, const struct maps *maps, uint64_t start,
			     uint64_t end, range_vec *out)
{
	_free_ uint64_t *buf = calloc(WINDOW_ENTRIES, sizeof(*buf));
	int rc = 0;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < maps->vma.n && !rc; i++) {
		const struct vma *v = &maps->vma.v[i];
		uint64_t s = v->start > start ? v->start : start;
		uint64_t e = v->end < end ? v->end : end;

		if (s >= e || (!(v->flags & (VMA_R | VMA_W | VMA_X)) && e - s > PROT_NONE_MAX))
			continue;
		rc = ranges_of_vma(p, s, e, buf, out);
	}
	return rc;
}

bool pagemap_wants_maps(const struct pagemap *p, uint64_t start, uint64_t end)
{
	return !p->scan || end - start > SMALL_MAX;
}

int pagemap_ranges(const struct pagemap *p, const struct maps *maps, uint64_t start, uint64_t end,
		   range_vec *out)
{
	const struct maps none = { 0 };
	int rc;

	start -= start % p->page_size;
	if (end % p->page_size)
		end = end > UINT64_MAX - p->page_size ? UINT64_MAX - p->page_size + 1
						      : end + p->page_size - end % p->page_size;
	maps = maps ? maps : &none;
	rc = p->scan	   ? ranges_by_scan(p, maps, start, end, out)
	     : maps->vma.n ? ranges_by_entries(p, maps, start, end, out)
			   : -EIO;
	/* Both walks find an emptied address space without complaint. */
	return pagemap_has_mm(p) ? rc : -ESRCH;
}
