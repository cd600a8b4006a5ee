/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of a capture that are replayed alone: profiles. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"
#include "bytes.h"
#include "rsscope/capture.h"
#include "source/capture.h"
#include "source/capture_impl.h"
#include "test.h"

enum { PAGE = 4096, BASE = 0x100000, WORDS = 3000 };

/* ---- a source whose every third word changes from time to time */

struct changing {
	struct memsrc m;
	uint64_t time, asked;
	int fd; /* of its one file */
};

static uint64_t word_at(const struct changing *c, uint64_t addr)
{
	return addr * 0x9e3779b97f4a7c15ULL + (addr / 8 % 3 ? 0 : c->time);
}

static int changing_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
			 void *buf, size_t len, range_vec *holes)
{
	struct changing *c = (struct changing *)m;

	c->asked++;
	if (addr >= BASE + (64 << 20)) {
		memset(buf, 0, len);
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	}
	for (size_t i = 0; i < len; i++) {
		uint64_t w = word_at(c, (addr + i) / 8 * 8);

		((uint8_t *)buf)[i] = w >> (addr + i) % 8 * 8;
	}
	return 0;
}

static int no_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	return -ENOENT;
}

static const char *how(const struct memsrc *m)
{
	return "changing";
}

static int the_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	*fd = fcntl(((struct changing *)m)->fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static const struct memsrc_ops changing_ops = {
	.text = no_text, .read = changing_read, .pages_how = how, .file = the_file
};

struct saving {
	struct changing c;
	struct capture_writer *w;
	char path[128];
};

static void saving_begin(struct saving *s)
{
	struct err e = { 0 };

	*s = (struct saving){ .c = { .m = { .ops = &changing_ops,
					    .kind = MEMSRC_LIVE,
					    .pid = 42,
					    .page_size = PAGE },
				     .fd = -1 } };
	snprintf(s->path, sizeof(s->path), "%s/parts", test_dir());
	REQUIRE(!capture_create(s->path, &s->w, &e));
	memsrc_tee(&s->c.m, s->w);
}

/* The capture as it is read again. */
static struct memsrc *saving_end(struct saving *s)
{
	struct memsrc *m = NULL;
	struct err e = { 0 };

	memsrc_tee(&s->c.m, NULL);
	memsrc_deinit(&s->c.m);
	if (capture_commit(s->w, &e) || memsrc_open_file(s->path, &m, &e))
		test_failed(__FILE__, __LINE__, "%s", e.text);
	REQUIRE(m);
	return m;
}

/* Words here and there, some of them next to each other; again, and once more, while they change.
 */
static void look(struct memsrc *m, uint64_t seed, uint64_t *out)
{
	struct changing *c = m->kind == MEMSRC_LIVE ? (struct changing *)m : NULL;

	for (unsigned int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < WORDS; i++) {
			uint64_t at = BASE + (i * 7919 + seed) % 8192 * 8 * (1 + i % 2);

			REQUIRE(!memsrc_u64(m, PASS_BOOKS, at, out++));
			if (c && i % 100 == 0)
				c->time += 1ULL << 40;
		}
		memsrc_flush(m);
	}
}

/* Each part alone gives what it gave, whatever was read before it, and in whatever order they are
 * asked for; as it was at each of three times. */
