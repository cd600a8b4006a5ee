/* SPDX-License-Identifier: BSD-2-Clause */
/* Events for people: how many lines a storm of them makes, and that nothing is left out of the
 * sums. */
#include "observe/fold.h"
#include "test.h"

#define SECOND 1000000000ULL

static struct event call(uint64_t ns, uint64_t stack, uint64_t bytes)
{
	return (struct event){ .type = EVENT_CALL,
			       .tgid = 7,
			       .tid = 7,
			       .enter_ns = ns,
			       .exit_ns = ns,
			       .call = { .call = CALL_MMAP,
					 .args = { 0, bytes, 3, 0x22 },
					 .ret = 0x7f0000000000,
					 .nstack = 1,
					 .stack = { stack } } };
}

static size_t count(const struct text *t, const char *what)
{
	size_t n = 0;

	for (const char *p = t->p ? strstr(t->p, what) : NULL; p; p = strstr(p + 1, what))
		n++;
	return n;
}

static void add(struct fold *f, struct watch_text *w, const struct event *e, struct text *out)
{
	CHECK(!fold_event(f, w, e, NULL, 0, e->exit_ns, out));
}

TEST(fold_tells_few_events_as_they_come)
{
	struct watch_text w = { 0 };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };

	for (uint64_t i = 0; i < FOLD_DIRECT; i++) {
		struct event e = call(SECOND + i, i + 1, 4096);

		add(&f, &w, &e, &out);
	}
	CHECK(count(&out, "\n") == FOLD_DIRECT && !fold_due(&f));
	fold_free(&f);
	fold_free(&f);
}

TEST(fold_makes_calls_of_one_stack_one_line_with_number_and_bytes)
{
	struct frame main_leak = { .func = "main.leak", .file = "leak.go", .line = 12 };
	struct watch_text w = { 0 };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };

	for (uint64_t i = 0; i < 5152; i++) {
		struct event e = call(SECOND + i, 1, 1 << 20);

		CHECK(!fold_event(&f, &w, &e, &main_leak, 1, e.exit_ns, &out));
	}
	CHECK(count(&out, "\n") == 1 && fold_due(&f) == 2 * SECOND);
	CHECK(!fold_flush(&f, &w, 2 * SECOND, &out) && !fold_due(&f));
	CHECK(count(&out, "\n") == 2 &&
	      count(&out, "5.0 GiB in 5,151 calls  main.leak leak.go:12"));
	/* it goes on: one line a second from now on */
	out.n = 0;
	for (uint64_t i = 0; i < 10; i++) {
		struct event e = call(2 * SECOND + i, 1, 1 << 20);

		CHECK(!fold_event(&f, &w, &e, &main_leak, 1, e.exit_ns, &out));
	}
	CHECK(!fold_flush(&f, &w, 3 * SECOND, &out) && count(&out, "\n") == 1);
	CHECK(count(&out, "10.0 MiB in 10 calls"));
	fold_free(&f);
}

TEST(fold_keeps_failures_and_stacks_apart)
{
	struct watch_text w = { 0 };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };

	for (uint64_t i = 0; i < 300; i++) {
		struct event e = call(SECOND + i, i % 2, 4096);

		if (i % 3 == 2)
			e.call.ret = -12;
		add(&f, &w, &e, &out);
	}
	out.n = 0;
	CHECK(!fold_flush(&f, &w, 2 * SECOND, &out));
	CHECK(count(&out, "\n") == 4 && count(&out, "failed: ENOMEM") == 2);
	fold_free(&f);
}

/* Ten seconds of what no two lines have in common. */
TEST(fold_bounds_the_lines_of_a_second_and_counts_the_rest)
{
	struct watch_text w = { 0 };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };
	uint64_t stack = 0;

	for (uint64_t s = 1; s <= 10; s++)
		for (uint64_t i = 0; i < 1000; i++) {
			struct event e = call(s * SECOND + i * 1000, ++stack, 4096);

			add(&f, &w, &e, &out);
		}
	CHECK(!fold_flush(&f, &w, 11 * SECOND, &out));
	CHECK(count(&out, "\n") <= 10 * 10 && count(&out, "others") == 10);
	/* 1,000 less those with a line of their own */
	CHECK(count(&out, "3.9 MiB in 991 events") == 10);
	fold_free(&f);
}

TEST(fold_makes_steps_of_rss_one_step)
{
	struct watch_text w = { .seen = { .has_rss = true, .rss = { .anon = 1 << 20 } } };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };

	for (uint64_t i = 1; i <= 100; i++) {
		struct event e = { .type = EVENT_RSS,
				   .tgid = 7,
				   .exit_ns = SECOND + i,
				   .rss = { .anon = (i + 1) << 20, .high = (i + 1) << 20 } };

		add(&f, &w, &e, &out);
	}
	CHECK(!fold_flush(&f, &w, 2 * SECOND, &out));
	CHECK(count(&out, "\n") == 2 && count(&out, "+1.0 MiB anon") == 1 &&
	      count(&out, "+99.0 MiB anon") == 1);
	fold_free(&f);
}

TEST(fold_counts_threads_and_keeps_the_end_of_the_process)
{
	struct watch_text w = { 0 };
	_text_ struct text out = { 0 };
	struct fold f = { 0 };

	for (uint64_t i = 0; i < 500; i++) {
		struct event e = {
			.type = EVENT_THREAD_START, .tgid = 7, .tid = i, .exit_ns = SECOND + i
		};
		struct event c = call(SECOND + i, i, 4096);

		add(&f, &w, &e, &out);
		add(&f, &w, &c, &out);
	}
	{
		struct event e = { .type = EVENT_THREAD_EXIT,
				   .task.group_dead = true,
				   .tgid = 7,
				   .tid = 7,
				   .exit_ns = SECOND + 600 };

		add(&f, &w, &e, &out);
	}
	fold_lost(&f, 1234, SECOND + 700);
	CHECK(!fold_flush(&f, &w, 2 * SECOND, &out));
	CHECK(count(&out, "\n") <= 11 && count(&out, "the process exited with status 0") == 1);
	CHECK(count(&out, "1,234  events lost here") == 1);
	fold_free(&f);
}
