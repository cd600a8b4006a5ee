/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop with sources of ours: pipes, signals, and streams that never run dry. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/loop.h"
#include "test.h"

struct storm {
	unsigned int batches, items, largest;
};

/* As many items as the budget allows; there are always more. */
static int storm(void *ctx, struct loop_budget *b)
{
	struct storm *s = ctx;
	unsigned int n = 1;

	while (loop_budget_take(b))
		n++;
	s->batches++;
	s->items += n;
	if (n > s->largest)
		s->largest = n;
	return 1;
}

static int count_fd(void *ctx, short revents)
{
	++*(int *)ctx;
	return 0;
}

static int count_timer(void *ctx, uint64_t now)
{
	++*(int *)ctx;
	return 0;
}

TEST(loop_serves_a_signal_and_a_deadline_while_a_stream_never_runs_dry)
{
	struct storm a = { 0 }, b = { 0 };
	int signals = 0, deadlines = 0;
	struct loop_stream one = {
		.fd = -1, .items = 100, .ns = UINT32_MAX, .fn = storm, .ctx = &a, .more = true
	};
	struct loop_stream two = {
		.fd = -1, .items = 7, .ns = UINT32_MAX, .fn = storm, .ctx = &b, .more = true
	};
	struct loop_timer deadline = { .fn = count_timer, .ctx = &deadlines };
	struct loop_fd sig = { .events = POLLIN, .fn = count_fd, .ctx = &signals };
	struct loop l = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	sig.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	CHECK(!loop_add_stream(&l, &one) && !loop_add_stream(&l, &two));
	CHECK(!loop_add_fd(&l, &sig) && !loop_add_timer(&l, &deadline));
	CHECK(!loop_turn(&l) && a.batches == 1 && b.batches == 1 && !signals && !deadlines);
	raise(SIGUSR2);
	deadline.at_ns = 1;
	CHECK(!loop_turn(&l));
	/* before the second batch of either: each had one more, no more */
	CHECK(signals == 1 && deadlines == 1 && a.batches == 2 && b.batches == 2);
	CHECK(a.largest == 100 && b.largest == 7);
	/* a timer is off until it is set again, a signal stays until it is taken */
	CHECK(!loop_turn(&l) && signals == 2 && deadlines == 1);
	loop_close(&l);
	loop_close(&l);
	close(sig.fd);
}

TEST(loop_ends_a_batch_that_takes_too_long)
{
	struct loop_budget b = { 1000000, 0 };
	unsigned int n = 0;

	while (loop_budget_take(&b))
		n++;
	CHECK(n < 100);
}

static int dry(void *ctx, struct loop_budget *b)
{
	++*(int *)ctx;
	return 0;
}

TEST(loop_asks_a_stream_that_is_ready_or_due_and_no_other)
{
	int asked = 0, fd[2];
	struct loop_stream s = { .items = 1, .fn = dry, .ctx = &asked };
	struct loop_timer now = { .fn = count_timer, .ctx = &(int){ 0 } };
	struct loop l = { 0 };

	CHECK(!pipe2(fd, O_CLOEXEC) && !loop_add_stream(&l, &s) && !loop_add_timer(&l, &now));
	s.fd = fd[0];
	now.at_ns = 1;
	CHECK(!loop_turn(&l) && !asked);
	CHECK(write(fd[1], "x", 1) == 1 && !loop_turn(&l) && asked == 1);
	now.at_ns = 1;
	s.paused = true;
	CHECK(!loop_turn(&l) && asked == 1);
	s.paused = false;
	s.fd = -1;
	s.every_ns = 1;
	CHECK(!loop_turn(&l) && asked == 2);
	loop_close(&l);
	close(fd[0]);
	close(fd[1]);
}

TEST(loop_knows_when_something_is_due)
{
	struct loop_timer a = { .at_ns = 500 }, b = { .at_ns = 300 }, off = { 0 };
	struct loop_stream s = { .every_ns = 100, .last_ns = 350 };
	struct loop l = { 0 };

	CHECK(loop_due(&l, 10) == UINT64_MAX);
	CHECK(!loop_add_timer(&l, &off) && loop_due(&l, 10) == UINT64_MAX);
	CHECK(!loop_add_timer(&l, &a) && loop_due(&l, 10) == 500);
	CHECK(!loop_add_timer(&l, &b) && loop_due(&l, 10) == 300);
	b.at_ns = 0;
	CHECK(!loop_add_stream(&l, &s) && loop_due(&l, 10) == 450);
	s.more = true;
	CHECK(loop_due(&l, 10) == 10);
	s.paused = true;
	CHECK(loop_due(&l, 10) == 500);
	loop_remove_timer(&l, &a);
	CHECK(loop_due(&l, 10) == UINT64_MAX);
	loop_close(&l);
}

struct removal {
	struct loop *l;
	struct loop_fd *other, *more;
	int called;
};

static int remove_other(void *ctx, short revents)
{
	struct removal *r = ctx;

	r->called++;
	loop_remove_fd(r->l, r->other);
	return r->more ? loop_add_fd(r->l, r->more) : 0;
}

TEST(loop_members_may_remove_and_add_members)
{
	struct loop l = { 0 };
	struct removal r = { .l = &l };
	int others = 0, fd[2];
	struct loop_fd first = { .events = POLLIN, .fn = remove_other, .ctx = &r };
	struct loop_fd second = { .events = POLLIN, .fn = count_fd, .ctx = &others };
	struct loop_fd third = { .events = POLLIN, .fn = count_fd, .ctx = &others };

	CHECK(!pipe2(fd, O_CLOEXEC) && write(fd[1], "x", 1) == 1);
	first.fd = second.fd = third.fd = fd[0];
	r.other = &second;
	r.more = &third;
	CHECK(!loop_add_fd(&l, &first) && !loop_add_fd(&l, &second));
	CHECK(!loop_turn(&l) && r.called == 1 && !others);
	r.more = NULL;
	CHECK(!loop_turn(&l) && r.called == 2 && others == 1);
	loop_close(&l);
	close(fd[0]);
	close(fd[1]);
}

static int fail_timer(void *ctx, uint64_t now)
{
	return -EPIPE;
}

TEST(loop_gives_the_error_of_a_member)
{
	struct loop_timer t = { .at_ns = 1, .fn = fail_timer };
	struct loop l = { 0 };

	CHECK(!loop_add_timer(&l, &t) && loop_turn(&l) == -EPIPE);
	loop_close(&l);
}