TEST(capture_parts_are_replayed_alone)
{
	static const char *const name[] = { "part_a", "part_b" };
	static uint64_t before[3 * WORDS], live[2][3 * WORDS], again[3 * WORDS];
	struct saving s;
	struct memsrc *m;
	size_t differ = 0;

	saving_begin(&s);
	look(&s.c.m, 0, before);
	for (int i = 0; i < 2; i++) {
		REQUIRE(!memsrc_begin_part(&s.c.m, name[i]));
		look(&s.c.m, 11 * i, live[i]);
	}
	m = saving_end(&s);
	for (int i = 1; i >= 0; i--) {
		REQUIRE(!memsrc_begin_part(m, name[i]));
		look(m, 11 * i, again);
		CHECK(!memcmp(again, live[i], sizeof(again)));
	}
	for (size_t i = 0; i < WORDS; i++)
		differ += live[0][i] != live[0][i + WORDS];
	CHECK(differ > WORDS / 4 && differ < WORDS / 2); /* it does change */
	CHECK(memcmp(before, live[0], sizeof(before)) != 0);
	look(m, 0, again); /* what is no part is where it was */
	CHECK_INT(memsrc_begin_part(m, "part_c"), -ENOENT);
	memsrc_close(m);
	m = NULL;
	REQUIRE(!memsrc_open_file(s.path, &m, NULL));
	look(m, 0, again);
	CHECK(!memcmp(before, again, sizeof(again)));
	memsrc_close(m);
	unlink(s.path);
}

/* Of a live process nobody saves, it is a flush, and leaves no note. */
TEST(part_of_a_process_that_is_not_saved)
{
	struct changing c = { .m = { .ops = &changing_ops, .kind = MEMSRC_LIVE } };
	uint64_t x = 7;

	CHECK_INT(memsrc_begin_part(&c.m, "part_a"), 0);
	CHECK(memsrc_may_retry(&c.m, PASS_BOOKS) && !memsrc_is_full(&c.m));
	CHECK_INT(memsrc_note(&c.m, "part_a", &x), 0);
	CHECK_INT(x, 7);
	memsrc_deinit(&c.m);
}

/* What does not change is written once, however often it is looked at. */
TEST(capture_parts_hold_no_copies)
{
	struct stat once, often;

	for (int times = 1; times <= 21; times += 20) {
		struct saving s;
		uint64_t x;

		saving_begin(&s);
		REQUIRE(!memsrc_begin_part(&s.c.m, "part"));
		for (int k = 0; k < times; k++) {
			for (uint64_t i = 0; i < 20000; i++)
				REQUIRE(!memsrc_u64(&s.c.m, PASS_BOOKS, BASE + i * 40, &x));
			memsrc_flush(&s.c.m);
		}
		memsrc_close(saving_end(&s));
		REQUIRE(!stat(s.path, times == 1 ? &once : &often));
		unlink(s.path);
	}
	CHECK(once.st_size > 20000); /* they are not all alike */
	CHECK_INT(often.st_size, once.st_size);
}

/* Retries end where a reader would take no more of them. */
TEST(capture_parts_of_many_retries)
{
	struct saving s;
	struct memsrc *m;
	uint64_t x, last = 0;
	unsigned int n = 0;

	saving_begin(&s);
	REQUIRE(!memsrc_begin_part(&s.c.m, "part"));
	while (memsrc_may_retry(&s.c.m, PASS_BOOKS) && n < 1 << 17) {
		memsrc_flush(&s.c.m);
		s.c.time += 1ULL << 32;
		REQUIRE(!memsrc_u64(&s.c.m, PASS_BOOKS, BASE + BASE % 24 / 8 * 16, &last));
		n++;
	}
	CHECK(n > 1000 && n < 1 << 17);
	m = saving_end(&s);
	REQUIRE(!memsrc_begin_part(m, "part"));
	for (unsigned int i = 0; i < n; i++) {
		memsrc_flush(m);
		REQUIRE(!memsrc_u64(m, PASS_BOOKS, BASE + BASE % 24 / 8 * 16, &x));
	}
	CHECK_INT(x, last);
	CHECK(!memsrc_may_retry(m, PASS_BOOKS));
	memsrc_close(m);
	unlink(s.path);
}

