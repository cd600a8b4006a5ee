/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/peak.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "out/pprof.h"
#include "proc/rss.h"

enum {
	MS = 1000000,
	/* A growth is told before its memory is in use, and what it is used for is counted as it is
	 * allocated: so it is looked at again. */
	SETTLE_MS = 10,
	SETTLED_MS = 40,
	/* Between looks at the heap's size: beside events, and without. */
	EVERY_MS = 1000,
	EVERY_ALONE_MS = 100,
	/* A runtime that is not up yet is looked for at first after so long, then twice that, … */
	OPEN_MS = 10,
	OPEN_MOST_MS = 2000,
	ROWS = 20,
};

/* What is kept, and when it was. */
struct kept {
	bool has;
	struct held h;
	uint64_t heap, at_unix_ns;
	struct opt_u64 rss;
};

struct peak {
	pid_t pid;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* of these: */
	pthread_cond_t wake;
	bool stop, execed, grown;
	bool by_growth; /* the probe at the heap's growth is there */
	uint64_t every_ns, rss_high;

	pthread_mutex_t use; /* of what follows, which is the thread's while it looks */
	struct session s;    /* its m is NULL: it is not open */
	uint64_t open_ns, open_gap_ns;
	struct peak_pace pace;
	struct kept kept, spare;
	uint64_t highest, readings;
	struct err why; /* there is nothing */
};

/* ---- looking; under `use` */

static void forget(struct peak *p)
{
	session_close(&p->s);
	p->kept.has = false;
	p->pace = (struct peak_pace){ 0 };
	p->highest = p->readings = 0;
	p->open_ns = p->open_gap_ns = 0;
	p->why = (struct err){ 0 };
}

static bool is_up(const struct peak *p)
{
	return p->s.m && session_main_go(&p->s);
}

/* The names are opened at once: when the process has ended, its files can't be any more. */
static void open_session(struct peak *p, uint64_t now)
{
	int r;

	if (now < p->open_ns)
		return;
	p->open_gap_ns = p->open_gap_ns ? 2 * p->open_gap_ns : OPEN_MS * MS;
	if (p->open_gap_ns > OPEN_MOST_MS * (uint64_t)MS)
		p->open_gap_ns = OPEN_MOST_MS * (uint64_t)MS;
	session_close(&p->s);
	r = session_open_pid(&p->s, p->pid, &p->why);
	if (!r)
		r = session_names(&p->s, &p->why);
	if (!r && !p->s.ngo)
		p->why = (struct err){ 0 };
	else if (!r && !is_up(p))
		p->why = p->s.go[0].why;
	if (r || !is_up(p))
		session_close(&p->s);
	p->open_ns = mono_ns() + p->open_gap_ns;
}

static void read_rss(struct peak *p, struct opt_u64 *out)
{
	struct proc_rss rss;

	*out = (struct opt_u64){ 0 };
	if (!proc_rss_read(memsrc_texts(p->s.m), true, 0, &rss, NULL))
		*out = OPT(rss.rss);
}

/* Bytes of spans in use, as the runtime has them now. */
static int heap_now(struct peak *p, uint64_t *out)
{
	enum { TRIES = 4 };
	struct go_sums sums = { 0 };
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		memsrc_flush(p->s.m);
		r = go_sums_read(&session_main_go(&p->s)->rt, &sums);
	}
	*out = sums.objects;
	return r;
}

static void read_buckets(struct peak *p, uint64_t heap)
{
	struct kept *k = &p->spare, was;
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int r;

	k->at_unix_ns = clock_ns(CLOCK_REALTIME);
	k->heap = heap;
	read_rss(p, &k->rss);
	r = held_read(&p->s, &k->h, &p->why);
	peak_pace_read(&p->pace, r ? 0 : heap, clock_ns(CLOCK_THREAD_CPUTIME_ID) - began);
	p->readings += !r;
	if (r == -ENOENT) /* not yet, perhaps */
		session_close(&p->s);
	if (r || (p->kept.has && k->h.bytes <= p->kept.h.bytes))
		return;
	was = p->kept;
	p->kept = *k;
	p->spare = was;
	p->kept.has = true;
}

