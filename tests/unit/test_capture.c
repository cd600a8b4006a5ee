/* SPDX-License-Identifier: BSD-2-Clause */
#include "bytes.h"
#include "ranges.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "memsrc_fake.h"
#include "source/capture.h"
#include "source/extents.h"
#include "rsscope/capture.h"

static void close_source(struct memsrc **m)
{
	memsrc_close(*m);
}
#define _memsrc_ _cleanup_(close_source) struct memsrc *

/* ---- a source with known answers that counts how often it is asked */

enum {
	PAGE = 4096,
	BASE = 0x10000,
	TOP = BASE + 64 * PAGE,
};

struct counting {
	struct memsrc m;
	int texts, pages, reads;
	uint64_t bytes; /* of memory, read from it */
	uint8_t salt;	/* changes what memory holds */
};

static uint8_t byte_at(const struct counting *c, uint64_t addr)
{
	return (addr * 2654435761u >> 7) + c->salt;
}

static int counting_alive(const struct memsrc *m)
{
	return 0;
}

static int counting_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	struct counting *c = (struct counting *)m;

	c->texts++;
	if (!strcmp(key, "proc/none")) {
		text_printf(out, "half of it");
		return -EACCES;
	}
	if (!strcmp(key, "proc/empty"))
		return 0;
	return text_printf(out, "%s %u, answer %d\n", key, seq, c->texts);
}

/* Every third page is absent; beyond TOP nothing is mapped; the last page fails. */
static int hole_at(uint64_t addr)
{
	if (addr < BASE || addr >= TOP)
		return HOLE_UNMAPPED;
	if (addr >= TOP - PAGE)
		return HOLE_FAILED;
	return addr / PAGE % 3 == 1 ? HOLE_ABSENT : 0;
}

static int counting_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
			 void *buf, size_t len, range_vec *holes)
{
	struct counting *c = (struct counting *)m;
	uint8_t *p = buf;

	c->reads++;
	c->bytes += len;
	for (size_t i = 0; i < len; i++) {
		int hole = hole_at(addr + i);

		p[i] = hole ? 0 : byte_at(c, addr + i);
		if (hole && range_append(holes, addr + i, addr + i + 1, hole))
			return -ENOMEM;
	}
	return 0;
}

static int counting_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
			  range_vec *out)
{
	struct counting *c = (struct counting *)m;

	c->pages++;
	if (start == 7 * PAGE)
		return -ESRCH;
	for (uint64_t a = start; a < end; a += 2 * PAGE)
		if (range_append(out, a, a + PAGE, PAGE_PRESENT | (seq ? PAGE_FILE : 0)))
			return -ENOMEM;
	return 0;
}

static const char *counting_how(const struct memsrc *m)
{
	return "counting";
}

static int counting_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

static void counting_close(struct memsrc *m)
{
}

static const struct memsrc_ops counting_ops = {
	.alive = counting_alive,
	.text = counting_text,
	.read = counting_read,
	.pages = counting_pages,
	.pages_how = counting_how,
	.file = counting_file,
	.close = counting_close,
};

static struct counting counting_make(void)
{
	return (struct counting){
		.m = { .ops = &counting_ops, .kind = MEMSRC_LIVE, .pid = 42, .page_size = PAGE }
	};
}

/* ---- scratch files */

struct scratch {
	char dir[64], path[80];
};

static void scratch_make(struct scratch *s)
{
	snprintf(s->dir, sizeof(s->dir), "%s/XXXXXX", test_dir());
	REQUIRE(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/capture", s->dir);
}

static void scratch_remove(struct scratch *s)
{
	unlink(s->path);
	/* fails, and the test with it, when anything else was left behind */
	CHECK_INT(rmdir(s->dir), 0);
}

static struct capture_writer *begin(const char *path, struct memsrc *m)
{
	struct capture_writer *w = NULL;
	struct err e = { 0 };

	if (capture_create(path, &w, &e)) {
		fprintf(stderr, "%s\n", e.text);
		REQUIRE(false);
	}
	memsrc_tee(m, w);
	return w;
}

static void commit(struct capture_writer *w, struct memsrc *m)
{
	struct err e = { 0 };

	memsrc_tee(m, NULL);
	if (capture_commit(w, &e)) {
		fprintf(stderr, "%s\n", e.text);
		REQUIRE(false);
	}
}

static struct memsrc *reopen(const char *path)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };

	if (memsrc_open_file(path, &m, &e)) {
		fprintf(stderr, "%s\n", e.text);
		REQUIRE(false);
	}
	CHECK_INT(memsrc_kind(m), MEMSRC_CAPTURE);
	return m;
}

