/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/intake.h"

#include "base/clock.h"

enum {
	MS = 1000000, /* ns */
	BATCH = 1024, /* events */
	BATCH_MS = 10,
	LOSSES_MS = 100,
};

struct batch {
	struct intake *t;
	struct loop_budget *budget;
	int rc;
	bool spent;
};

void intake_begin(struct intake *t, struct ev *ev)
{
	t->ev = ev;
	t->ring.fd = ev_fd(ev);
	t->ring.every_ns = EV_POLL_MS * (uint64_t)MS;
	t->ring.items = BATCH;
	t->ring.ns = BATCH_MS * MS;
}

static int on_event(void *ctx, const struct event *e)
{
	struct batch *b = ctx;

	b->rc = b->t->event(b->t->ring.ctx, e);
	b->spent = !loop_budget_take(b->budget) || outlet_full(b->t->out);
	return b->rc || b->spent;
}

int intake_batch(struct intake *t, struct loop_budget *budget)
{
	struct batch b = { .t = t, .budget = budget };
	int r = ev_poll(t->ev, 0, on_event, &b);

	r = b.rc ? b.rc : r < 0 ? r : 0;
	if (!r && mono_ns() >= t->losses_ns + LOSSES_MS * (uint64_t)MS)
		r = intake_losses(t);
	return r ? r : b.spent;
}

int intake_losses(struct intake *t)
{
	_free_ struct ev_region *g = NULL;
	size_t n = 0;
	int r = ev_lost_regions(t->ev, &g, &n);

	t->losses_ns = mono_ns();
	return r ? r : t->losses(t->ring.ctx, g, n);
}

void intake_pace(struct intake *t)
{
	t->ring.paused = outlet_full(t->out);
}
