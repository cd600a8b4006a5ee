/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as a stream of the loop: its budget, and errors of a source. */
#include <errno.h>
#include <string.h>

#include "event/stream.h"
#include "event_records.h"
#include "observe/intake.h"
#include "observe/run_impl.h"
#include "test.h"

struct seen {
	unsigned int events, losses;
	int rc; /* what on_event returns */
};

static int on_event(void *ctx, const struct event *e)
{
	struct seen *s = ctx;

	s->events++;
	return s->rc;
}

static int on_losses(void *ctx, const struct ev_region *g, size_t n)
{
	((struct seen *)ctx)->losses++;
	return 0;
}

static struct intake intake_of(struct seen *s, struct outlet *out)
{
	return (struct intake){ .ring.ctx = s, .out = out, .event = on_event, .losses = on_losses };
}

static struct loop_budget budget_of(unsigned int items)
{
	return (struct loop_budget){ .items = items, .until_ns = UINT64_MAX };
}

TEST(intake_takes_batches_and_books_losses)
{
	struct rsc_rec_gc one = rec_gc(1), two = rec_gc(2), three = rec_gc(3);
	const struct ev_synth_record rec[] = { { &one, sizeof(one) },
					       { &two, sizeof(two) },
					       { &three, sizeof(three) } };
	struct outlet out = { 0 };
	struct seen s = { 0 };
	struct intake t = intake_of(&s, &out);
	struct loop_budget b = budget_of(2);
	struct ev *ev = NULL;

	REQUIRE(!ev_open_synthetic(rec, 3, NULL, &ev));
	intake_begin(&t, ev);
	CHECK_INT(intake_batch(&t, &b), 1);
	CHECK_INT(s.events, 2);
	CHECK_INT(s.losses, 1); /* the first time at once */
	b = budget_of(2);
	CHECK_INT(intake_batch(&t, &b), 0);
	CHECK_INT(s.events, 3);
	CHECK_INT(intake_batch(&t, &b), -ENODATA); /* of the source */
	CHECK_INT(intake_losses(&t), 0);
	ev_close(ev);
}

TEST(intake_ends_with_the_caller_s_error)
{
	struct rsc_rec_gc one = rec_gc(1), two = rec_gc(2);
	const struct ev_synth_record rec[] = { { &one, sizeof(one) }, { &two, sizeof(two) } };
	struct outlet out = { 0 };
	struct seen s = { .rc = -ENOMEM };
	struct intake t = intake_of(&s, &out);
	struct loop_budget b = budget_of(9);
	struct ev *ev = NULL;

	REQUIRE(!ev_open_synthetic(rec, 2, NULL, &ev));
	intake_begin(&t, ev);
	CHECK_INT(intake_batch(&t, &b), -ENOMEM);
	CHECK_INT(s.events, 1);
	ev_close(ev);
}

static int broken_poll(struct ev *s, int timeout_ms, ev_record_fn *fn, void *ctx)
{
	return -EIO;
}

/* The program goes on, and so does the loop: what can't be read is told once, and in the report. */
TEST(run_tells_that_events_could_not_be_read)
{
	static const struct ev_ops ops = { .poll = broken_poll };
	struct ev ev = { .ops = &ops, .fd = -1 };
	struct run r = { .ev = &ev };
	struct loop_budget b = budget_of(9);

	REQUIRE(!symbolizer_open_new(NULL, NULL, -1, &r.book.s.names));
	r.book.on = true;
	run_intake_begin(&r);
	CHECK_INT(r.intake.ring.fn(&r, &b), 0);
	CHECK_INT(r.read_error, -EIO);
	CHECK(!r.book.on); /* it would be wrong */
	CHECK_INT(r.intake.ring.fn(&r, &b), 0);
	CHECK_INT(r.read_error, -EIO);
	symbolizer_close(r.book.s.names);
}
