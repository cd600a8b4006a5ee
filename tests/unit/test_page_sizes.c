/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page sizes that this machine may not have: a process made of files, of which the handle is made
 * by hand. A folder stands for /proc/PID; its mem and pagemap are sparse.
 */
#include <fcntl.h>
#include <unistd.h>

#include "test.h"
#include "base/text.h"
#include "collect/collect.h"
#include "source/capture.h"
#include "source/handle_impl.h"
#include "source/memsrc_impl.h"

/* Where the mappings are; all multiples of a huge page of 512 MiB, but for those that need not. */
enum {
	MIXED = 0x10000000,  /* 16 pages: even ones present, 5 swapped, 7 a guard region */
	MAPPED = 0x20000000, /* 8 pages of a file, the first 4 present */
	HUGE = 0x40000000,   /* one huge page */
	ZERO = 0x60000000,   /* 2 pages, the first is the zero page */
	LARGE = 0x70000000,  /* 200 pages, all present */
	FRAME = 1 << 20,     /* the huge page's first: a multiple of 8192 */
	ZERO_FRAME = 77,
	MIXED_PAGES = 16,
	MAPPED_PAGES = 8,
	LARGE_PAGES = 200,
};

struct made {
	uint32_t ps;
	char dir[64];
	int pagemap, mem, kflags;
	struct handle *h;
	uint64_t present; /* pages that count in RSS */
};

static uint64_t huge_size(uint32_t ps)
{
	return (uint64_t)ps * (ps / 8);
}

static int make_file(const struct made *x, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void make_text(const struct made *x, const char *name, const char *text)
{
	close(make_file(x, name, text));
}

static void put(int fd, uint64_t at, uint64_t word)
{
	REQUIRE(pwrite(fd, &word, sizeof(word), at) == sizeof(word));
}

/* A page with its own address at both ends. */
static void put_page(struct made *x, uint64_t addr, uint64_t entry)
{
	put(x->pagemap, addr / x->ps * 8, entry);
	if (!(entry & PM_PRESENT) || (entry & PM_PFN_MASK) == ZERO_FRAME)
		return;
	put(x->mem, addr, addr);
	put(x->mem, addr + x->ps - 8, addr);
	x->present++;
}

static void make_memory(struct made *x)
{
	uint32_t ps = x->ps;

	for (int i = 0; i < MIXED_PAGES; i += 2)
		put_page(x, MIXED + (uint64_t)i * ps, PM_PRESENT);
	put_page(x, MIXED + 5ULL * ps, PM_SWAP);
	put_page(x, MIXED + 7ULL * ps, PM_SWAP | PM_GUARD);
	for (int i = 0; i < MAPPED_PAGES / 2; i++)
		put_page(x, MAPPED + (uint64_t)i * ps, PM_PRESENT | PM_FILE);
	for (uint32_t i = 0; i < ps / 8; i++) {
		put(x->pagemap, (HUGE / ps + i) * 8ULL, PM_PRESENT | (FRAME + i));
		x->present++;
	}
	put(x->kflags, FRAME * 8ULL, 1ULL << 22); /* KPF_THP */
	put_page(x, ZERO, PM_PRESENT | ZERO_FRAME);
	for (int i = 0; i < LARGE_PAGES; i++)
		put_page(x, LARGE + (uint64_t)i * ps, PM_PRESENT);
}

static void add_mapping(struct text *maps, struct text *smaps, uint64_t start, uint64_t len,
			const char *rest)
{
	for (int i = 0; i < 2; i++)
		CHECK(!text_printf(i ? smaps : maps, "%lx-%lx %s\n", (unsigned long)start,
				   (unsigned long)(start + len), rest));
	CHECK(!text_printf(smaps, "VmFlags: rd wr mr mw me ac\n"));
}

static void make_texts(struct made *x)
{
	_text_ struct text maps = { 0 }, smaps = { 0 }, t = { 0 };
	const char *anon = "rw-p 00000000 00:00 0 ";
	uint64_t ps = x->ps;

	add_mapping(&maps, &smaps, MIXED, MIXED_PAGES * ps, anon);
	add_mapping(&maps, &smaps, MAPPED, MAPPED_PAGES * ps,
		    "r--p 00000000 08:01 99       /data/file");
	add_mapping(&maps, &smaps, HUGE, huge_size(ps), anon);
	add_mapping(&maps, &smaps, ZERO, 2 * ps, anon);
	add_mapping(&maps, &smaps, LARGE, LARGE_PAGES * ps, anon);
	make_text(x, "maps", maps.p);
	make_text(x, "smaps", smaps.p);
	text_printf(&t, "700 %lu 4 0 0 0 0\n", (unsigned long)x->present);
	make_text(x, "statm", t.p);
	text_free(&t);
	text_printf(&t, "%lx-%lx ---p 00000000 00:00 0 [rollup]\nRss: %lu kB\n",
		    (unsigned long)MIXED, (unsigned long)(LARGE + LARGE_PAGES * ps),
		    (unsigned long)(x->present * ps / 1024));
	make_text(x, "smaps_rollup", t.p);
	text_free(&t);
	text_printf(&t, "Name:\tmade\nTgid:\t42\nPid:\t42\nVmRSS:\t%lu kB\nThreads:\t1\n",
		    (unsigned long)(x->present * ps / 1024));
	make_text(x, "status", t.p);
	make_text(x, "stat",
		  "42 (made) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1234 0 0 0 0 0 0 0 "
		  "0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	make_text(x, "cmdline", "made");
}

static void made_start(struct made *x, uint32_t ps)
{
	*x = (struct made){ .ps = ps };
	snprintf(x->dir, sizeof(x->dir), "%s/XXXXXX", test_dir());
	REQUIRE(mkdtemp(x->dir));
	x->pagemap = make_file(x, "pagemap", "12345678");
	x->mem = make_file(x, "mem", "");
	x->kflags = make_file(x, "kpageflags", "");
	make_memory(x);
	put(x->mem, LARGE + (LARGE_PAGES + 1) * (uint64_t)ps, 0);
	put(x->pagemap, (LARGE / ps + LARGE_PAGES + 1) * 8ULL, 0);
	make_texts(x);
	x->h = handle_new(MEMSRC_LIVE);
	REQUIRE(x->h);
	x->h->pid = 42;
	x->h->page_size = x->h->pagemap.page_size = ps;
	x->h->start_time = 1234;
	x->h->by_procmem = true;
	x->h->proc_fd = open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x->h->mem = x->mem;
	x->h->pagemap.fd = x->pagemap;
	x->h->pagemap.kflags = x->kflags;
	x->h->pagemap.zero_pfn = ZERO_FRAME;
	REQUIRE(!handle_hold(x->h));
}

static const uint32_t sizes[] = { 4096, 16384, 65536 };

/* Bytes of ranges with exactly these flags. */
static uint64_t sum(const range_vec *v, uint32_t flags)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].flags == flags)
			n += v->v[i].end - v->v[i].start;
	return n;
}