/* ---- the index of extents */

TEST(extents_in_random_order)
{
	enum { N = 20000 };
	_free_ uint32_t *order = calloc(N, sizeof(*order));
	struct extents x = { 0 };
	struct extents_pos p = { 0 };
	uint32_t seed = 1;
	uint64_t last = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t j;

		seed = seed * 1664525 + 1013904223;
		j = seed % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	/* 16 bytes every 32, copies not in a row: no two join */
	for (uint32_t i = 0; i < N; i++)
		REQUIRE(!extents_insert(&x, (struct extent){ .start = order[i] * 32ULL,
							     .end = order[i] * 32ULL + 16,
							     .where = order[i] * 100ULL }));
	for (const struct extent *e; (e = extents_at(&x, p)); p = extents_next(&x, p), n++) {
		CHECK(!n || e->start > last);
		CHECK_INT(e->where, e->start / 32 * 100);
		last = e->start;
	}
	CHECK_INT(n, N);
	CHECK_INT(extents_at(&x, extents_lower(&x, 32 * 777 + 15))->start, 32 * 777);
	CHECK_INT(extents_at(&x, extents_lower(&x, 32 * 777 + 16))->start, 32 * 778);
	CHECK(!extents_at(&x, extents_lower(&x, 32ULL * N)));
	extents_free(&x);
}

TEST(extents_join)
{
	struct extents x = { 0 };
	struct extents_pos p = { 0 };
	const struct extent *e;

	for (int i = 0; i < 5000; i++)
		REQUIRE(!extents_insert(
			&x,
			(struct extent){ .start = 1000 + i, .end = 1001 + i, .where = 50 + i }));
	REQUIRE(!extents_insert(&x, (struct extent){ .start = 6000, .end = 6001, .state = 1 }));
	REQUIRE(!extents_insert(&x, (struct extent){ .start = 6001, .end = 7001, .state = 1 }));
	e = extents_at(&x, p);
	CHECK(e->start == 1000 && e->end == 6000 && e->where == 50);
	e = extents_at(&x, extents_next(&x, p));
	CHECK(e->start == 6000 && e->end == 7001 && e->state == 1);
	CHECK(!extents_at(&x, extents_next(&x, extents_next(&x, p))));
	extents_free(&x);
}

/* ---- tee and replay */

struct answer {
	int rc;
	uint8_t buf[3 * PAGE];
};

static void ask(struct memsrc *m, enum memsrc_pass pass, uint64_t addr, size_t len,
		struct answer *a)
{
	memset(a, 0, sizeof(*a));
	memset(a->buf, 0xee, len);
	a->rc = memsrc_read(m, pass, addr, a->buf, len);
}

/* A look that asks for odd places and sizes, the same ones for the same seed. */
static void look(struct memsrc *m, uint32_t seed, int n, struct answer *out)
{
	for (int i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 28 == 7)
			memsrc_flush(m);
		ask(m, seed >> 8 & 3, BASE - PAGE + (seed >> 4) % (66 * PAGE),
		    1 + (seed >> 12) % (i % 2 ? 40 : 3 * PAGE), &out[i]);
	}
}

