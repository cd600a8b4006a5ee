/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/livemem_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/handle_impl.h"
#include "source/memsrc_impl.h"

enum {
	AHEAD = 4, /* lines read at once when the one before is known: within a page */
	SHORT_RUN = 16384,
	KNOWN_PAGES = 4,       /* a structure; larger reads look their pages up again */
	MEDIUM = 64 * LINE,    /* what has more present bytes is never cached, */
	MEDIUM_SPAN = 2 << 20, /* nor what is larger than this */
};

void livemem_init(struct livemem *l, struct handle *h)
{
	*l = (struct livemem){
		.h = h, .pagemap = &h->pagemap, .page_size = h->page_size, .reader = -1
	};
}

void livemem_deinit(struct livemem *l)
{
	l->reader = -1;
	livemem_rest(l);
	vec_free(&l->userfault);
	for (int i = 0; i < READER_COUNT; i++)
		vec_free(&l->wanted[i]);
}

void livemem_forget(struct livemem *l)
{
	if (l->c) {
		livemem_remember(l);
		livemem_clear_caches(l->c);
	}
	livemem_forget_maps(l);
	livemem_age_userfault(l, mono_ns());
}

void livemem_flush(struct livemem *l)
{
	livemem_forget(l);
	memset(l->untouched, 0, sizeof(l->untouched));
}

/*
 * Copies from the target through `remote` into `local`. Bytes copied, stopping short at the first
 * page that can't be read; -EFAULT when that is the very first; -ESRCH when the target is gone.
 */
static ssize_t copy_runs(struct livemem *l, const struct iovec *local, const struct iovec *remote,
			 size_t n)
{
	ssize_t r;

	/* One short run costs less through the fd, which is bound to the mm: see fetch_line(). */
	if (!l->h->by_procmem && (n > 1 || local[0].iov_len > SHORT_RUN)) {
		r = process_vm_readv(l->h->pid, local, n, remote, n, 0);
		/* It goes by the PID, which names the process as long as the memory is there. */
		if (r >= 0 || errno == EFAULT)
			return !pagemap_has_mm(l->pagemap) ? -ESRCH : r >= 0 ? r : -EFAULT;
		/* seccomp filters of older container engines refuse it (EPERM, ENOSYS); of a dying
		 * process whose first thread has gone it says ESRCH, while mem still reads. */
		l->h->by_procmem = true;
	}
	/* Runs need not touch: one at a time. The caller comes back for the rest. */
	do
		r = pread(l->h->mem, local[0].iov_base, local[0].iov_len,
			  (off_t)(uintptr_t)remote[0].iov_base);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		return r;
	/* mem_rw() gives 0 once the mm is gone, EIO for a page that can't be had. */
	return pagemap_has_mm(l->pagemap) ? -EFAULT : -ESRCH;
}

/*
 * Reads present bytes. Where process_vm_readv stops (PROT_NONE pages, for one) /proc/PID/mem may
 * still read, as it does for a debugger; where that fails too it is a hole.
 */
static int copy_stubborn(struct livemem *l, uint64_t addr, uint8_t *buf, size_t len,
			 range_vec *holes)
{
	size_t n = l->page_size - addr % l->page_size;
	ssize_t r;

	if (n > len)
		n = len;
	do
		r = pread(l->h->mem, buf, n, addr);
	while (r < 0 && errno == EINTR);
	if (r == (ssize_t)n)
		return n;
	if (!pagemap_has_mm(l->pagemap))
		return -ESRCH;
	if (r < 0)
		r = 0;
	memset(buf + r, 0, n - r);
	if (range_append(holes, addr + r, addr + n, HOLE_FAILED))
		return -ENOMEM;
	return n;
}

int runs_flush(struct livemem *l, struct runs *r, range_vec *holes)
{
	size_t i = 0;

	while (i < r->n) {
		ssize_t got = copy_runs(l, r->local + i, r->remote + i, r->n - i);

		if (got == -EFAULT || got == 0)
			got = copy_stubborn(l, (uintptr_t)r->remote[i].iov_base,
					    r->local[i].iov_base, r->local[i].iov_len, holes);
		if (got < 0)
			return got;
		for (; got && (size_t)got >= r->local[i].iov_len; i++)
			got -= r->local[i].iov_len;
		if (got) {
			r->local[i].iov_base = (uint8_t *)r->local[i].iov_base + got;
			r->local[i].iov_len -= got;
			r->remote[i].iov_base = (uint8_t *)r->remote[i].iov_base + got;
			r->remote[i].iov_len -= got;
		}
	}
	r->n = 0;
	return 0;
}