TEST(page_sizes_residency)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t ps = sizes[i];
		struct memsrc *m = NULL;
		range_vec all = { 0 };
		struct made x;

		made_start(&x, ps);
		REQUIRE(!memsrc_open(x.h, &m, NULL));
		CHECK_INT(memsrc_page_size(m), ps);
		REQUIRE(!memsrc_pages(m, 0, 0, (1ULL << 47) - 4096, &all));
		CHECK_INT(sum(&all, PAGE_PRESENT), (MIXED_PAGES / 2 + LARGE_PAGES) * (uint64_t)ps);
		CHECK_INT(sum(&all, PAGE_SWAPPED), ps);
		CHECK_INT(sum(&all, PAGE_PRESENT | PAGE_FILE), MAPPED_PAGES / 2 * (uint64_t)ps);
		CHECK_INT(sum(&all, PAGE_PRESENT | PAGE_HUGE), huge_size(ps));
		CHECK_INT(sum(&all, PAGE_PRESENT | PAGE_ZERO), ps);
		all.n = 0;
		/* bounds inside of pages */
		REQUIRE(!memsrc_pages(m, 0, MIXED + ps + 1, MIXED + 2 * ps + 1, &all));
		CHECK(all.n == 1 && all.v[0].start == MIXED + 2 * ps &&
		      all.v[0].end == MIXED + 3 * ps);
		vec_free(&all);
		memsrc_close(m);
		handle_close(x.h);
	}
}