TEST(capture_holds_scraps_of_files)
{
	enum { SIZE = 3 << 20 };
	_free_ uint8_t *data = malloc(SIZE), *got = malloc(SIZE);
	struct saving s;
	struct memsrc *m;
	int fd = -1;

	REQUIRE(data && got);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = i * 31 + (i >> 9);
	saving_begin(&s);
	s.c.fd = bytes_fd(data, SIZE);
	REQUIRE(!memsrc_file(&s.c.m, "exe", 0, PAGE, &fd));
	CHECK_INT(memsrc_keep_piece(&s.c.m, "exe", fd, 0, 100), 0);
	for (uint64_t i = 0; i < SIZE; i += 1000)
		CHECK_INT(memsrc_keep_scrap(&s.c.m, "exe", fd, i, 64), 0);
	CHECK_INT(memsrc_keep_scrap(&s.c.m, "exe", fd, SIZE - 600000, 600000), 0);
	CHECK_INT(memsrc_keep_scrap(&s.c.m, "exe", fd, SIZE - 8, 64), 0); /* beyond the end */
	close(fd);
	m = saving_end(&s);
	close(s.c.fd);
	REQUIRE(!memsrc_file(m, "exe", 0, PAGE, &fd));
	REQUIRE(pread(fd, got, SIZE, 0) == SIZE);
	for (size_t i = 0; i < SIZE; i++)
		if (got[i] != (i < 100 || i % 1000 < 64 || i >= SIZE - 600000 ? data[i] : 0)) {
			test_failed(__FILE__, __LINE__, "byte %zu is %d", i, got[i]);
			break;
		}
	close(fd);
	memsrc_close(m);
	unlink(s.path);
}

/* ---- records that no writer makes */

struct made {
	struct text t;
	struct capture_end end;
};

static void put_record(struct made *f, uint32_t type, const void *meta, size_t meta_len,
		       const void *body, size_t n)
{
	struct capture_record r = {
		.type = type, .meta_len = meta_len, .stored_len = n, .raw_len = n
	};
	size_t at = f->t.n;

	REQUIRE(!text_add(&f->t, &r, sizeof(r)) && !text_add(&f->t, meta, meta_len) &&
		!text_add(&f->t, body, n));
	r.crc = crc32_z(0, (const void *)(f->t.p + at), f->t.n - at);
	memcpy(f->t.p + at, &r, sizeof(r));
	if (type != CAPTURE_END)
		f->end.count[type < CAPTURE_TYPES ? type : 0]++;
}

static struct made made_begin(void)
{
	struct capture_header h = { .magic = CAPTURE_MAGIC,
				    .version = CAPTURE_VERSION,
				    .header_size = sizeof(h),
				    .page_size = PAGE,
				    .pid = 7 };
	struct capture_file file = { .size = 1000, .path_len = 3 };
	struct made f = { 0 };
	uint8_t meta[sizeof(file) + 3];

	h.crc = crc32_z(0, (const void *)&h, offsetof(struct capture_header, crc));
	REQUIRE(!text_add(&f.t, &h, sizeof(h)));
	memcpy(meta, &file, sizeof(file));
	memcpy(meta + sizeof(file), "exe", 3);
	put_record(&f, CAPTURE_FILE, meta, sizeof(meta), "", 0);
	return f;
}

static int made_open(struct made *f, struct memsrc **m, struct err *e)
{
	int r;

	put_record(f, CAPTURE_END, &f->end, sizeof(f->end), "", 0);
	r = bytes_open_memsrc(f->t.p, f->t.n, m, e);
	text_free(&f->t);
	return r;
}

struct steps_case {
	const char *why; /* NULL: sound */
	uint32_t count;
	uint64_t start;
	struct capture_step step[2];
	unsigned int data; /* bytes */
};

#define DATA(n)	  ((n) << 2)
#define ABSENT(n) ((n) << 2 | CAPTURE_ABSENT)
static const struct steps_case both[] = {
	{ NULL, 2, 100, { { 0, DATA(8) }, { 32, DATA(16) } }, 24 },
	{ "of no parts", 0, 100, { { 0 } }, 24 },
	{ "or of too many", 9, 100, { { 0, DATA(8) } }, 24 },
	{ "bad part 0", 1, 100, { { 0, DATA(0) } }, 0 },
	{ "bad part 1", 2, 100, { { 0, DATA(8) }, { 0, DATA(17) } }, 24 },
	{ "bytes of no part", 2, 100, { { 0, DATA(8) }, { 0, DATA(8) } }, 24 },
	{ "bad part 0", 1, UINT64_MAX - 4, { { 8, DATA(8) } }, 8 },
	{ "bad part 0", 1, UINT64_MAX - 4, { { 0, DATA(8) } }, 8 },
};