int runs_add(struct livemem *l, struct runs *r, uint64_t addr, uint8_t *buf, size_t len,
	     range_vec *holes)
{
	int rc = 0;

	if (r->n == IOVS)
		rc = runs_flush(l, r, holes);
	if (rc)
		return rc;
	r->local[r->n] = (struct iovec){ buf, len };
	r->remote[r->n++] = (struct iovec){ (void *)(uintptr_t)addr, len };
	return 0;
}

/* The same of n pages from what small reads have found out; false: not of all of them. */
static bool lookup_known(struct livemem *l, uint64_t vpn, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t group = (vpn + i) / PRESENCE_PAGES;
		uint64_t bit = 1ULL << ((vpn + i) % PRESENCE_PAGES);
		const struct livemem_presence *p = &l->c->presence[group % PRESENCES];

		if (p->tag != group + 1)
			return false;
		l->c->entries[i] =
			(p->present & bit ? PM_PRESENT : 0) | (p->elsewhere & bit ? PM_SWAP : 0);
	}
	return true;
}

/* Entries of the pages of [addr, addr + len); those beyond the address space count as absent. */
static int lookup(struct livemem *l, uint64_t addr, size_t len, size_t *pages)
{
	uint64_t vpn = addr / l->page_size;
	size_t n = (addr + len - 1) / l->page_size - vpn + 1;
	long got = n;

	if (n > KNOWN_PAGES || !lookup_known(l, vpn, n))
		got = pagemap_present(l->pagemap, vpn, l->c->entries, n);
	if (got < 0)
		got = 0;
	if (!got && !pagemap_has_mm(l->pagemap))
		return -ESRCH;
	memset(l->c->entries + got, 0, (n - got) * sizeof(*l->c->entries));
	*pages = n;
	return 0;
}

/* One window: at most WINDOW_PAGES pages. */
static int read_window(struct livemem *l, bool untouched, struct runs *r, uint64_t addr,
		       uint8_t *buf, size_t len, range_vec *holes)
{
	uint64_t end = addr + len, at = addr;
	size_t pages, i = 0;
	int rc = lookup(l, addr, len, &pages);

	while (!rc && i < pages) {
		uint64_t is = l->c->entries[i] & PM_SOMEWHERE, stop;

		while (i < pages && (l->c->entries[i] & PM_SOMEWHERE) == is)
			i++;
		stop = (addr / l->page_size + i) * l->page_size;
		if (i == pages)
			stop = end;
		if (is & PM_PRESENT) {
			rc = runs_add(l, r, at, buf + (at - addr), stop - at, holes);
		} else {
			memset(buf + (at - addr), 0, stop - at);
			rc = livemem_absent(l, untouched && !is, at, stop, holes);
		}
		at = stop;
	}
	return rc;
}

static int read_large(struct livemem *l, bool untouched, uint64_t addr, uint8_t *buf, size_t len,
		      range_vec *holes)
{
	struct runs runs;
	int rc = 0;

	runs.n = 0;
	while (len && !rc) {
		size_t n = (size_t)WINDOW_PAGES * l->page_size - addr % l->page_size;

		if (n > len)
			n = len;
		rc = read_window(l, untouched, &runs, addr, buf, n, holes);
		addr += n;
		buf += n;
		len -= n;
	}
	if (!rc)
		rc = runs_flush(l, &runs, holes);
	range_sort(holes->v, holes->n); /* failures are found after absences */
	return rc;
}

void livemem_set_presence(struct livemem *l, uint64_t group, const uint64_t *entry, long n)
{
	struct livemem_presence *p = &l->c->presence[group % PRESENCES];

	*p = (struct livemem_presence){ .tag = group + 1 };
	for (long i = 0; i < n && i < PRESENCE_PAGES; i++) {
		p->present |= (uint64_t) !!(entry[i] & PM_PRESENT) << i;
		p->elsewhere |= (uint64_t) !!(entry[i] & (PM_SWAP | PM_GUARD)) << i;
	}
}

static struct livemem_presence *presence_of(const struct livemem *l, uint64_t page)
{
	return &l->c->presence[page / PRESENCE_PAGES % PRESENCES];
}

