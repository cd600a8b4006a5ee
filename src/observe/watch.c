/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop of `watch`: what it waits for, and when it ends. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "observe/watch_impl.h"

const struct watch_group watch_groups[WATCH_GROUPS] = {
	{ "mappings", EV_MAPPINGS }, { "madvise", EV_MAPPINGS | EV_MADVISE },
	{ "rss", EV_RSS },	     { "gc", EV_GC },
	{ "threads", EV_THREADS },
};

struct waiting {
	int signals, pidfd;
	uint64_t end_ns; /* 0: none */
};

/* Until when: the next thing that is due, at most EV_POLL_MS away. ms. */
static int due_in(const struct watch *w, const struct waiting *q, uint64_t now)
{
	uint64_t at = now + EV_POLL_MS * 1000000ULL;

	if (w->next_sample_ns && w->next_sample_ns < at)
		at = w->next_sample_ns;
	if (q->end_ns && q->end_ns < at)
		at = q->end_ns;
	return at <= now ? 0 : (at - now + 999999) / 1000000;
}

/* Why the stream ends, or NULL. */
static const char *wait_for(struct watch *w, const struct waiting *q)
{
	struct pollfd p[] = {
		{ ev_fd(w->ev), POLLIN, 0 },
		{ q->signals, POLLIN, 0 },
		{ q->pidfd, POLLIN, 0 },
		{ w->a->fd, 0, 0 }, /* POLLERR: nobody reads any more */
	};
	uint64_t now = mono_ns();

	if (poll(p, ARRAY_LEN(p), due_in(w, q, now)) < 0 && errno != EINTR)
		return "poll failed";
	if (p[1].revents)
		return "signal";
	if (p[2].revents || w->ended)
		return "exit";
	if (p[3].revents & (POLLERR | POLLNVAL))
		return "output closed";
	now = mono_ns();
	if (q->end_ns && now >= q->end_ns)
		return "duration";
	return NULL;
}

static int sample_if_due(struct watch *w)
{
	uint64_t now = mono_ns(), step = w->a->o.interval * 1e9;

	if (!w->next_sample_ns || now < w->next_sample_ns)
		return 0;
	w->next_sample_ns = now + step;
	return watch_put_sample(w, now);
}

static int book_losses(struct watch *w)
{
	_free_ struct ev_region *g = NULL;
	size_t n = 0;
	int r = w->has_book || w->follow.v.n ? ev_lost_regions(w->ev, &g, &n) : 0;

	for (size_t i = 0; i < n && !r && w->has_book; i++)
		if (g[i].pid == memsrc_pid(w->t.m))
			r = mapbook_lost(&w->book, g[i].start, g[i].end, g[i].ns);
	return r ? r : follow_losses(&w->follow, g, n);
}

/* All that is in the ring; more than one batch after the stop. */
static int drain(struct watch *w)
{
	int n, r;

	do {
		program_turn(&w->t, w->ev);
		follow_turn(&w->follow);
		n = ev_poll(w->ev, 0, watch_event, w);
		r = book_losses(w);
	} while (!r && n >= 1 << 15 && !w->end.why);
	return n < 0 ? n : r;
}

/* 0 or -errno; w->end.why is set. */
static int stream(struct watch *w, const struct waiting *q)
{
	const char *why = NULL;
	int r = 0;

	while (!r && !why) {
		why = wait_for(w, q);
		if (why)
			ev_stop(w->ev);
		r = drain(w);
		if (!r && !why)
			r = sample_if_due(w);
		if (!r)
			r = watch_flush(w);
	}
	ev_stop(w->ev);
	w->end.why = why ? why : r == -EPIPE ? "output closed" : "error";
	return r;
}

static int wait_open(struct watch *w, struct waiting *q, struct err *e)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_set(e, -errno, "blocking signals: %s", strerror(errno));
	q->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (q->signals < 0)
		return err_set(e, -errno, "signalfd: %s", strerror(errno));
	q->pidfd = syscall(SYS_pidfd_open, memsrc_pid(w->t.m), 0);
	r = memsrc_alive(w->t.m); /* of the process that was opened, not of a successor */
	return r ? err_set(e, r, "process %d has ended", (int)memsrc_pid(w->t.m)) : 0;
}

