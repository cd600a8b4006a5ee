/* SPDX-License-Identifier: BSD-2-Clause */
/* From the exec to the end: events are counted, ledgers taken, signals passed on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/run_impl.h"
#include "proc/status.h"

enum {
	MS = 1000000, /* ns */
	/* A program is left alone at first: its runtime is not up, and most short ones are done. */
	FIRST_MS = 30,
	FIRST_DUE_MS = 50,
	PEAK_MS = 60, /* the first ledger is not held up */
	/* Of the time, at most one part in so many is spent on snapshots; at least so long in
	 * between.
	 */
	SHARE = 10,
	GAP_MS = 50,
	/* The last ledger is at most that part of the program's life old, until --interval bounds
	 * it. */
	AGE_SHARE = 8,
	RSS_STEP = 1 << 20,
	/* How long a reader may take nothing of what is left at the end. */
	PATIENCE_S = 10,
};

/* ---- GC cycles: where the probe goes */

static bool wants_peak(const struct run *r)
{
	return r->a->o.peak_fd >= 0 || r->a->o.groups & EV_GC;
}

/* What the file says of the program. True when it holds a Go program. */
static bool describe_program(struct run *r, int fd, struct ev_gc *gc)
{
	struct go_facts known;
	struct bin *bin = NULL;
	struct err e = { 0 };
	bool go;

	snprintf(r->no_gc, sizeof(r->no_gc), "the executable is not a Go program");
	r->has_binary = r->is_go = false;
	r->go_version[0] = 0;
	if (fd < 0 || bin_open(fd, &bin, &e))
		return false; /* a script, or no program at all: execve will tell */
	go = bin_go(bin)->is_go;
	r->has_binary = true;
	r->stripped = bin_is_stripped(bin);
	r->pie = bin_is_pie(bin);
	r->cgo = bin_go(bin)->cgo;
	if (go) {
		r->is_go = true;
		snprintf(r->go_version, sizeof(r->go_version), "%s", bin_go(bin)->version);
		go_cache_get(r->a->o.cache, NULL, bin, &known);
		gc_places_find(&known, bin, 0, gc);
		if (!wants_peak(r))
			gc->grow_offset = 0;
		go_cache_put(r->a->o.cache, NULL, bin, &known);
		snprintf(r->no_gc, sizeof(r->no_gc), "%s",
			 gc->offset ? "" : "the function that ends a cycle is not found");
	}
	bin_close(bin);
	return go;
}

/* The program that runs now, when it is another one than was looked at before. */
static void follow_exec(struct run *r)
{
	struct ev_gc gc = { 0 };
	_close_ int fd = -1;
	struct err e = { 0 };
	char path[64];

	if (!(ev_groups(r->ev) & EV_GC))
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)r->child.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !describe_program(r, fd, &gc) || !gc.offset)
		return;
	gc.fd = fd;
	r->snapshot.want_gc = r->gc_late = true;
	if (ev_set_gc(r->ev, r->child.pid, &gc, &e))
		snprintf(r->no_gc, sizeof(r->no_gc), "%.255s", e.text);
}

/* ---- events */

static int take_ledger(struct run *r, bool wait);

/* The program has become another one. */
static void change_program(struct run *r, const struct event *e)
{
	take_ledger(r, true); /* a snapshot may have names that end here */
	r->seen.cycle = 0;
	r->seen.exec_ns = e->exit_ns;
	follow_exec(r);
	if (r->book.s.m) {
		run_book_close(&r->book);
		run_book_open(&r->book, r->child.pid, -1, r->shelf);
	}
}

