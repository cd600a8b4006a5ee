/* SPDX-License-Identifier: BSD-2-Clause */
/* What all sources share: decoding, dropping repeated GC records, counters. */
#include "event/ev.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "event/stream.h"

struct delivery {
	struct ev *s;
	ev_fn *fn;
	void *ctx;
	int events, stop;
};

/* By its number, where both have one; else by thread and time: no cycle is so short. */
static bool is_same_cycle(const struct ev_cycle *a, const struct ev_cycle *b)
{
	enum { SHORTEST_NS = 50000 };

	if (a->numbered && b->numbered)
		return a->cycle == b->cycle;
	return a->tid == b->tid && b->ns - a->ns < SHORTEST_NS;
}

/* The probe sits at a function's entry, which runs again after its stack has grown: the same cycle
 * twice in a row. */
static bool is_repeated(struct ev *s, const struct event *e)
{
	struct ev_cycle now = { .tgid = e->tgid,
				.tid = e->tid,
				.ns = e->exit_ns,
				.numbered = gc_has(&e->gc, GCV_CYCLE),
				.cycle = e->gc.v[GCV_CYCLE] };

	if (e->type != EVENT_GC)
		return false;
	for (size_t i = 0; i < s->gc.n; i++) {
		bool again = is_same_cycle(&s->gc.v[i], &now);

		if (s->gc.v[i].tgid != e->tgid)
			continue;
		s->gc.v[i] = now;
		return again;
	}
	/* without memory for it a repetition is told */
	(void)vec_push(&s->gc, now);
	return false;
}

static void forget_cycle(struct ev *s, pid_t pid)
{
	for (size_t i = 0; i < s->gc.n; i++)
		if (s->gc.v[i].tgid == (uint32_t)pid)
			s->gc.v[i] = s->gc.v[--s->gc.n];
	gc_start_forget(s, pid);
}

static int deliver(void *ctx, const void *rec, size_t len)
{
	struct delivery *d = ctx;
	struct ev_gc_start start;
	struct event e;
	int r = ev_decode_gc_start(rec, len, &start);

	if (!r) {
		gc_start_keep(d->s, &start);
		return 0;
	}
	if (r == -ENOTSUP)
		r = ev_decode(rec, len, &e);
	if (r) {
		if (r != -ENOTSUP && !d->s->undecoded)
			log_debug("a record of %zu bytes could not be decoded", len);
		d->s->undecoded++;
		return 0;
	}
	if (is_repeated(d->s, &e)) {
		d->s->duplicates++;
		return 0;
	}
	if (e.type == EVENT_GC)
		gc_start_join(d->s, &e);
	if (e.type == EVENT_EXEC)
		gc_start_forget(d->s, e.tgid);
	d->events++;
	d->stop = d->fn(d->ctx, &e);
	return d->stop;
}

int ev_poll(struct ev *s, int timeout_ms, ev_fn *fn, void *ctx)
{
	struct delivery d = { .s = s, .fn = fn, .ctx = ctx };
	int r = s->ops->poll(s, timeout_ms, deliver, &d);

	if (d.stop)
		return d.stop;
	return r && !d.events ? r : d.events;
}

int ev_set_words(struct ev *s, pid_t pid, const struct ev_word *words)
{
	return s->ops->set_words ? s->ops->set_words(s, pid, words) : -ENOTSUP;
}

int ev_set_gc(struct ev *s, pid_t pid, const struct ev_gc *gc, struct err *e)
{
	if (!s->ops->set_gc || !(s->groups & EV_GC))
		return err_set(e, -ENOTSUP, "no probe for GC cycles");
	forget_cycle(s, pid);
	return s->ops->set_gc(s, pid, gc, e);
}

int ev_set_gopath(struct ev *s, pid_t pid, const struct ev_gopath *go)
{
	return s->ops->set_gopath ? s->ops->set_gopath(s, pid, go) : -ENOTSUP;
}