static void wait_close(struct waiting *q)
{
	close_fd(&q->signals);
	close_fd(&q->pidfd);
}

static int open_events(struct watch *w, struct err *e)
{
	const struct proc_status *st = &w->t.status;
	struct ev_options o = {
		.pid = memsrc_pid(w->t.m),
		.groups = w->a->o.groups,
		.ring_bytes = w->a->o.ring,
		/* a sixty-fourth of what there is: some lines, not thousands, until it doubles */
		.rss_step = st->vm_rss / 64 > 1 << 20 ? st->vm_rss / 64 : 1 << 20,
		.rss = { .file = st->rss_file,
			 .anon = st->rss_anon,
			 .swap = st->vm_swap,
			 .shmem = st->rss_shmem },
		.threads = st->threads,
		.gc = w->t.gc,
		.gc_later = true, /* it may exec a Go program */
		.follow = w->a->o.follow,
		.fallbacks = w->a->o.fallbacks,
	};

	program_gopath(&w->t, &o.go);
	if (w->t.no_gc[0] && w->a->o.groups == EV_GC)
		return err_set(e, -ENOTSUP, "GC cycles can't be watched: %s", w->t.no_gc);
	return ev_open(&o, &w->ev, e);
}

/* The target, its probes, and the mappings that are there already. */
static int open_all(struct watch *w, struct memsrc *m, struct waiting *q, struct err *e)
{
	int r = program_open(m, w->a->o.cache, &w->t, e);

	if (!r && !w->a->no_report)
		bracket_first(&w->bracket, memsrc_pid(m), w->a->o.cache);
	if (!r)
		r = wait_open(w, q, e);
	if (!r)
		r = open_events(w, e);
	if (r || !(ev_groups(w->ev) & EV_MAPPINGS))
		return r;
	w->has_book = true;
	return mapbook_open(m, w->t.names, &w->book, e);
}

static void begin(struct watch *w, struct waiting *q)
{
	const struct proc_status *st = &w->t.status;
	uint64_t now = mono_ns();

	w->text = (struct watch_text){
		.seen = { .clock.offset_ns = clock_ns(CLOCK_REALTIME) - now,
			  .has_rss = true,
			  .rss = { .file = st->rss_file,
				   .anon = st->rss_anon,
				   .swap = st->vm_swap,
				   .shmem = st->rss_shmem } },
		.style = w->a->o.style,
	};
	gc_words_track(&w->t, &w->text.seen.gc);
	follow_open(&w->follow, w->ev, w->a->o.cache, &w->text.seen.clock);
	w->text.pids = w->follow.ev;
	w->end.start_ns = now;
	if (w->a->o.interval)
		w->next_sample_ns = now + w->a->o.interval * 1e9;
	if (w->a->duration)
		q->end_ns = now + w->a->duration * 1e9;
}

static int watch_stream(struct watch *w, struct memsrc *m, struct err *e)
{
	_cleanup_(wait_close) struct waiting q = { .signals = -1, .pidfd = -1 };
	int r = open_all(w, m, &q, e);

	if (r)
		return r;
	begin(w, &q);
	r = watch_put_start(w);
	if (!r)
		r = watch_flush(w);
	if (!r)
		r = stream(w, &q);
	if (!r)
		r = watch_put_end(w);
	return r ? r : watch_flush(w);
}

static void watch_free(struct watch *w)
{
	follow_close(&w->follow);
	ev_close(w->ev);
	mapbook_close(&w->book);
	bracket_free(&w->bracket);
	program_close(&w->t);
	memsrc_close(w->own);
	text_free(&w->out);
	vec_free(&w->lost);
	vec_free(&w->advice);
	vec_free(&w->end.losses);
}

int watch_process(struct memsrc *m, const struct watch_opts *o, struct watch_result *out,
		  struct err *e)
{
	struct watch w = { .a = o };
	int r = watch_stream(&w, m, e);

	bool closed = !r && !strcmp(w.end.why, "output closed");

	if (!r && !o->no_report && !closed)
		r = watch_report(&w, e);
	*out = (struct watch_result){ w.end.why, w.write_rc, w.partial && !closed };
	watch_free(&w);
	return r;
}
