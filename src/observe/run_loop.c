/* SPDX-License-Identifier: BSD-2-Clause */
/* From the exec to the end: events are counted, ledgers taken, signals passed on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/run_impl.h"
#include "session/program.h"
#include "proc/status.h"

enum {
	MS = 1000000, /* ns */
	/* A program is left alone at first: its runtime is not up, and most short ones are done. */
	FIRST_MS = 30,
	FIRST_DUE_MS = 50,
	/* Of the time, at most one part in so many is spent on snapshots; at least so long in
	 * between.
	 */
	SHARE = 10,
	GAP_MS = 50,
	/* The last ledger is at most that part of the program's life old, until --interval bounds
	 * it. */
	AGE_SHARE = 8,
	RSS_STEP = 1 << 20,
};

/* ---- GC cycles: where the probe goes */

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
	memcpy(gc.path, path, sizeof(path));
	r->snapshot.want_gc = r->gc_late = true;
	if (ev_set_gc(r->ev, r->child.pid, &gc, &e))
		snprintf(r->no_gc, sizeof(r->no_gc), "%.255s", e.text);
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

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)r->child.pid);
	if (!text_read_at(AT_FDCWD, path, 4096, &stat) && !proc_stat_parse(stat.p, &st)) {
		r->seen.minflt0 = st.minflt;
		r->seen.majflt0 = st.majflt;
	}
	if (describe_program(r, program_fd, &o.gc)) {
		snprintf(o.gc.path, sizeof(o.gc.path), "/proc/self/fd/%d", program_fd);
		r->snapshot.want_gc = true;
	}
	return ev_open(&o, &r->ev, e);
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
	if (r->book.m) {
		run_book_close(&r->book);
		run_book_open(&r->book, r->child.pid, -1);
	}
}

/* The probe's function runs again from its entry when its stack has to grow. With the cycle's
 * number the event layer tells; without, the time does: no cycle is so short. */
static bool again(struct run_seen *s, const struct event *e)
{
	enum { SHORTEST_NS = 50000 };
	bool same = !gc_has(&e->gc, GCV_CYCLE) && e->tid == s->gc_tid &&
		    e->exit_ns - s->gc_ns < SHORTEST_NS;

	s->gc_tid = e->tid;
	s->gc_ns = e->exit_ns;
	return same;
}

static int on_event(void *ctx, const struct event *e)
{
	struct run *r = ctx;
	struct run_seen *s = &r->seen;
	enum event_kind k = event_kind(e);

	if (e->tgid != (uint32_t)r->child.pid) {
		run_children_event(r, e);
		return 0;
	}
	run_stream_event(&r->stream, r->book.names, e);
	if (k == KIND_EXEC && !r->execed) { /* it becomes the program */
		r->execed = true;
		s->start_ns = s->exec_ns = e->exit_ns;
		/* what the file's name led to may not be what runs: a script's interpreter */
		if (!r->is_go)
			follow_exec(r);
		return 0;
	}
	if (k == KIND_GC && again(s, e))
		return 0;
	s->events[k]++;
	s->gc_bare += k == KIND_GC && !e->gc.have;
	if (k == KIND_EXIT)
		s->end_ns = e->exit_ns;
	if (k == KIND_EXEC)
		change_program(r, e);
	run_book_event(&r->book, e);
	if (k == KIND_GC && gc_has(&e->gc, GCV_CYCLE))
		s->cycle = e->gc.v[GCV_CYCLE];
	return 0;
}

static void turn(struct run *r)
{
	_free_ struct ev_region *g = NULL;
	size_t n = 0;

	if ((r->book.on || r->follow.v.n) && ev_lost_regions(r->ev, &g, &n)) {
		r->book.on = false; /* out of memory: the rest would be wrong without it */
		follow_close(&r->follow);
	}
	run_book_turn(&r->book, g, n);
	if (follow_losses(&r->follow, g, n))
		follow_close(&r->follow);
	follow_turn(&r->follow);
}

static void drain(struct run *r)
{
	enum { MANY = 1 << 15 };

	do
		turn(r);
	while (ev_poll(r->ev, 0, on_event, r) >= MANY);
	run_stream_flush(&r->stream);
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

	return ev_rss(r->ev, &rss) ? 0 : rss.high;
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
	r->snapshot.opts.cache = r->a->o.cache;
	if (run_snapshot_start(&r->snapshot))
		r->next_ns = now + GAP_MS * MS;
}

/* ---- the loop */

static int due_in(const struct run *r)
{
	uint64_t now = mono_ns(), at = now + EV_POLL_MS * (uint64_t)MS;

	if (r->a->o.interval && r->next_due_ns < at)
		at = r->next_due_ns;
	if (r->next_ns > now && r->next_ns < at)
		at = r->next_ns;
	return r->snapshot.busy ? EV_POLL_MS : at <= now ? 0 : (at - now + MS - 1) / MS;
}

static void wait_for(const struct run *r)
{
	struct pollfd p[] = {
		{ ev_fd(r->ev), POLLIN, 0 },
		{ r->signals.fd, POLLIN, 0 },
		{ r->snapshot.done_fd, POLLIN, 0 },
	};

	poll(p, ARRAY_LEN(p), due_in(r)); /* no signal interrupts it: all are blocked */
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
	bool ended = false;

	follow_open(&r->follow, r->ev, r->a->o.cache, &r->stream.text.seen.clock);
	r->stream.text.pids = r->follow.ev;
	if (!sees_exec(r)) {
		r->execed = true;
		follow_exec(r);
	}
	if (ev_groups(r->ev) & EV_MAPPINGS)
		run_book_open(&r->book, r->child.pid, program_fd);
	r->next_ns = now + FIRST_MS * MS;
	r->next_due_ns = now + FIRST_DUE_MS * MS;
	while (!ended) {
		wait_for(r);
		drain(r);
		if (run_signals_take(&r->signals, r->child.pid))
			r->asked = true;
		ended = run_child_ended(r->child.pid);
		if (!ended)
			snapshot_if_due(r);
		if (take_ledger(r, false) != -EAGAIN && r->asked && !ended) {
			r->asked = false;
			run_report(r);
		}
	}
	now = mono_ns();
	ev_stop(r->ev);
	drain(r);
	take_ledger(r, true);
	if (!r->seen.end_ns)
		r->seen.end_ns = now;
	reap(r);
}