static void look(struct peak *p, bool settled)
{
	uint64_t heap, now = mono_ns();
	int r;

	if (!is_up(p))
		open_session(p, now);
	if (!is_up(p))
		return;
	r = heap_now(p, &heap);
	if (r)
		return; /* it ends, or changes: what is kept stays */
	p->highest = heap > p->highest ? heap : p->highest;
	if (peak_pace_wants(&p->pace, heap, settled, mono_ns()))
		read_buckets(p, heap);
}

/* ---- the thread */

static void wait_until(struct peak *p, uint64_t at_ns)
{
	struct timespec ts = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 };

	while (!p->stop && !p->grown && !p->execed && mono_ns() < at_ns)
		pthread_cond_timedwait(&p->wake, &p->lock, &ts);
}

/* When it is looked at next, after a look because of growth, or one that was due. */
static uint64_t next_look(const struct peak *p, uint64_t grown_ns, uint64_t now)
{
	const uint64_t after[] = { SETTLE_MS * (uint64_t)MS, SETTLED_MS * (uint64_t)MS };
	uint64_t at = now + p->every_ns;

	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		if (grown_ns && now < grown_ns + after[i])
			return grown_ns + after[i];
	return !is_up(p) && p->open_ns > now && p->open_ns < at ? p->open_ns : at;
}

static void *watch_heap(void *arg)
{
	struct peak *p = arg;
	uint64_t grown_ns = 0, at = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		bool grown, execed;

		wait_until(p, at);
		if (p->stop)
			break;
		grown = p->grown;
		execed = p->execed;
		p->grown = p->execed = false;
		pthread_mutex_unlock(&p->lock);
		pthread_mutex_lock(&p->use);
		if (execed)
			forget(p);
		look(p, !grown);
		pthread_mutex_unlock(&p->use);
		pthread_mutex_lock(&p->lock);
		grown_ns = grown ? mono_ns() : grown_ns;
		at = next_look(p, grown_ns, mono_ns());
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- life */

static bool sees_growth(const struct ev *ev)
{
	const struct ev_program *v;
	size_t n = ev_programs(ev, &v);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].name, "heap_grow"))
			return v[i].attached;
	return false;
}

/* Under `lock`, or before there is a thread. */
static void set_pace(struct peak *p, const struct ev *ev)
{
	p->by_growth = sees_growth(ev);
	p->every_ns = (p->by_growth ? EVERY_MS : EVERY_ALONE_MS) * (uint64_t)MS;
}

int peak_open(pid_t pid, struct go_cache *cache, const struct ev *ev, uint64_t wait_ns,
	      struct peak **out)
{
	struct peak *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int r;

	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->open_ns = mono_ns() + wait_ns;
	session_init(&p->s, NULL, cache);
	set_pace(p, ev);
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->use, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&p->thread, NULL, watch_heap, p);
	p->running = !r;
	if (r) {
		peak_close(p);
		return -r;
	}
	*out = p;
	return 0;
}

void peak_event(struct peak *p, const struct event *e, const struct ev *ev)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	if (e->type == EVENT_EXEC) {
		p->execed = true;
		p->rss_high = 0;
		set_pace(p, ev);
	} else if (e->type == EVENT_HEAP_GROW) {
		p->grown = true;
	} else if (e->type == EVENT_RSS && e->rss.high > p->rss_high) {
		p->grown = true;
		p->rss_high = e->rss.high;
	}
	if (p->grown || p->execed)
		pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

void peak_stop(struct peak *p)
{
	if (!p || !p->running)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	p->running = false;
	if (p->execed)
		forget(p);
	look(p, true);
}