static void check_small_reads(struct memsrc *m, uint32_t ps)
{
	uint64_t got[2];

	for (uint64_t i = 0; i < MIXED_PAGES; i++) {
		uint64_t at = MIXED + i * ps, want = i % 2 ? 0 : at;
		int rc = i == 5 || i == 7 ? -ENODATA : 0;

		CHECK_INT(memsrc_u64(m, PASS_BOOKS, at, got), rc);
		CHECK_INT(got[0], want);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, at + ps - 8, got), rc);
		CHECK_INT(got[0], want);
		CHECK_INT(memsrc_u64(m, PASS_DISCOVER, at, got), i % 2 ? -ENODATA : 0);
	}
	for (uint64_t i = 0; i + 1 < LARGE_PAGES; i++) { /* from one page to the next */
		CHECK_INT(memsrc_read(m, PASS_BOOKS, LARGE + (i + 1) * ps - 8, got, 16), 0);
		CHECK(got[0] == LARGE + i * ps && got[1] == LARGE + (i + 1) * ps);
	}
	CHECK_INT(memsrc_u64(m, PASS_BOOKS, MIXED + MIXED_PAGES * (uint64_t)ps, got), -EFAULT);
	CHECK_INT(memsrc_stats(m)->unmapped, 8);
}

static void check_large_reads(struct memsrc *m, uint32_t ps)
{
	size_t len = (size_t)LARGE_PAGES * ps;
	uint8_t *buf = malloc(len);
	uint64_t head, tail, *heads = (uint64_t *)buf;

	REQUIRE(buf);
	CHECK_INT(memsrc_read(m, PASS_SPANS, LARGE, buf, len), 0);
	for (uint64_t i = 0; i < LARGE_PAGES; i++) {
		memcpy(&head, buf + i * ps, 8);
		memcpy(&tail, buf + (i + 1) * ps - 8, 8);
		CHECK(head == LARGE + i * ps && tail == head);
	}
	/* from within a page into one that is swapped */
	CHECK_INT(memsrc_read(m, PASS_SPANS, MIXED + 8, buf, 6ULL * ps - 8), -ENODATA);
	memcpy(&head, buf + 4ULL * ps - 8, 8);
	CHECK_INT(head, MIXED + 4ULL * ps);
	CHECK(!memsrc_read_heads(m, PASS_DISCOVER, MIXED, MIXED + MIXED_PAGES * (uint64_t)ps, 8,
				 buf));
	for (uint64_t i = 0; i < MIXED_PAGES; i++)
		CHECK_INT(heads[i], i % 2 ? 0 : MIXED + i * ps);
	free(buf);
}

TEST(page_sizes_reads)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct memsrc *m = NULL;
		struct made x;

		made_start(&x, sizes[i]);
		REQUIRE(!memsrc_open(x.h, &m, NULL));
		check_small_reads(m, sizes[i]);
		check_large_reads(m, sizes[i]);
		memsrc_close(m);
		handle_close(x.h);
	}
}

/* The ledger's sum; -1 when the report can't be made. */
static int64_t ledger_sum(struct memsrc *m, struct report *r)
{
	struct err e = { 0 };
	int64_t n = 0;

	if (collect_once(m, NULL, &(struct collect_opts){ 0 }, r, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	for (size_t i = 0; i < CAT_COUNT; i++)
		n += r->ledger.cat[i].resident;
	return n;
}

/* A report, and the same from its capture. */
TEST(page_sizes_ledger)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct capture_writer *w = NULL;
		struct memsrc *m = NULL;
		struct report live, again;
		char path[128];
		struct made x;
		uint64_t want;

		made_start(&x, sizes[i]);
		want = x.present * sizes[i];
		snprintf(path, sizeof(path), "%s/c.rsscap", x.dir);
		REQUIRE(!memsrc_open(x.h, &m, NULL) && !capture_create(path, &w, NULL));
		memsrc_tee(m, w);
		CHECK_INT(ledger_sum(m, &live), want);
		CHECK_INT(live.ledger.scanned, want);
		CHECK_INT(live.rss.before.v, want);
		CHECK_INT(live.host.page_size, sizes[i]);
		memsrc_tee(m, NULL);
		CHECK(!capture_commit(w, NULL));
		memsrc_close(m);
		handle_close(x.h);
		REQUIRE(!memsrc_open_file(path, &m, NULL));
		CHECK_INT(memsrc_page_size(m), sizes[i]);
		CHECK_INT(ledger_sum(m, &again), want);
		CHECK_INT(again.ledger.unexplained, live.ledger.unexplained);
		memsrc_close(m);
		report_free(&live);
		report_free(&again);
	}
}
