/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop of `watch`: what it waits for, and when it ends. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/watch_impl.h"

const struct watch_group watch_groups[WATCH_GROUPS] = {
	{ "mappings", EV_MAPPINGS }, { "madvise", EV_MAPPINGS | EV_MADVISE },
	{ "rss", EV_RSS },	     { "gc", EV_GC },
	{ "threads", EV_THREADS },
};

enum {
	/* How long a reader may take nothing of what is left at the end. */
	PATIENCE_S = 30,
	PATIENCE_SIGNAL_S = 5,
	MS = 1000000,
};

/* Ends the stream, once. What comes after is what is in the ring. */
static void end(struct watch *w, const char *why)
{
	bool signal = !strcmp(why, "signal");

	if (w->end.why)
		return;
	w->end.why = why;
	w->sample.at_ns = w->deadline.at_ns = 0;
	w->patience_ns = (signal ? PATIENCE_SIGNAL_S : PATIENCE_S) * 1000000000ULL;
	w->stuck.at_ns = mono_ns() + 1000 * MS;
	ev_stop(w->ev);
}

/* ---- what the loop calls */

static int on_signal(void *ctx, short revents)
{
	struct watch *w = ctx;
	struct signalfd_siginfo one;

	while (read(w->signals.fd, &one, sizeof(one)) == sizeof(one))
		w->abandoned |= w->end.why && outlet_left(&w->outlet);
	end(w, "signal");
	return 0;
}

static int on_end_of_process(void *ctx, short revents)
{
	struct watch *w = ctx;

	close_fd(&w->pidfd.fd);
	end(w, "exit");
	return 0;
}

static int on_deadline(void *ctx, uint64_t now)
{
	end(ctx, "duration");
	return 0;
}

static int on_stuck(void *ctx, uint64_t now)
{
	struct watch *w = ctx;

	w->abandoned |= outlet_stuck_ns(&w->outlet, now) > w->patience_ns;
	w->stuck.at_ns = now + 1000 * MS;
	return 0;
}

static int on_sample(void *ctx, uint64_t now)
{
	struct watch *w = ctx;
	int r;

	w->sample.at_ns = now + (uint64_t)(w->a->o.interval * 1e9);
	if (outlet_full(&w->outlet))
		return 0;
	r = fold_flush(&w->fold, &w->text, now, &w->outlet.out);
	if (!r)
		r = watch_put_sample(w, now);
	return r ? r : outlet_flush(&w->outlet);
}

static int on_folded(void *ctx, uint64_t now)
{
	struct watch *w = ctx;
	int r = fold_flush(&w->fold, &w->text, now, &w->outlet.out);

	return r ? r : outlet_flush(&w->outlet);
}

static int on_losses(void *ctx, const struct ev_region *g, size_t n)
{
	struct watch *w = ctx;
	int r = 0;

	for (size_t i = 0; i < n && !r && session_book(&w->s); i++)
		if (g[i].pid == memsrc_pid(w->s.m))
			r = mapbook_lost(w->s.book, g[i].start, g[i].end, g[i].ns);
	return r ? r : follow_losses(&w->follow, g, n);
}

static int on_event(void *ctx, const struct event *e)
{
	return watch_event(ctx, e);
}

static int on_ring(void *ctx, struct loop_budget *budget)
{
	struct watch *w = ctx;
	int r, flushed = 0;

	session_turn(&w->s, w->ev);
	follow_turn(&w->follow);
	r = intake_batch(&w->intake, budget);
	if (w->ended)
		end(w, "exit");
	w->folded.at_ns = fold_due(&w->fold);
	if (r >= 0)
		flushed = outlet_flush(&w->outlet);
	return flushed ? flushed : r;
}

/* ---- the loop */

static int turn(struct watch *w)
{
	int r = loop_turn(&w->loop);

	intake_pace(&w->intake);
	return r ? r : w->outlet.rc;
}