void peak_close(struct peak *p)
{
	if (!p)
		return;
	peak_stop(p);
	session_close(&p->s);
	held_free(&p->kept.h);
	held_free(&p->spare.h);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->use);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- what is told */

static int __attribute__((format(printf, 2, 3))) note(struct report_peak *out, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	n = vec_push(&out->notes, s);
	if (n)
		free(s);
	return n;
}

static int add_notes(const struct peak *p, struct report_peak *out)
{
	enum { FEW = 100 };
	const struct held *h = &p->kept.h;
	char a[32], b[32];
	int r = 0;

	if (!out->by_growth)
		r = note(out,
			 "growth of the heap was not traced: its size was read every %d ms, and "
			 "shorter peaks may be missing",
			 EVERY_ALONE_MS);
	if (!r && p->highest / 9 * 8 > p->kept.heap) {
		text_bytes(a, sizeof(a), p->highest);
		text_bytes(b, sizeof(b), p->kept.heap);
		r = note(out, "the heap was as large as %s, too briefly to be read: this is at %s",
			 a, b);
	}
	text_bytes(a, sizeof(a), h->rate);
	if (!r && h->rate_assumed)
		r = note(
			out,
			"the program's sampling rate (MemProfileRate) was not found; Go's default, "
			"%s, is assumed",
			a);
	if (!r && h->sampled < FEW)
		r = note(out, "only %" PRIu64 " sampled objects (one every %s): a coarse estimate",
			 h->sampled, a);
	if (!r && h->moved)
		r = note(out, "a GC cycle ended while it was read: some of its garbage may be "
			      "missing");
	if (!r && h->torn)
		r = note(out, "%" PRIu64 " stacks changed while they were read, and are left out",
			 h->torn);
	if (!r && h->left_out)
		r = note(out, "%" PRIu64 " stacks are left out: too many", h->left_out);
	return r;
}

static int fill(struct peak *p, struct report_peak *out, struct err *why)
{
	struct profile prof = { 0 };
	int r;

	*out = (struct report_peak){ 0 };
	if (!p->kept.has) {
		*why = p->why;
		return 0;
	}
	*out = (struct report_peak){ .at_unix_ns = p->kept.at_unix_ns,
				     .heap = OPT(p->kept.heap),
				     .rss = p->kept.rss,
				     .highest = OPT(p->highest),
				     .readings = OPT(p->readings) };
	pthread_mutex_lock(&p->lock);
	out->by_growth = p->by_growth;
	pthread_mutex_unlock(&p->lock);
	r = held_profile(&p->s, &p->kept.h, &prof, why);
	if (!r)
		r = held_rows(&p->kept.h, &prof, ROWS, out);
	if (!r)
		r = add_notes(p, out);
	profile_free(&prof);
	if (r)
		report_peak_free(out);
	return r == -ENOMEM ? r : 0;
}

int peak_report(struct peak *p, struct report_peak *out, struct err *why)
{
	int r;

	pthread_mutex_lock(&p->use);
	r = fill(p, out, why);
	pthread_mutex_unlock(&p->use);
	return r;
}

static int put(void *ctx, const void *data, size_t n)
{
	return file_write_all(*(const int *)ctx, data, n);
}

int peak_write(struct peak *p, int fd, struct err *e)
{
	struct profile prof = { 0 };
	int r;

	pthread_mutex_lock(&p->use);
	if (!p->kept.has) {
		const char *why = p->why.text[0] ? p->why.text : "no Go program";

		r = err_set(e, -ENOENT, "%s", why);
	} else {
		r = held_profile(&p->s, &p->kept.h, &prof, e);
		prof.time_unix_ns = p->kept.at_unix_ns;
		if (!r)
			r = pprof_write(&prof, put, &fd);
		if (r && !e->text[0])
			err_set(e, r, "%s", strerror(-r));
	}
	pthread_mutex_unlock(&p->use);
	profile_free(&prof);
	return r;
}