static void take_event(struct run *r, const struct event *e)
{
	struct run_seen *s = &r->seen;
	enum event_kind k = event_kind(e);

	if (e->tgid != (uint32_t)r->child.pid) {
		run_children_event(r, e);
		return;
	}
	run_stream_event(&r->stream, r->book.s.names, e);
	if (k == KIND_EXEC && !r->execed) { /* it becomes the program */
		r->execed = true;
		s->start_ns = s->exec_ns = e->exit_ns;
		/* what the file's name led to may not be what runs: a script's interpreter */
		if (!r->is_go)
			follow_exec(r);
		return;
	}
	peak_event(r->peak, e, r->ev);
	s->events[k]++;
	s->gc_bare += k == KIND_GC && !e->gc.have;
	if (k == KIND_EXIT)
		s->end_ns = e->exit_ns;
	if (k == KIND_EXEC)
		change_program(r, e);
	run_book_event(&r->book, e);
	if (k == KIND_GC && gc_has(&e->gc, GCV_CYCLE))
		s->cycle = e->gc.v[GCV_CYCLE];
}

static int on_losses(void *ctx, const struct ev_region *g, size_t n)
{
	struct run *r = ctx;

	run_book_losses(&r->book, g, n);
	if (follow_losses(&r->follow, g, n))
		follow_close(&r->follow); /* out of memory: the rest would be wrong without it */
	return 0;
}

static int on_event(void *ctx, const struct event *e)
{
	take_event(ctx, e);
	return 0;
}

/* What has not been read is not known: who asked for memory would be wrong without it. */
static void note_read_error(struct run *r, int rc)
{
	if (!r->read_error)
		log_warn("cannot read events: %s; the events shown are incomplete", strerror(-rc));
	r->read_error = r->read_error ? r->read_error : rc;
	r->book.on = false;
	follow_close(&r->follow);
}

static int on_ring(void *ctx, struct loop_budget *budget)
{
	struct run *r = ctx;
	int rc;

	run_book_turn(&r->book);
	follow_turn(&r->follow);
	rc = intake_batch(&r->intake, budget);
	if (rc < 0)
		note_read_error(r, rc);
	outlet_flush(&r->outlet);
	return rc > 0;
}

static bool sees_exec(const struct run *r)
{
	const struct ev_program *p;
	size_t n = ev_programs(r->ev, &p);

	for (size_t i = 0; i < n; i++)
		if (p[i].attached && !strncmp(p[i].name, "exec_", 5))
			return true;
	return false;
}

/* ---- ledgers */

/* Keeps the last complete one, and the one of the largest RSS. */
static void keep_ledger(struct run_seen *s, struct run_ledger *l)
{
	struct run_ledger *largest = s->peak.has ? &s->peak : &s->last;

	if (l->r.partial && s->last.has && !s->last.r.partial) {
		run_ledger_free(l);
		return;
	}
	s->ledgers++;
	if (largest->has && largest->r.rss.scanned > l->r.rss.scanned) {
		if (!s->peak.has)
			s->peak = s->last;
		else
			run_ledger_free(&s->last);
	} else {
		run_ledger_free(&s->peak);
		run_ledger_free(&s->last);
	}
	s->last = *l;
	l->has = false;
}

/* 0 a snapshot has ended, -EAGAIN none has. */
static int take_ledger(struct run *r, bool wait)
{
	struct run_ledger l = { 0 };
	int rc = run_snapshot_take(&r->snapshot, wait, &l);
	uint64_t now = mono_ns(), rest;

	if (rc == -EAGAIN)
		return rc;
	if (rc) {
		r->seen.no_ledger = r->snapshot.err;
		r->next_ns = now + GAP_MS * MS;
		return 0;
	}
	rest = r->snapshot.cpu_ns * SHARE;
	if (r->snapshot.has_gc && !ev_set_words(r->ev, r->child.pid, r->snapshot.gc.words))
		r->snapshot.want_gc = false;
	keep_ledger(&r->seen, &l);
	r->next_ns = now + (rest > GAP_MS * MS ? rest : GAP_MS * MS);
	return 0;
}

static uint64_t high_water(const struct run *r)
{
	struct event_rss rss;

	return ev_rss(r->ev, r->child.pid, &rss) ? 0 : rss.high;
}

/* When the next ledger is due though nothing has grown. */
static uint64_t next_due(const struct run *r, uint64_t now)
{
	uint64_t wait = (now - r->seen.start_ns) / AGE_SHARE, most = r->a->o.interval * 1e9;

	if (wait < FIRST_DUE_MS * MS)
		wait = FIRST_DUE_MS * MS;
	return now + (wait < most ? wait : most);
}