/* 0 or -errno; w->end.why is set. All that was in the ring at the end has been taken. */
static int stream(struct watch *w)
{
	int r = 0;

	while (!r && !w->end.why)
		r = turn(w);
	if (r)
		end(w, r == -EPIPE ? "output closed" : "error");
	for (w->intake.ring.more = true; !r && w->intake.ring.more && !w->abandoned;)
		r = turn(w);
	return r ? r : intake_losses(&w->intake);
}

/* Until all is written. */
static int finish(struct watch *w)
{
	int r = outlet_flush(&w->outlet);

	w->intake.ring.paused = true;
	loop_remove_stream(&w->loop, &w->intake.ring);
	while (!r && outlet_left(&w->outlet) && !w->abandoned) {
		r = loop_turn(&w->loop);
		r = r ? r : w->outlet.rc;
	}
	if (w->abandoned) {
		outlet_warn_left(&w->outlet);
		w->partial = true;
	}
	return r;
}

static int wait_open(struct watch *w, struct err *e)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_set(e, -errno, "blocking signals: %s", strerror(errno));
	w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals.fd < 0)
		return err_set(e, -errno, "signalfd: %s", strerror(errno));
	w->pidfd.fd = syscall(SYS_pidfd_open, memsrc_pid(w->s.m), 0);
	/* Of the process that was opened, not of a successor; it may have called exec. */
	if (handle_check(memsrc_handle(w->s.m)) == HANDLE_GONE)
		return err_set(e, -ESRCH, "process %d has ended", (int)memsrc_pid(w->s.m));
	r = outlet_open(&w->outlet, &w->loop, w->a->fd);
	if (!r)
		r = loop_add_fd(&w->loop, &w->signals);
	if (!r)
		r = loop_add_fd(&w->loop, &w->pidfd);
	if (!r)
		r = loop_add_timer(&w->loop, &w->sample);
	if (!r)
		r = loop_add_timer(&w->loop, &w->deadline);
	if (!r)
		r = loop_add_timer(&w->loop, &w->stuck);
	if (!r)
		r = loop_add_timer(&w->loop, &w->folded);
	return r ? r : loop_add_stream(&w->loop, &w->intake.ring);
}

static int open_events(struct watch *w, struct err *e)
{
	const struct proc_status *st = &w->status;
	struct ev_options o = {
		.pid = memsrc_pid(w->s.m),
		.groups = w->a->o.groups,
		.ring_bytes = w->a->o.ring,
		/* a sixty-fourth of what there is: some lines, not thousands, until it doubles */
		.rss_step = st->vm_rss / 64 > 1 << 20 ? st->vm_rss / 64 : 1 << 20,
		.rss = { .file = st->rss_file,
			 .anon = st->rss_anon,
			 .swap = st->vm_swap,
			 .shmem = st->rss_shmem },
		.threads = st->threads,
		.gc_later = true, /* it may exec a Go program */
		.follow = w->a->o.follow,
		.fallbacks = w->a->o.fallbacks,
	};

	session_gopath(&w->s, &o.go);
	session_gc_probe(&w->s, &o.gc);
	if (w->s.gc.no_gc[0] && w->a->o.groups == EV_GC)
		return err_set(e, -ENOTSUP, "GC cycles can't be watched: %s", w->s.gc.no_gc);
	return ev_open(&o, &w->ev, e);
}

static bool wants_peak(const struct watch *w)
{
	const struct watch_opts *a = w->a;

	return a->o.peak_fd >= 0 || (a->o.groups & EV_GC && !a->no_report);
}

/* What is known of the target before there are events of it. */
static int open_target(struct watch *w, struct memsrc *m, struct err *e)
{
	int r = proc_status_read(memsrc_texts(m), 0, &w->status, e);

	if (!r)
		r = session_open(m, w->shelf, w->a->o.cache, &w->s, e);
	if (!r)
		r = session_names(&w->s, e);
	if (r)
		return r;
	if (!w->a->no_report)
		bracket_first(&w->bracket, &w->s);
	w->s.heap_growth = wants_peak(w);
	session_gc_find(&w->s);
	return 0;
}

