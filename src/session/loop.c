/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/loop.h"

#include <errno.h>
#include <limits.h>

#include "base/clock.h"

enum { NS_PER_MS = 1000000 };

bool loop_budget_take(struct loop_budget *b)
{
	enum { CLOCK_EVERY = 16 }; /* items; the clock costs as much as a cheap one */

	if (b->items)
		b->items--;
	if (b->items && !(b->items % CLOCK_EVERY) && mono_ns() >= b->until_ns)
		b->items = 0;
	return b->items;
}

int loop_add_fd(struct loop *l, struct loop_fd *f)
{
	return vec_push(&l->fds, f);
}

int loop_add_timer(struct loop *l, struct loop_timer *t)
{
	return vec_push(&l->timers, t);
}

int loop_add_stream(struct loop *l, struct loop_stream *s)
{
	return vec_push(&l->streams, s);
}

/* Its place stays until the next turn: one is under way perhaps. */
#define REMOVE(vec, member)                                                                        \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < (vec)->n; i_++)                                           \
			if ((vec)->v[i_] == (member))                                              \
				(vec)->v[i_] = NULL;                                               \
	} while (0)

#define COMPACT(vec)                                                                               \
	do {                                                                                       \
		size_t n_ = 0;                                                                     \
		for (size_t i_ = 0; i_ < (vec)->n; i_++)                                           \
			if ((vec)->v[i_])                                                          \
				(vec)->v[n_++] = (vec)->v[i_];                                     \
		(vec)->n = n_;                                                                     \
	} while (0)

void loop_remove_fd(struct loop *l, const struct loop_fd *f)
{
	REMOVE(&l->fds, f);
}

void loop_remove_timer(struct loop *l, const struct loop_timer *t)
{
	REMOVE(&l->timers, t);
}

void loop_remove_stream(struct loop *l, const struct loop_stream *s)
{
	REMOVE(&l->streams, s);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t loop_due(const struct loop *l, uint64_t now_ns)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < l->timers.n; i++)
		if (l->timers.v[i] && l->timers.v[i]->at_ns)
			at = earlier(at, l->timers.v[i]->at_ns);
	for (size_t i = 0; i < l->streams.n; i++) {
		const struct loop_stream *s = l->streams.v[i];

		if (!s || s->paused)
			continue;
		if (s->more)
			at = earlier(at, now_ns);
		if (s->every_ns)
			at = earlier(at, s->last_ns + s->every_ns);
	}
	return at;
}

/* The descriptors of the turn: those of loop_fd, then those of the streams, in their order. */
static int wait_for(struct loop *l)
{
	uint64_t now = mono_ns(), at = loop_due(l, now);
	uint64_t ms = at <= now ? 0 : (at - now + NS_PER_MS - 1) / NS_PER_MS;

	if (vec_reserve(&l->polled, l->fds.n + l->streams.n))
		return -ENOMEM;
	l->polled.n = 0;
	for (size_t i = 0; i < l->fds.n; i++)
		l->polled.v[l->polled.n++] =
			(struct pollfd){ l->fds.v[i]->fd, l->fds.v[i]->events, 0 };
	for (size_t i = 0; i < l->streams.n; i++)
		l->polled.v[l->polled.n++] =
			(struct pollfd){ l->streams.v[i]->paused ? -1 : l->streams.v[i]->fd, POLLIN,
					 0 };
	if (poll(l->polled.v, l->polled.n,
		 at == UINT64_MAX ? -1
		 : ms < INT_MAX	  ? (int)ms
				  : INT_MAX) < 0) {
		if (errno != EINTR)
			return -errno;
		for (size_t i = 0; i < l->polled.n; i++)
			l->polled.v[i].revents = 0;
	}
	return 0;
}

static int serve_timers(struct loop *l)
{
	uint64_t now = mono_ns();
	size_t n = l->timers.n; /* those that are added now have their turn later */
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct loop_timer *t = l->timers.v[i];

		if (!t || !t->at_ns || t->at_ns > now)
			continue;
		t->at_ns = 0;
		r = t->fn(t->ctx, now);
	}
	return r;
}

static int serve_fds(struct loop *l, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct loop_fd *f = l->fds.v[i];

		if (f && l->polled.v[i].revents)
			r = f->fn(f->ctx, l->polled.v[i].revents);
	}
	return r;
}

static int serve_stream(struct loop_stream *s, bool ready)
{
	uint64_t now = mono_ns();
	struct loop_budget b = { s->items, now + s->ns };
	int r;

	if (s->paused || !(ready || s->more || (s->every_ns && now >= s->last_ns + s->every_ns)))
		return 0;
	s->last_ns = now;
	r = s->fn(s->ctx, &b);
	if (r < 0)
		return r;
	s->more = r;
	return 0;
}

int loop_turn(struct loop *l)
{
	size_t nfds, nstreams;
	int r;

	COMPACT(&l->fds);
	COMPACT(&l->timers);
	COMPACT(&l->streams);
	nfds = l->fds.n;
	nstreams = l->streams.n;
	r = wait_for(l);
	if (!r)
		r = serve_timers(l);
	if (!r)
		r = serve_fds(l, nfds);
	for (size_t i = 0; i < nstreams && !r; i++)
		if (l->streams.v[i])
			r = serve_stream(l->streams.v[i], l->polled.v[nfds + i].revents);
	return r;
}

void loop_close(struct loop *l)
{
	vec_free(&l->fds);
	vec_free(&l->timers);
	vec_free(&l->streams);
	vec_free(&l->polled);
}