static void snapshot_if_due(struct run *r)
{
	uint64_t now = mono_ns(), high;

	if (r->snapshot.busy || (!r->asked && now < r->next_ns))
		return;
	high = high_water(r);
	if (!r->asked && (!r->a->o.interval || now < r->next_due_ns) &&
	    !(high > r->high_at_last + RSS_STEP && high > r->high_at_last / 8 * 9))
		return;
	r->high_at_last = high;
	r->next_due_ns = next_due(r, now);
	run_book_give(&r->book, &r->snapshot.opts);
	if (run_snapshot_start(&r->snapshot))
		r->next_ns = now + GAP_MS * MS;
}

/* ---- the loop */

/* When a snapshot may be due; how much has grown is asked at every turn. */
static void set_due(struct run *r)
{
	uint64_t now = mono_ns(), at = now + EV_POLL_MS * (uint64_t)MS;

	if (r->a->o.interval && r->next_due_ns < at)
		at = r->next_due_ns;
	if (r->next_ns > now && r->next_ns < at)
		at = r->next_ns;
	r->due.at_ns = r->snapshot.busy ? 0 : at > now ? at : now;
}

static int on_due(void *ctx, uint64_t now)
{
	return 0; /* the turn sees to it */
}

static int on_signal(void *ctx, short revents)
{
	struct run *r = ctx;
	unsigned int came = run_signals_take(&r->signals, r->ended ? 0 : r->child.pid);

	r->asked |= (came & RUN_ASKED) != 0;
	if (r->ended)
		r->abandoned |= came & RUN_OTHER && outlet_left(&r->outlet);
	else if (came & RUN_CHILD)
		r->ended = run_child_ended(r->child.pid);
	return 0;
}

static int on_snapshot(void *ctx, short revents)
{
	struct run *r = ctx;

	if (take_ledger(r, false) == -EAGAIN || !r->asked || r->ended)
		return 0;
	r->asked = false;
	if (outlet_full(&r->outlet))
		log_warn("no report: output blocked");
	else
		run_report(r);
	return 0;
}

static int on_stuck(void *ctx, uint64_t now)
{
	struct run *r = ctx;

	r->abandoned |= outlet_stuck_ns(&r->outlet, now) > PATIENCE_S * 1000000000ULL;
	r->stuck.at_ns = now + 1000 * (uint64_t)MS;
	return 0;
}

void run_intake_begin(struct run *r)
{
	r->intake = (struct intake){ .ring = { .fn = on_ring, .ctx = r },
				     .out = &r->outlet,
				     .event = on_event,
				     .losses = on_losses };
	intake_begin(&r->intake, r->ev);
}

static int add_members(struct run *r)
{
	int rc;

	r->on_signal = (struct loop_fd){ r->signals.fd, POLLIN, on_signal, r };
	r->on_snapshot = (struct loop_fd){ r->snapshot.done_fd, POLLIN, on_snapshot, r };
	r->due = (struct loop_timer){ 0, on_due, r };
	r->stuck = (struct loop_timer){ 0, on_stuck, r };
	run_intake_begin(r);
	rc = loop_add_fd(&r->loop, &r->on_signal);
	if (!rc)
		rc = loop_add_fd(&r->loop, &r->on_snapshot);
	if (!rc)
		rc = loop_add_timer(&r->loop, &r->due);
	if (!rc)
		rc = loop_add_timer(&r->loop, &r->stuck);
	return rc ? rc : loop_add_stream(&r->loop, &r->intake.ring);
}

