/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose the bytes of stack spans are: each is one's, and all add up. */
#include "test.h"

#include "collect/goroutines.h"
#include "collect/stack_book.h"
#include "source/memsrc_impl.h"

enum { BASE = 0x100000, KIB = 1024 };

static int pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out)
{
	int r = range_append(out, BASE, BASE + 4 * KIB, PAGE_PRESENT);

	if (!r)
		r = range_append(out, BASE + 8 * KIB, BASE + 12 * KIB, PAGE_PRESENT | PAGE_ZERO);
	if (!r)
		r = range_append(out, BASE + 12 * KIB, BASE + 16 * KIB, PAGE_SWAPPED);
	return r ? r : range_append(out, BASE + 64 * KIB, BASE + 72 * KIB, PAGE_PRESENT);
}

static const struct memsrc_ops ops = { .pages = pages };

static void open_book(struct go_heap *h, struct memsrc *m, struct stack_book *b)
{
	static const struct go_span spans[] = {
		{ .start = BASE, .npages = 4, .kind = GO_SPAN_STACK },
		{ .start = BASE + 32 * KIB, .npages = 4, .kind = GO_SPAN_MANUAL },
		{ .start = BASE + 64 * KIB, .npages = 1, .kind = GO_SPAN_STACK },
	};

	*h = (struct go_heap){ 0 };
	*m = (struct memsrc){ .ops = &ops, .page_size = 4096 };
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		REQUIRE(!vec_push(&h->spans, spans[i]));
	REQUIRE(!stack_book_open(m, h, b));
}

TEST(stack_book_books_once)
{
	struct stack_bytes b, rest;
	struct stack_book book;
	struct go_heap h;
	struct memsrc m;

	open_book(&h, &m, &book);
	CHECK(stack_book_take(&book, BASE, BASE + 2 * KIB, &b));
	CHECK_INT(b.reserved, 2 * KIB);
	CHECK_INT(b.resident, 2 * KIB);
	/* the zero page and swap are not resident */
	CHECK(stack_book_take(&book, BASE + 8 * KIB, BASE + 16 * KIB, &b));
	CHECK_INT(b.reserved, 8 * KIB);
	CHECK_INT(b.resident, 0);
	/* what is booked already is not booked again */
	CHECK(!stack_book_take(&book, BASE, BASE + 2 * KIB, &b));
	CHECK_INT(b.reserved, 0);
	CHECK(stack_book_take(&book, BASE, BASE + 8 * KIB, &b));
	CHECK_INT(b.reserved, 6 * KIB);
	CHECK_INT(b.resident, 2 * KIB);
	CHECK(stack_book_take(&book, BASE + 64 * KIB, BASE + 72 * KIB, &b));
	CHECK_INT(b.resident, 8 * KIB);
	stack_book_rest(&book, &rest);
	CHECK_INT(rest.reserved, 16 * KIB);
	CHECK_INT(rest.resident, 0);
	go_heap_free(&h);
	stack_book_free(&book);
	stack_book_free(&book);
}

TEST(stack_book_refuses_what_is_no_stack)
{
	static const uint64_t bad[][2] = {
		{ BASE - 2 * KIB, BASE },	      /* before */
		{ BASE + 30 * KIB, BASE + 34 * KIB }, /* across the end */
		{ BASE + 32 * KIB, BASE + 34 * KIB }, /* work buffers */
		{ BASE + 1 * KIB, BASE + 3 * KIB },   /* no stack begins there */
		{ BASE, BASE + 1 * KIB },	      /* or ends there */
		{ BASE + 2 * KIB, BASE },	      /* backwards */
		{ BASE, BASE },			      /* nothing */
		{ BASE, UINT64_MAX - 1023 },	      /* everything */
		{ BASE + 72 * KIB, BASE + 74 * KIB }, /* behind */
	};
	struct stack_bytes b;
	struct stack_book book;
	struct go_heap h;
	struct memsrc m;

	open_book(&h, &m, &book);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(!stack_book_take(&book, bad[i][0], bad[i][1], &b));
		CHECK_INT(b.reserved, 0);
	}
	stack_book_rest(&book, &b);
	CHECK_INT(b.reserved, 40 * KIB);
	CHECK_INT(b.resident, 12 * KIB);
	go_heap_free(&h);
	stack_book_free(&book);
}

TEST(goroutines_wait_in_whole_minutes)
{
	const uint64_t s = 1000000000;
	struct go_stack g = { .wait_ns = (int64_t)(100 * s) };

	CHECK_INT(goroutine_minutes(&g, 159 * s), 0);
	CHECK_INT(goroutine_minutes(&g, 160 * s), 1);
	CHECK_INT(goroutine_minutes(&g, 100 * s + 3600 * s), 60);
	CHECK_INT(goroutine_minutes(&g, 99 * s), 0); /* another clock */
	CHECK_INT(goroutine_minutes(&g, 0), 0);
	g.wait_ns = 0;
	CHECK_INT(goroutine_minutes(&g, 1000 * s), 0);
	g.wait_ns = -5;
	CHECK_INT(goroutine_minutes(&g, 1000 * s), 0);
}
