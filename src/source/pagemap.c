/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/pagemap_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/memsrc.h"

enum {
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
	pagemap_scan_probe(&p);
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

uint64_t pagemap_frame_flags(const struct pagemap *p, uint64_t pfn)
{
	uint64_t flags;

	if (p->kflags < 0 || !pfn || entries_at(p->kflags, pfn, &flags, 1) != 1)
		return 0;
	return flags;
}

long pagemap_present(const struct pagemap *p, uint64_t vpn, uint64_t *entry, size_t n)
{
	long got = p->scan && n >= SCAN_WORTH ? pagemap_scan_present(p, vpn, entry, n) : -ENOTTY;

	return got < 0 ? pagemap_entries(p, vpn, entry, n) : got;
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
	kflags = pagemap_frame_flags(p, pfn);
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

int pagemap_ranges(const struct pagemap *p, const struct maps *maps, const range_vec *lasting,
		   uint64_t start, uint64_t end, range_vec *out)
{
	const struct maps none = { 0 };
	const range_vec nothing = { 0 };
	int rc;

	start -= start % p->page_size;
	if (end % p->page_size)
		end = end > UINT64_MAX - p->page_size ? UINT64_MAX - p->page_size + 1
						      : end + p->page_size - end % p->page_size;
	maps = maps ? maps : &none;
	lasting = lasting ? lasting : &nothing;
	rc = p->scan	   ? pagemap_scan_ranges(p, maps, lasting, start, end, out)
	     : maps->vma.n ? ranges_by_entries(p, maps, start, end, out)
			   : -EIO;
	/* Both walks find an emptied address space without complaint. */
	return pagemap_has_mm(p) ? rc : -ESRCH;
}