int run_watch_open(struct run *r, int program_fd, struct err *e)
{
	struct ev_options o = {
		.pid = r->child.pid,
		.groups = r->a->o.groups,
		.ring_bytes = r->a->o.ring,
		.rss_step = RSS_STEP,
		.threads = 1,
		.at_exec = true,
		.gc_later = true,
		.follow = r->a->o.follow,
		.fallbacks = r->a->o.fallbacks,
	};
	_text_ struct text stat = { 0 };
	struct proc_stat st;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)r->child.pid);
	if (!text_read_at(AT_FDCWD, path, 4096, &stat) && !proc_stat_parse(stat.p, &st)) {
		r->seen.minflt0 = st.minflt;
		r->seen.majflt0 = st.majflt;
	}
	if (describe_program(r, program_fd, &o.gc)) {
		o.gc.fd = program_fd;
		r->snapshot.want_gc = true;
	}
	rc = ev_open(&o, &r->ev, e);
	if (rc)
		return rc;
	rc = add_members(r);
	return rc ? err_set(e, rc, "%s", strerror(-rc)) : 0;
}

/* An error of it can't end the program: what can be done goes on. */
static void turn(struct run *r)
{
	int rc = loop_turn(&r->loop);

	if (rc)
		log_debug("the event loop: %s", strerror(-rc));
	intake_pace(&r->intake);
}

/* Of the zombie: its own faults; wait4 has those of its children in them, too. */
static void reap(struct run *r)
{
	struct run_seen *s = &r->seen;
	_text_ struct text stat = { 0 };
	struct proc_stat st;
	struct rusage ru = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)r->child.pid);
	if (!text_read_at(AT_FDCWD, path, 4096, &stat) && !proc_stat_parse(stat.p, &st)) {
		s->minflt = OPT(st.minflt - s->minflt0);
		s->majflt = OPT(st.majflt - s->majflt0);
	}
	if (wait4(r->child.pid, &s->wstatus, 0, &ru) != r->child.pid)
		return;
	s->user_ns = OPT(ru.ru_utime.tv_sec * 1000000000ULL + ru.ru_utime.tv_usec * 1000ULL);
	s->system_ns = OPT(ru.ru_stime.tv_sec * 1000000000ULL + ru.ru_stime.tv_usec * 1000ULL);
	s->max_rss = OPT(ru.ru_maxrss * 1024ULL);
}

void run_watch(struct run *r, int program_fd)
{
	uint64_t now = r->seen.start_ns = mono_ns();
	int rc;

	follow_open(&r->follow, r->ev, r->shelf, r->a->o.cache, &r->stream.text.seen.clock);
	r->stream.text.pids = r->follow.ev;
	if (!sees_exec(r)) {
		r->execed = true;
		follow_exec(r);
	}
	if (ev_groups(r->ev) & EV_MAPPINGS)
		run_book_open(&r->book, r->child.pid, program_fd, r->shelf);
	if (wants_peak(r) && peak_open(r->child.pid, r->a->o.cache, r->ev, PEAK_MS * MS, &r->peak))
		log_warn("the heap's peak is not watched: no thread could be started");
	r->next_ns = now + FIRST_MS * MS;
	r->next_due_ns = now + FIRST_DUE_MS * MS;
	while (!r->ended) {
		set_due(r);
		turn(r);
		if (!r->ended)
			snapshot_if_due(r);
	}
	now = mono_ns();
	ev_stop(r->ev);
	peak_stop(r->peak);
	r->stuck.at_ns = now + 1000 * (uint64_t)MS;
	for (r->intake.ring.more = true; r->intake.ring.more && !r->abandoned;)
		turn(r);
	rc = intake_losses(&r->intake);
	if (rc)
		note_read_error(r, rc);
	take_ledger(r, true);
	if (!r->seen.end_ns)
		r->seen.end_ns = now;
	reap(r);
}

void run_finish(struct run *r)
{
	outlet_flush(&r->outlet);
	loop_remove_stream(&r->loop, &r->intake.ring);
	while (!r->outlet.rc && outlet_left(&r->outlet) && !r->abandoned)
		turn(r);
	if (r->abandoned)
		outlet_warn_left(&r->outlet);
	else if (r->outlet.rc && r->outlet.rc != -EPIPE)
		log_error("cannot write the report: %s", strerror(-r->outlet.rc));
}