int ev_add(struct ev *s, const struct ev_target *t, uint32_t *groups, struct err *why)
{
	if (!s->ops->add)
		return err_set(why, -ENOTSUP, "this source takes no targets");
	forget_cycle(s, t->pid);
	return s->ops->add(s, t, groups, why);
}

void ev_drop(struct ev *s, pid_t pid)
{
	forget_cycle(s, pid);
	gc_start_forget(s, pid);
	if (s->ops->drop)
		s->ops->drop(s, pid);
}

int ev_set_groups(struct ev *s, pid_t pid, uint32_t groups)
{
	return s->ops->set_groups ? s->ops->set_groups(s, pid, groups) : -ENOTSUP;
}

int ev_losses(const struct ev *s, pid_t pid, struct ev_losses *out)
{
	*out = (struct ev_losses){ 0 };
	return s->ops->losses ? s->ops->losses(s, pid, out) : -ENOTSUP;
}

bool ev_follows(const struct ev *s)
{
	return s->follows;
}

int ev_rss(const struct ev *s, pid_t pid, struct event_rss *out)
{
	return s->ops->rss && s->groups & EV_RSS ? s->ops->rss(s, pid, out) : -ENOTSUP;
}

int ev_lost_regions(struct ev *s, struct ev_region **out, size_t *n)
{
	*out = NULL;
	*n = 0;
	return s->ops->lost_regions ? s->ops->lost_regions(s, out, n) : 0;
}

static int by_advice(const void *a, const void *b)
{
	const struct ev_advice *x = a, *y = b;

	return x->advice < y->advice ? -1 : x->advice > y->advice;
}

int ev_advice(const struct ev *s, pid_t pid, struct ev_advice **out, size_t *n)
{
	int r;

	*out = NULL;
	*n = 0;
	r = s->ops->advice ? s->ops->advice(s, pid, out, n) : 0;
	if (*n)
		qsort(*out, *n, sizeof(**out), by_advice);
	return r;
}

void ev_stop(struct ev *s)
{
	if (s->ops->stop)
		s->ops->stop(s);
}

void ev_close(struct ev *s)
{
	if (!s)
		return;
	vec_free(&s->gc);
	vec_free(&s->starts);
	s->ops->close(s);
}

int ev_fd(const struct ev *s)
{
	return s->fd;
}

uint32_t ev_groups(const struct ev *s)
{
	return s->groups;
}

size_t ev_programs(const struct ev *s, const struct ev_program **out)
{
	*out = s->programs;
	return s->nprograms;
}

bool ev_syscall_overhead(const struct ev *s, struct ev_overhead *out)
{
	if (s->has_overhead)
		*out = s->overhead;
	return s->has_overhead;
}

static const struct {
	const char *name, *what;
	bool lost;
} names[RSC_N_LOST] = {
#define X(id, name, lost, what) [RSC_N_##id] = { name, what, lost },
	RSC_COUNTERS(X)
#undef X
};
_Static_assert(RSC_N_LOST + 2 <= EV_COUNTERS_MAX, "room for the kernel's counters and our own");

size_t ev_counters(const struct ev *s, struct ev_counter *out, size_t max)
{
	uint64_t n[RSC_N_COUNT] = { 0 };
	size_t k = 0;

	s->ops->counters(s, n);
	for (size_t i = 0; i < RSC_N_LOST && k < max; i++)
		out[k++] = (struct ev_counter){ names[i].name, names[i].what, names[i].lost, n[i] };
	if (k < max)
		out[k++] = (struct ev_counter){ "not_run",
						"probes that the kernel left out, of any process",
						true, s->ops->not_run ? s->ops->not_run(s) : 0 };
	if (k < max)
		out[k++] = (struct ev_counter){ "undecoded", "records that could not be understood",
						true, s->undecoded };
	return k;
}

uint64_t ev_lost(const struct ev *s)
{
	struct ev_counter c[EV_COUNTERS_MAX];
	size_t n = ev_counters(s, c, EV_COUNTERS_MAX);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += c[i].lost ? c[i].n : 0;
	return sum;
}