int livemem_page(struct livemem *l, uint64_t addr)
{
	uint64_t page = addr / l->page_size, group = page / PRESENCE_PAGES, bit;
	struct livemem_presence *p = presence_of(l, page);

	if (p->tag != group + 1) {
		uint64_t entry[PRESENCE_PAGES];
		long got =
			pagemap_entries(l->pagemap, group * PRESENCE_PAGES, entry, PRESENCE_PAGES);

		if (got <= 0 && !pagemap_has_mm(l->pagemap))
			return -ESRCH;
		livemem_set_presence(l, group, entry, got);
	}
	bit = 1ULL << (page % PRESENCE_PAGES);
	return p->present & bit ? PAGE_THERE : p->elsewhere & bit ? PAGE_ELSEWHERE : PAGE_ABSENT;
}

/*
 * Reads the line, and those behind it in its page when reading goes upwards. In the order of
 * reading they share pages of our own memory, each of which costs a fault. NULL when the kernel
 * does not give it.
 */
static const uint8_t *fetch_line(struct livemem *l, uint64_t line)
{
	size_t n = 1, slot;
	ssize_t got;

	if (line && livemem_slot_of(l, line - 1) != LINES)
		n = AHEAD - line % AHEAD;
	slot = livemem_slots(l, n);
	/* The fd is bound to the mm: for one line it costs half of process_vm_readv, after which
	 * the PID has to be checked. */
	got = pread(l->h->mem, l->c->lines + slot * LINE, n * LINE, line * LINE);
	for (size_t i = 0; got >= (ssize_t)((i + 1) * LINE); i++)
		livemem_put_line(l, slot + i, line + i, !i);
	return got < LINE ? NULL : l->c->lines + slot * LINE;
}

/* That a page is absent is looked up with what is read again: by one line of its group. */
static void want_group(struct livemem *l, uint64_t addr)
{
	struct livemem_presence *p = presence_of(l, addr / l->page_size);

	if (!p->wanted)
		livemem_want(l, addr, 1);
	p->wanted = true;
}

/* The part [addr, addr + len) of one line, through the cache. */
static int read_line(struct livemem *l, bool untouched, uint64_t addr, uint8_t *buf, size_t len,
		     range_vec *holes)
{
	const uint8_t *data = livemem_line(l, addr / LINE);
	struct runs one;
	int rc;

	if (!data) {
		rc = livemem_page(l, addr);
		if (rc < 0)
			return rc;
		if (rc != PAGE_THERE) {
			want_group(l, addr);
			memset(buf, 0, len);
			return livemem_absent(l, untouched && rc == PAGE_ABSENT, addr, addr + len,
					      holes);
		}
		data = fetch_line(l, addr / LINE);
	}
	if (data) {
		memcpy(buf, data + addr % LINE, len);
		return 0;
	}
	one.n = 0;
	rc = runs_add(l, &one, addr, buf, len, holes);
	return rc ? rc : runs_flush(l, &one, holes);
}

int livemem_heads(struct livemem *l, uint64_t start, uint64_t end, size_t each, void *buf)
{
	uint64_t step = (uint64_t)IOVS * l->page_size;
	uint8_t *p = buf;

	if (livemem_make_caches(l))
		return -ENOMEM;
	for (uint64_t a = start; a < end; a += step) {
		uint64_t stop = end - a < step ? end : a + step;
		size_t pages, n = (stop - a) / l->page_size;
		range_vec holes = { 0 }; /* zeros say enough */
		struct runs r = { .n = 0 };
		int rc;

		if (n > WINDOW_PAGES)
			return -EINVAL;
		rc = lookup(l, a, stop - a, &pages);
		memset(p, 0, n * each);
		for (size_t i = 0; i < n && !rc; i++)
			if (l->c->entries[i] & PM_PRESENT)
				rc = runs_add(l, &r, a + i * l->page_size, p + i * each, each,
					      &holes);
		if (!rc)
			rc = runs_flush(l, &r, &holes);
		vec_free(&holes);
		if (rc)
			return rc;
		p += n * each;
	}
	return 0;
}

/* Of each line: it is cached, or known to lie in a page that is not present. */
static bool is_known(const struct livemem *l, uint64_t addr, size_t len)
{
	for (uint64_t line = addr / LINE; line <= (addr + len - 1) / LINE; line++) {
		uint64_t page = line * LINE / l->page_size;
		const struct livemem_presence *p = presence_of(l, page);

		if (livemem_slot_of(l, line) == LINES &&
		    (p->tag != page / PRESENCE_PAGES + 1 ||
		     p->present & 1ULL << page % PRESENCE_PAGES))
			return false;
	}
	return true;
}