/* The target, its probes, and the mappings that are there already. */
static int open_all(struct watch *w, struct memsrc *m, struct err *e)
{
	int r = open_target(w, m, e);

	/* one that has ended is told by wait_open; the next program is looked at below */
	if (!r || (r == -ESRCH && handle_check(memsrc_handle(m)) != HANDLE_SAME))
		r = wait_open(w, e);
	if (!r)
		r = open_events(w, e);
	/* From here on an exec is an event. Of one before only the memory tells. */
	if (!r && handle_check(memsrc_handle(m)) == HANDLE_EXECED)
		r = watch_exec_unseen(w, e);
	if (r || !(ev_groups(w->ev) & EV_MAPPINGS))
		return r;
	return session_open_book(&w->s, e);
}

static void begin(struct watch *w)
{
	const struct proc_status *st = &w->status;
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
	session_gc_track(&w->s, &w->text.seen.gc);
	follow_open(&w->follow, w->ev, w->shelf, w->a->o.cache, &w->text.seen.clock);
	w->text.pids = w->follow.ev;
	w->end.start_ns = now;
	if (w->a->o.interval)
		w->sample.at_ns = now + (uint64_t)(w->a->o.interval * 1e9);
	if (w->a->duration)
		w->deadline.at_ns = now + (uint64_t)(w->a->duration * 1e9);
	intake_begin(&w->intake, w->ev);
	if (wants_peak(w) && peak_open(memsrc_pid(w->s.m), w->a->o.cache, w->ev, 0, &w->peak))
		log_warn("the heap's peak is not watched: no thread could be started");
}

static int watch_stream(struct watch *w, struct memsrc *m, struct err *e)
{
	int r = shelf_create(OBSERVE_FDS, &w->shelf), written;

	if (!r)
		r = open_all(w, m, e);
	if (r)
		return r;
	if (w->a->o.attached)
		w->a->o.attached(0);
	begin(w);
	r = watch_put_start(w);
	if (!r)
		r = outlet_flush(&w->outlet);
	if (!r)
		r = stream(w);
	if (!r)
		r = fold_flush(&w->fold, &w->text, mono_ns(), &w->outlet.out);
	if (!r)
		r = watch_put_end(w);
	if (!r)
		r = watch_put_peak(w);
	if (!r && !w->a->no_report && !w->abandoned)
		r = watch_report(w, e);
	written = finish(w);
	return r ? r : written;
}

static void watch_free(struct watch *w)
{
	fold_free(&w->fold);
	outlet_close(&w->outlet);
	loop_close(&w->loop);
	close_fd(&w->signals.fd);
	close_fd(&w->pidfd.fd);
	follow_close(&w->follow);
	ev_close(w->ev);
	bracket_free(&w->bracket);
	peak_close(w->peak);
	session_close(&w->s);
	shelf_destroy(w->shelf);
	vec_free(&w->lost);
	vec_free(&w->advice);
	vec_free(&w->end.losses);
}

int watch_process(struct memsrc *m, const struct watch_opts *o, struct watch_result *out,
		  struct err *e)
{
	struct watch w = { .a = o };
	int r;

	w.signals = (struct loop_fd){ -1, POLLIN, on_signal, &w };
	w.pidfd = (struct loop_fd){ -1, POLLIN, on_end_of_process, &w };
	w.sample = (struct loop_timer){ 0, on_sample, &w };
	w.deadline = (struct loop_timer){ 0, on_deadline, &w };
	w.stuck = (struct loop_timer){ 0, on_stuck, &w };
	w.folded = (struct loop_timer){ 0, on_folded, &w };
	w.folds = !o->o.json && !o->each && !o->gctrace;
	w.intake = (struct intake){ .ring = { .fd = -1, .fn = on_ring, .ctx = &w },
				    .out = &w.outlet,
				    .event = on_event,
				    .losses = on_losses };
	r = watch_stream(&w, m, e);
	*out = (struct watch_result){ w.end.why, w.outlet.rc, w.partial };
	watch_free(&w);
	return r;
}