static void put_case(struct made *f, uint32_t type, const struct steps_case *k)
{
	struct capture_words w = { .pass = 1, .epoch = 3, .count = k->count, .start = k->start };
	struct capture_scraps p = { .count = k->count, .start = k->start };
	uint8_t body[256], planes[256];
	size_t n = k->count < 2 ? k->count : 2, len = k->data + n * sizeof(k->step[0]);

	for (unsigned int i = 0; i < k->data; i++)
		body[i] = i + 1;
	memcpy(body + k->data, k->step, n * sizeof(k->step[0]));
	words_to_planes(body, len, planes);
	if (type == CAPTURE_WORDS)
		put_record(f, type, &w, sizeof(w), planes, len);
	else
		put_record(f, type, &p, sizeof(p), body, len);
}

static void check_case(uint32_t type, const struct steps_case *k)
{
	struct made f = made_begin();
	struct memsrc *m = NULL;
	struct err e;
	int r;

	put_case(&f, type, k);
	r = made_open(&f, &m, &e);
	CHECK_INT(r, k->why ? -EINVAL : 0);
	if (k->why && !strstr(e.text, k->why))
		test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", e.text, k->why);
	memsrc_close(m);
}

TEST(capture_with_steps_that_no_writer_makes)
{
	static const struct steps_case scraps[] = {
		{ "or of too many", UINT32_MAX, 100, { { 0, DATA(8) } }, 24 },
		{ "beyond the end", 1, 993, { { 0, DATA(8) } }, 8 },
		{ "beyond the end", 1, 100, { { 0, ABSENT(8) } }, 0 },
		{ "beyond the end", 1, 100, { { 4000000000U, DATA(8) } }, 8 },
		{ NULL, 1, 992, { { 0, DATA(8) } }, 8 },
	};
	static const struct steps_case words[] = {
		{ "bad record of words", CAPTURE_WORDS_MAX + 1, 100, { { 0, DATA(8) } }, 8 },
		{ NULL, 2, 100, { { 0, DATA(8) }, { 4000000000U, ABSENT(1 << 29) } }, 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		check_case(CAPTURE_WORDS, &both[i]);
		check_case(CAPTURE_SCRAPS, &both[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(scraps); i++)
		check_case(CAPTURE_SCRAPS, &scraps[i]);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		check_case(CAPTURE_WORDS, &words[i]);
}

/* Parts of one epoch ascend from record to record; what one has not, the epoch below it has. */
TEST(capture_with_words_of_two_records)
{
	static const struct steps_case k = { NULL, 1, 100, { { 0, DATA(8) } }, 8 };
	static const struct steps_case later = { NULL, 1, 108, { { 4, DATA(8) } }, 8 };
	struct made twice = made_begin(), f = made_begin();
	struct memsrc *m = NULL;
	uint64_t x = 0;
	struct err e;

	put_case(&twice, CAPTURE_WORDS, &k);
	put_case(&twice, CAPTURE_WORDS, &k);
	CHECK_INT(made_open(&twice, &m, &e), -EINVAL);
	CHECK(strstr(e.text, "out of order"));
	put_case(&f, CAPTURE_WORDS, &k);
	put_case(&f, CAPTURE_WORDS, &later);
	REQUIRE(!made_open(&f, &m, &e));
	m->epoch[PASS_BOOKS].number = 5;
	CHECK_INT(memsrc_u64(m, PASS_BOOKS, 112, &x), 0);
	CHECK_INT(x, 0x0807060504030201);
	CHECK_INT(memsrc_u64(m, PASS_BOOKS, 106, &x), -ENODATA);
	memsrc_close(m);
}