/* Lines of [from, to) in present pages, by l->c->entries: how many, and room for them. */
static size_t count_present(const struct livemem *l, uint64_t from, uint64_t to)
{
	size_t n = 0;

	for (uint64_t at = from; at < to; at += LINE)
		n += !!(l->c->entries[at / l->page_size - from / l->page_size] & PM_PRESENT);
	return n;
}

/* Reads the present pages of [from, to) into the cache, by l->c->entries. 1; 0: some can't be read,
 * or they are too many; -errno. */
static int cache_present(struct livemem *l, uint64_t from, uint64_t to)
{
	size_t n = count_present(l, from, to), first, slot;
	range_vec holes = { 0 };
	struct runs r = { .n = 0 };
	int rc = 0;

	if (n * LINE > MEDIUM)
		return 0;
	first = slot = livemem_slots(l, n);
	if (slot == LINES)
		return -ENOMEM;
	for (uint64_t at = from, stop; at < to && !rc; at = stop) {
		stop = at - at % l->page_size + l->page_size;
		stop = stop < to ? stop : to;
		if (!(l->c->entries[at / l->page_size - from / l->page_size] & PM_PRESENT))
			continue;
		rc = runs_add(l, &r, at, l->c->lines + slot * LINE, stop - at, &holes);
		slot += (stop - at) / LINE;
	}
	if (!rc)
		rc = runs_flush(l, &r, &holes);
	rc = rc ? rc : !holes.n;
	vec_free(&holes);
	for (uint64_t at = from; at < to && rc > 0; at += LINE)
		if (l->c->entries[at / l->page_size - from / l->page_size] & PM_PRESENT)
			livemem_put_line(l, first++, at / LINE, true);
	return rc;
}

/* Pages that follow addr and are as absent as its own, up to end. */
static uint64_t absent_until(struct livemem *l, uint64_t addr, uint64_t end, int page)
{
	do {
		want_group(l, addr);
		addr += l->page_size - addr % l->page_size;
	} while (addr < end && livemem_page(l, addr) == page);
	return addr < end ? addr : end;
}

/* What is not large goes through the cache for one who reads it again and again. 1: done; 0: it is
 * to be read otherwise; -errno. */
static int read_medium(struct livemem *l, bool untouched, uint64_t addr, uint8_t *buf, size_t len,
		       range_vec *holes)
{
	uint64_t from = addr - addr % LINE, to = addr + len + LINE - 1 - (addr + len - 1) % LINE;
	size_t pages;
	int rc = 1;

	if (to < from)
		return 0;
	if (!is_known(l, addr, len)) {
		rc = lookup(l, from, to - from, &pages);
		rc = rc ? rc : cache_present(l, from, to);
	}
	for (uint64_t end = addr + len, stop; addr < end && rc > 0; addr = stop) {
		int page = livemem_page(l, addr), failed;

		stop = addr - addr % LINE + LINE;
		stop = stop < end ? stop : end;
		if (page == PAGE_THERE) {
			failed = read_line(l, untouched, addr, buf, stop - addr, holes);
		} else if (page >= 0) {
			stop = absent_until(l, addr, end, page);
			memset(buf, 0, stop - addr);
			failed = livemem_absent(l, untouched && page == PAGE_ABSENT, addr, stop,
						holes);
		} else {
			failed = page;
		}
		rc = failed ? failed : 1;
		buf += stop - addr;
	}
	return rc;
}

int livemem_read(struct livemem *l, bool untouched, uint64_t addr, void *buf, size_t len,
		 range_vec *holes)
{
	uint8_t *p = buf;
	int rc = livemem_make_caches(l);

	if (rc)
		return rc;
	if (len > AHEAD * LINE) {
		if (len <= MEDIUM_SPAN && l->reader >= 0 && !l->h->by_procmem) {
			rc = read_medium(l, untouched, addr, p, len, holes);
			if (rc)
				return rc < 0 ? rc : 0;
		}
		return read_large(l, untouched, addr, p, len, holes);
	}
	while (len && !rc) {
		size_t n = LINE - addr % LINE;

		if (n > len)
			n = len;
		rc = read_line(l, untouched, addr, p, n, holes);
		addr += n;
		p += n;
		len -= n;
	}
	return rc;
}