TEST(capture_replays_memory)
{
	enum { N = 600 };
	struct counting c = counting_make();
	_free_ struct answer *live = calloc(N, sizeof(*live)), *again = calloc(N, sizeof(*again));
	struct memsrc_stats stats;
	struct capture_writer *w;
	struct scratch s;

	scratch_make(&s);
	w = begin(s.path, &c.m);
	look(&c.m, 7, N / 2, live);
	c.salt = 1; /* what is known by now is not read again */
	look(&c.m, 7777, N / 2, live + N / 2);
	stats = c.m.stats;
	commit(w, &c.m);
	CHECK(stats.not_resident && stats.unmapped && stats.failed);
	{
		_memsrc_ m = reopen(s.path);

		CHECK_INT(memsrc_pid(m), 42);
		CHECK_INT(memsrc_page_size(m), PAGE);
		CHECK_INT(memsrc_alive(m), 0);
		look(m, 7, N / 2, again);
		look(m, 7777, N / 2, again + N / 2);
		for (int i = 0; i < N; i++)
			if (memcmp(&live[i], &again[i], sizeof(*live)))
				test_failed(__FILE__, __LINE__, "read %d: %d, live %d", i,
					    again[i].rc, live[i].rc);
		CHECK_INT(memsrc_stats(m)->reads, stats.reads);
		CHECK_INT(memsrc_stats(m)->read_bytes, stats.read_bytes);
		CHECK_INT(memsrc_stats(m)->not_resident, stats.not_resident);
		CHECK_INT(memsrc_stats(m)->unmapped, stats.unmapped);
		CHECK_INT(memsrc_stats(m)->failed, stats.failed);
	}
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

TEST(capture_reads_a_byte_once_a_pass)
{
	struct counting c = counting_make();
	struct capture_writer *w;
	struct answer a, b;
	struct scratch s;
	uint64_t at = BASE + PAGE + 100; /* pages at BASE: absent, data, data, absent, … */

	scratch_make(&s);
	w = begin(s.path, &c.m);
	ask(&c.m, PASS_BOOKS, at, 50, &a);
	CHECK_INT(a.rc, 0);
	CHECK_INT(c.bytes, 50);
	ask(&c.m, PASS_BOOKS, at - 10, 70, &a); /* 10 before, 10 behind */
	CHECK_INT(c.bytes, 70);
	c.salt = 9;
	ask(&c.m, PASS_BOOKS, at - 10, 70, &b);
	CHECK_INT(c.bytes, 70);
	CHECK(!memcmp(&a, &b, sizeof(a)));
	ask(&c.m, PASS_SPANS, at - 10, 70, &b); /* another pass looks anew */
	CHECK_INT(c.bytes, 140);
	CHECK(memcmp(&a, &b, sizeof(a)));
	/* absent stays absent, without asking again */
	ask(&c.m, PASS_BOOKS, BASE, 8, &a);
	CHECK_INT(a.rc, -ENODATA);
	c.bytes = 0;
	ask(&c.m, PASS_BOOKS, BASE, 3 * PAGE, &a);
	CHECK_INT(c.bytes, 3 * PAGE - 8 - 70);
	ask(&c.m, PASS_BOOKS, BASE, 3 * PAGE, &b);
	CHECK_INT(c.bytes, 3 * PAGE - 8 - 70);
	CHECK(!memcmp(&a, &b, sizeof(a)));
	memsrc_tee(&c.m, NULL);
	capture_abort(w);
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

TEST(capture_keeps_retries_apart)
{
	struct counting c = counting_make();
	struct capture_writer *w;
	uint64_t first, second, x;
	struct scratch s;

	scratch_make(&s);
	memsrc_flush(&c.m); /* before the tee: of no account */
	w = begin(s.path, &c.m);
	memsrc_flush(&c.m); /* before the first read, either */
	CHECK_INT(memsrc_u64(&c.m, PASS_BOOKS, BASE + 2 * PAGE, &first), 0);
	c.salt = 1;
	memsrc_flush(&c.m);
	memsrc_flush(&c.m);
	CHECK_INT(memsrc_u64(&c.m, PASS_BOOKS, BASE + 2 * PAGE, &second), 0);
	CHECK(first != second);
	commit(w, &c.m);
	{
		_memsrc_ m = reopen(s.path);

		CHECK_INT(memsrc_u64(m, PASS_BOOKS, BASE + 2 * PAGE, &x), 0);
		CHECK(x == first);
		memsrc_flush(m);
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, BASE + 2 * PAGE, &x), 0);
		CHECK(x == second);
		/* asked in a pass that did not read it: the nearest there is */
		CHECK_INT(memsrc_u64(m, PASS_AGAIN, BASE + 2 * PAGE, &x), 0);
		CHECK(x == first);
		/* never read at all */
		CHECK_INT(memsrc_u64(m, PASS_BOOKS, BASE + 5 * PAGE, &x), -ENODATA);
		CHECK_INT(x, 0);
		CHECK_INT(memsrc_stats(m)->failed, 8);
	}
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

TEST(capture_replays_texts_and_notes)
{
	static const char *const keys[] = { "proc/status", "proc/none", "proc/empty", "proc/task" };
	struct counting c = counting_make();
	struct text live[8] = { 0 };
	int rc[8], asked;
	uint64_t early = 5, late = 6, x;
	struct capture_writer *w;
	struct scratch s;

	scratch_make(&s);
	CHECK_INT(memsrc_note(&c.m, "early", &early), 0);
	w = begin(s.path, &c.m);
	CHECK_INT(memsrc_note(&c.m, "late", &late), 0);
	for (int i = 0; i < 8; i++)
		rc[i] = memsrc_text(&c.m, keys[i / 2], i % 2, &live[i]);
	asked = c.texts;
	CHECK_STR(live[2].p, "");
	CHECK_INT(rc[2], -EACCES);
	CHECK_STR(live[4].p, "");
	for (int i = 0; i < 8; i++) {
		_text_ struct text t = { 0 };

		CHECK_INT(memsrc_text(&c.m, keys[i / 2], i % 2, &t), rc[i]);
		CHECK_STR(t.p, live[i].p);
	}
	CHECK_INT(c.texts, asked);
	commit(w, &c.m);
	{
		_memsrc_ m = reopen(s.path);
		_text_ struct text t = { 0 };

		CHECK_STR(memsrc_pages_how(m), "counting");
		for (int i = 0; i < 8; i++) {
			t.n = 0;
			CHECK_INT(memsrc_text(m, keys[i / 2], i % 2, &t), rc[i]);
			CHECK_STR(t.p, live[i].p);
		}
		CHECK_INT(memsrc_text(m, "proc/status", 2, &t), -ENOENT);
		CHECK_INT(memsrc_text(m, "proc/maps", 0, &t), -ENOENT);
		x = 100;
		CHECK_INT(memsrc_note(m, "early", &x), 0);
		CHECK_INT(x, 5);
		CHECK_INT(memsrc_note(m, "late", &x), 0);
		CHECK_INT(x, 6);
		CHECK_INT(memsrc_note(m, "never", &x), -ENOENT);
		t.n = 0;
		CHECK_INT(memsrc_text(m, "meta/late", 0, &t), 0);
		CHECK_STR(t.p, "6\n");
	}
	for (int i = 0; i < 8; i++)
		text_free(&live[i]);
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

static void check_same_ranges(const range_vec *a, const range_vec *b)
{
	CHECK_INT(a->n, b->n);
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->v[i].start != b->v[i].start || a->v[i].end != b->v[i].end ||
		    a->v[i].flags != b->v[i].flags) {
			test_failed(__FILE__, __LINE__, "range %zu differs", i);
			break;
		}
}

TEST(capture_replays_pages)
{
	enum { MANY = 60000 }; /* of two records and more */
	struct counting c = counting_make();
	range_vec live[3] = { 0 }, got = { 0 };
	struct capture_writer *w;
	struct scratch s;

	scratch_make(&s);
	w = begin(s.path, &c.m);
	CHECK_INT(memsrc_pages(&c.m, 0, 0, MANY * PAGE, &live[0]), 0);
	CHECK_INT(memsrc_pages(&c.m, 1, BASE, TOP, &live[1]), 0);
	CHECK_INT(memsrc_pages(&c.m, 1, TOP, TOP + PAGE, &live[2]), 0);
	CHECK_INT(memsrc_pages(&c.m, 1, 7 * PAGE, 8 * PAGE, &got), -ESRCH);
	CHECK_INT(got.n, 0);
	CHECK_INT(memsrc_pages(&c.m, 1, BASE, TOP, &got), 0);
	check_same_ranges(&live[1], &got);
	CHECK_INT(c.pages, 4);
	commit(w, &c.m);
	{
		_memsrc_ m = reopen(s.path);

		got.n = 0;
		CHECK_INT(memsrc_pages(m, 0, 0, MANY * PAGE, &got), 0);
		check_same_ranges(&live[0], &got);
		got.n = 0;
		CHECK_INT(memsrc_pages(m, 1, BASE, TOP, &got), 0);
		check_same_ranges(&live[1], &got);
		got.n = 0;
		CHECK_INT(memsrc_pages(m, 1, 7 * PAGE, 8 * PAGE, &got), -ESRCH);
		/* a request that was never made, inside one that was; across two */
		CHECK_INT(memsrc_pages(m, 0, 101 * PAGE, 104 * PAGE, &got), 0);
		CHECK_INT(got.n, 1);
		CHECK(got.v[0].start == 102 * PAGE && got.v[0].end == 103 * PAGE);
		got.n = 0;
		CHECK_INT(memsrc_pages(m, 1, TOP - 2 * PAGE, TOP + PAGE, &got), 0);
		CHECK_INT(range_sum(got.v, got.n, PAGE_PRESENT | PAGE_FILE), 2 * PAGE);
		/* a later look than there was: the last */
		got.n = 0;
		CHECK_INT(memsrc_pages(m, 9, BASE, TOP, &got), 0);
		CHECK_INT(range_sum(got.v, got.n, PAGE_FILE), 32 * PAGE);
		CHECK_INT(memsrc_pages(m, 1, 1ULL << 40, (1ULL << 40) + PAGE, &got), -ENOENT);
	}
	for (int i = 0; i < 3; i++)
		vec_free(&live[i]);
	vec_free(&got);
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

TEST(capture_replays_files)
{
	enum { SIZE = 700 << 10 };
	struct counting c = counting_make();
	_free_ uint8_t *data = malloc(SIZE), *got = malloc(SIZE);
	struct capture_writer *w;
	char file[96];
	struct scratch s;
	int fd, none = -1;

	scratch_make(&s);
	snprintf(file, sizeof(file), "%s/elf", s.dir);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = i * 31 + (i >> 9);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, data, SIZE) == SIZE);
	close(fd);
	w = begin(s.path, &c.m);
	REQUIRE(!memsrc_file(&c.m, file, 0, PAGE, &fd));
	CHECK_INT(memsrc_keep_piece(&c.m, file, fd, 10, 500000), 0);
	CHECK_INT(memsrc_keep_piece(&c.m, file, fd, 0, 64), 0);
	CHECK_INT(memsrc_keep_piece(&c.m, file, fd, SIZE - 10, 1000), 0); /* beyond the end */
	close(fd);
	CHECK_INT(memsrc_file(&c.m, "/nonexistent", 0, PAGE, &none), -ENOENT);
	commit(w, &c.m);
	unlink(file);
	{
		_memsrc_ m = reopen(s.path);
		struct stat st;

		REQUIRE(!memsrc_file(m, file, 0, PAGE, &fd));
		REQUIRE(!fstat(fd, &st));
		CHECK_INT(st.st_size, SIZE);
		CHECK(write(fd, "", 1) < 0 || access("/proc/self/fd", X_OK));
		REQUIRE(pread(fd, got, SIZE, 0) == SIZE);
		CHECK(!memcmp(got, data, 500010));
		CHECK(!memcmp(got + SIZE - 10, data + SIZE - 10, 10));
		for (size_t i = 500010; i < SIZE - 10; i++)
			if (got[i]) {
				test_failed(__FILE__, __LINE__, "byte %zu was not saved", i);
				break;
			}
		close(fd);
		REQUIRE(!memsrc_file(m, file, 4 * PAGE, 5 * PAGE, &fd)); /* another mapping */
		close(fd);
		CHECK_INT(memsrc_file(m, "/nonexistent", 0, PAGE, &none), -ENOENT);
		CHECK_INT(memsrc_file(m, "/never/asked", 0, PAGE, &none), -ENOENT);
		CHECK_INT(none, -1);
	}
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

/* The whole way: a process, a capture, the same answers. */
TEST(capture_of_a_live_process)
{
	size_t len = 64 * getpagesize();
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_free_ uint8_t *a = malloc(len), *b = malloc(len);
	range_vec ra = { 0 }, rb = { 0 };
	_text_ struct text ta = { 0 }, tb = { 0 };
	struct memsrc *live = NULL;
	struct capture_writer *w;
	struct err e = { 0 };
	struct scratch s;
	int ready[2], rc, ra_rc, fd;
	char byte;
	pid_t pid;

	madvise(p, len, MADV_NOHUGEPAGE);
	REQUIRE(!pipe(ready));
	pid = fork();
	if (!pid) {
		for (size_t i = 0; i < len / 2; i++)
			p[i] = i * 7;
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	REQUIRE(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	rc = memsrc_open_live(pid, &live, &e);
	if (rc == -EPERM || rc == -EACCES) {
		kill(pid, SIGKILL);
		SKIP(e.text);
	}
	REQUIRE(!rc);
	scratch_make(&s);
	w = begin(s.path, live);
	CHECK_INT(memsrc_read(live, PASS_DISCOVER, (uintptr_t)p, a, len), -ENODATA);
	rc = memsrc_read(live, PASS_BOOKS, (uintptr_t)p, a, len);
	CHECK_INT(rc, 0); /* untouched pages are zeros, in the capture, too */
	CHECK_INT(memsrc_text(live, "proc/maps", 0, &ta), 0);
	ra_rc = memsrc_pages(live, 0, 0, UINT64_MAX, &ra);
	CHECK_INT(ra_rc, 0);
	REQUIRE(!memsrc_file(live, "exe", 0, 0, &fd));
	CHECK_INT(memsrc_keep_piece(live, "exe", fd, 0, 4096), 0);
	close(fd);
	commit(w, live);
	memsrc_close(live);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	{
		_memsrc_ m = reopen(s.path);
		uint8_t magic[4];

		CHECK_INT(memsrc_pid(m), pid);
		CHECK_INT(memsrc_read(m, PASS_BOOKS, (uintptr_t)p, b, len), rc);
		CHECK(!memcmp(a, b, len));
		CHECK_INT(memsrc_read(m, PASS_DISCOVER, (uintptr_t)p, b, len), -ENODATA);
		CHECK_INT(memsrc_text(m, "proc/maps", 0, &tb), 0);
		CHECK_STR(ta.p, tb.p);
		CHECK_INT(memsrc_pages(m, 0, 0, UINT64_MAX, &rb), 0);
		check_same_ranges(&ra, &rb);
		REQUIRE(!memsrc_file(m, "exe", 0, 0, &fd));
		CHECK(pread(fd, magic, 4, 0) == 4 && !memcmp(magic, "\177ELF", 4));
		close(fd);
	}
	vec_free(&ra);
	vec_free(&rb);
	scratch_remove(&s);
}

/* ---- the file itself */

TEST(capture_leaves_nothing_unless_committed)
{
	struct counting c = counting_make();
	struct capture_writer *w = NULL;
	struct err e = { 0 };
	struct scratch s;
	struct stat st;
	uint64_t x;

	scratch_make(&s);
	w = begin(s.path, &c.m);
	memsrc_u64(&c.m, PASS_BOOKS, BASE, &x);
	CHECK(access(s.path, F_OK));
	memsrc_tee(&c.m, NULL);
	capture_abort(w);
	CHECK(access(s.path, F_OK));
	capture_abort(NULL);
	/* nothing recorded */
	REQUIRE(!capture_create(s.path, &w, &e));
	CHECK_INT(capture_commit(w, &e), -EINVAL);
	CHECK(access(s.path, F_OK));
	/* a good one is private, and takes the place of another */
	for (int i = 0; i < 2; i++) {
		w = begin(s.path, &c.m);
		memsrc_u64(&c.m, PASS_BOOKS, BASE, &x);
		commit(w, &c.m);
		REQUIRE(!stat(s.path, &st));
		CHECK_INT(st.st_mode & 07777, 0600);
	}
	CHECK_INT(capture_create("/nonexistent/x", &w, &e), -ENOENT);
	CHECK(strstr(e.text, "/nonexistent/x"));
	CHECK_INT(capture_create("/dev/null", &w, &e), -EINVAL);
	CHECK(!stat("/dev/null", &st) && S_ISCHR(st.st_mode));
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

TEST(capture_on_a_full_disk)
{
	struct counting c = counting_make();
	struct rlimit small = { 1 << 20, 1 << 20 };
	_free_ uint8_t *buf = malloc(60 * PAGE);
	struct capture_writer *w;
	struct err e = { 0 };
	struct scratch s;

	scratch_make(&s);
	w = begin(s.path, &c.m);
	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(!setrlimit(RLIMIT_FSIZE, &small));
	for (int epoch = 0; epoch < 20; epoch++) {
		memsrc_flush(&c.m);
		c.salt = epoch;
		/* the look goes on, and sees what there is */
		CHECK_INT(memsrc_read(&c.m, PASS_BOOKS, BASE, buf, 60 * PAGE), -ENODATA);
		CHECK_INT(buf[PAGE + 5], byte_at(&c, BASE + PAGE + 5));
	}
	memsrc_tee(&c.m, NULL);
	CHECK_INT(capture_commit(w, &e), -EFBIG);
	CHECK(strstr(e.text, s.path));
	memsrc_deinit(&c.m);
	scratch_remove(&s);
}

/* A small capture with a record of every type, in memory. */
static uint8_t *small_capture(struct scratch *s, size_t *size)
{
	struct counting c = counting_make();
	struct capture_writer *w = begin(s->path, &c.m);
	_text_ struct text t = { 0 };
	range_vec v = { 0 };
	uint8_t buf[200], *all;
	uint64_t x = 1;
	struct stat st;
	int fd;

	memsrc_text(&c.m, "proc/status", 0, &t);
	memsrc_text(&c.m, "proc/none", 0, &t);
	memsrc_note(&c.m, "time", &x);
	memsrc_pages(&c.m, 0, BASE, BASE + 3 * PAGE, &v);
	memsrc_read(&c.m, PASS_BOOKS, BASE + 2 * PAGE, buf, sizeof(buf));
	memsrc_read(&c.m, PASS_SPANS, BASE + 2 * PAGE, buf, sizeof(buf));
	memsrc_read(&c.m, PASS_SPANS, 0, buf, sizeof(buf));
	REQUIRE(!memsrc_file(&c.m, "/proc/self/exe", 0, PAGE, &fd));
	memsrc_keep_piece(&c.m, "/proc/self/exe", fd, 0, 100);
	close(fd);
	vec_free(&v);
	commit(w, &c.m);
	memsrc_deinit(&c.m);
	fd = open(s->path, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0 && !fstat(fd, &st));
	*size = st.st_size;
	all = malloc(st.st_size);
	REQUIRE(read(fd, all, st.st_size) == st.st_size);
	close(fd);
	return all;
}

TEST(capture_cut_short_anywhere)
{
	_free_ uint8_t *all = NULL;
	struct memsrc *m = NULL;
	struct scratch s;
	struct err e;
	size_t size;

	scratch_make(&s);
	all = small_capture(&s, &size);
	CHECK_INT(bytes_open_memsrc(all, size, &m, &e), 0);
	memsrc_close(m);
	for (size_t n = 0; n < size; n++) {
		if (bytes_open_memsrc(all, n, &m, &e) != -EINVAL) {
			test_failed(__FILE__, __LINE__, "cut at %zu of %zu: accepted", n, size);
			memsrc_close(m);
			break;
		}
		if (!e.text[0])
			test_failed(__FILE__, __LINE__, "cut at %zu: no text", n);
	}
	/* says where */
	bytes_open_memsrc(all, size - 1, &m, &e);
	CHECK(strstr(e.text, "at byte ") && strstr(e.text, "capture the process again"));
	scratch_remove(&s);
}

TEST(capture_with_any_bit_flipped)
{
	_free_ uint8_t *all = NULL;
	struct memsrc *m = NULL;
	struct scratch s;
	struct err e;
	size_t size;

	scratch_make(&s);
	all = small_capture(&s, &size);
	for (size_t bit = 0; bit < size * 8; bit++) {
		int rc;

		all[bit / 8] ^= 1 << bit % 8;
		rc = bytes_open_memsrc(all, size, &m, &e);
		if (rc != -EINVAL || !e.text[0]) {
			test_failed(__FILE__, __LINE__, "bit %zu of byte %zu: %d", bit % 8, bit / 8,
				    rc);
			memsrc_close(rc ? NULL : m);
			break;
		}
		all[bit / 8] ^= 1 << bit % 8;
	}
	scratch_remove(&s);
}

TEST(capture_with_a_tail_or_without_records)
{
	_free_ uint8_t *all = NULL, *more = NULL;
	struct capture_header h;
	struct memsrc *m = NULL;
	struct scratch s;
	struct err e;
	size_t size;

	scratch_make(&s);
	all = small_capture(&s, &size);
	more = calloc(1, size + 8);
	memcpy(more, all, size);
	CHECK_INT(bytes_open_memsrc(more, size + 8, &m, &e), -EINVAL);
	CHECK(strstr(e.text, "after the end"));
	memcpy(&h, all, sizeof(h));
	h.version = 2;
	memcpy(more, &h, sizeof(h));
	CHECK_INT(bytes_open_memsrc(more, size, &m, &e), -EINVAL);
	CHECK(strstr(e.text, "format 2"));
	CHECK_INT(bytes_open_memsrc("hello, world", 12, &m, &e), -EINVAL);
	CHECK(strstr(e.text, "neither"));
	CHECK_INT(memsrc_open_file("/nonexistent", &m, &e), -ENOENT);
	CHECK_INT(memsrc_open_file("/", &m, &e), -EINVAL);
	scratch_remove(&s);
}
