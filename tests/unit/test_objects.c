/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects in a span against a count of single bytes, as mbitmap.go and mgcsweep.go define them. */
#include "test.h"

#include "goruntime/goruntime.h"
#include "source/memsrc_impl.h"

enum { BASE = 1 << 20, BYTES = 256 << 10, ALLOC = BASE, MARKS = BASE + 1024, SPAN = BASE + 65536 };

struct fake {
	struct memsrc m;
	uint8_t mem[BYTES];
	bool deaf; /* nothing can be read */
};

static int fake_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		     void *buf, size_t len, range_vec *holes)
{
	struct fake *f = (struct fake *)m;

	memset(buf, 0, len);
	if (f->deaf || addr < BASE || addr + len > BASE + BYTES)
		return range_append(holes, addr, addr + len, HOLE_ABSENT);
	memcpy(buf, f->mem + (addr - BASE), len);
	return 0;
}

static const struct memsrc_ops ops = { .read = fake_read };

static bool bit_at(const struct fake *f, uint64_t addr, uint64_t i)
{
	return f->mem[addr - BASE + i / 8] >> i % 8 & 1;
}

/* The owner of one byte: 'l'ive, 'd'ead, or '-'. */
static char owner(const struct fake *f, const struct go_span *s, bool inline_marks, uint64_t addr)
{
	uint64_t i = (addr - s->start) / s->elemsize;
	bool alloc, marked;

	if (i >= s->nelems)
		return '-';
	alloc = i < s->freeindex || bit_at(f, s->allocbits, i);
	marked = bit_at(f, s->unswept ? s->markbits : s->allocbits, i);
	if (s->unswept && inline_marks && s->elemsize >= 16 && s->elemsize <= 512 && i < 63 * 8)
		marked |= bit_at(f, s->start + GO_PAGE_SIZE - 64, i);
	return !alloc ? '-' : marked ? 'l' : 'd';
}

static void check_range(struct fake *f, const struct go_runtime *rt, const struct go_span *s,
			uint64_t start, uint64_t end, uint64_t seed)
{
	uint64_t live, dead, l = 0, d = 0, n = 0;
	struct go_span other = *s;
	bool odd, one_more;

	for (uint64_t a = start; a < end; a++) {
		char o = owner(f, s, rt->inline_marks, a);

		l += o == 'l';
		d += o == 'd';
	}
	for (unsigned int i = 0; i < s->nelems; i++) {
		char o = owner(f, s, rt->inline_marks, s->start + i * s->elemsize);

		n += o == 'l' || o == 'd';
	}
	other.alloccount = n;
	if (!go_span_divide(rt, &other, start, end, &live, &dead, &odd) || live != l || dead != d)
		test_failed(__FILE__, __LINE__,
			    "seed %" PRIu64 ": [%" PRIu64 ",%" PRIu64 ") of %u slots: %" PRIu64
			    " live %" PRIu64 " dead, want %" PRIu64 " %" PRIu64,
			    seed, start - s->start, end - s->start, s->nelems, live, dead, l, d);
	other.alloccount = n + 1;
	go_span_divide(rt, &other, start, end, &live, &dead, &one_more);
	if (odd || (!one_more && start < s->start + s->nelems * s->elemsize && start < end))
		test_failed(__FILE__, __LINE__, "seed %" PRIu64 ": %" PRIu64 " objects", seed, n);
}

TEST(span_objects_against_single_bytes)
{
	static const unsigned int sizes[] = {
		8, 16, 24, 48, 112, 512, 576, 1024, 1152, 8192, 3200
	};
	static struct fake f = { .m = { .ops = &ops, .page_size = 4096 } };

	for (uint64_t seed = 1; seed <= 120; seed++) {
		uint64_t r = seed * 2654435761u;
		struct go_runtime rt = { .m = &f.m, .inline_marks = seed % 3 == 0 };
		struct go_span s = { .start = SPAN, .allocbits = ALLOC, .markbits = MARKS };
		uint64_t end;

		for (size_t i = 0; i < BYTES; i++)
			f.mem[i] = test_random(&r);
		s.elemsize = sizes[test_random(&r) % (sizeof(sizes) / sizeof(sizes[0]))];
		s.npages = 1 + test_random(&r) % 4;
		end = s.start + (uint64_t)s.npages * GO_PAGE_SIZE;
		s.nelems = s.npages * GO_PAGE_SIZE / s.elemsize - (s.elemsize <= 512);
		s.freeindex = test_random(&r) % 3 ? test_random(&r) % (s.nelems + 1) : s.nelems;
		s.unswept = test_random(&r) % 2;
		s.spanclass = 7;
		f.mem[SPAN + GO_PAGE_SIZE - 1 - BASE] = 7;
		check_range(&f, &rt, &s, s.start, end, seed);
		for (uint64_t p = s.start; p < end; p += 4096)
			check_range(&f, &rt, &s, p, p + 4096, seed);
		for (int i = 0; i < 20; i++) {
			uint64_t a = s.start + test_random(&r) % (end - s.start);

			check_range(&f, &rt, &s, a, a + test_random(&r) % (end - a + 1), seed);
		}
	}
}

/* A span of eight slots, three of them before freeindex. */
static const struct go_span eight = {
	.start = SPAN,
	.npages = 1,
	.elemsize = 1024,
	.nelems = 8,
	.freeindex = 3,
	.allocbits = ALLOC,
};

static struct fake *fake_create(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	REQUIRE(f);
	f->m.ops = &ops;
	f->m.page_size = 4096;
	return f;
}

static void fake_destroy(struct fake *f)
{
	vec_free(&f->m.holes);
	free(f);
}

/* The span's own count of what is allocated does not fit its bits: of a whole span, and of a part.
 */
TEST(span_objects_that_do_not_add_up)
{
	struct fake *f = fake_create();
	struct go_runtime rt = { .m = &f->m };
	struct go_span s = eight;
	uint64_t live, dead;
	bool odd;

	f->mem[0] = 0x61; /* slots 0, 5 and 6 */
	for (uint64_t end = 4096; end <= GO_PAGE_SIZE; end += 4096) {
		s.alloccount = 5;
		CHECK(go_span_divide(&rt, &s, s.start, s.start + end, &live, &dead, &odd));
		CHECK(!odd);
		s.alloccount = 4;
		CHECK(go_span_divide(&rt, &s, s.start, s.start + end, &live, &dead, &odd));
		CHECK(odd);
	}
	CHECK_INT(live, 3 * 1024);
	CHECK_INT(dead, 2 * 1024);
	fake_destroy(f);
}

/* Without its bitmaps, what lies below freeindex is allocated. */
TEST(span_objects_without_bitmaps)
{
	struct fake *f = fake_create();
	struct go_runtime rt = { .m = &f->m };
	const struct go_span s = eight;
	uint64_t live, dead;

	f->deaf = true;
	CHECK(!go_span_divide(&rt, &s, s.start, s.start + GO_PAGE_SIZE, &live, &dead, NULL));
	CHECK_INT(live, 0);
	CHECK_INT(dead, 3 * 1024);
	CHECK(!go_span_divide(&rt, &s, s.start + 1000, s.start + 2000, &live, &dead, NULL));
	CHECK_INT(dead, 1000);
	fake_destroy(f);
}
