/* SPDX-License-Identifier: BSD-2-Clause */
/* An event of `watch`: what it changes of what is known, and its line. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/watch_impl.h"

/* Says where records of a CPU are missing. */
static int note_lost(struct watch *w, const struct event *e)
{
	enum { CPUS_MAX = 65536 };
	uint32_t n;

	if (e->cpu >= CPUS_MAX)
		return 0;
	while (w->lost.n <= e->cpu)
		if (vec_push(&w->lost, 0))
			return -ENOMEM;
	n = e->lost - w->lost.v[e->cpu];
	w->lost.v[e->cpu] = e->lost;
	if (!n)
		return 0;
	if (w->folds) {
		fold_lost(&w->fold, n, mono_ns());
		return 0;
	}
	return w->a->o.json ? watch_json_lost(&w->text.seen.clock, e, n, &w->outlet.out)
			    : watch_text_lost(&w->text, e, n, &w->outlet.out);
}

/* The target is another program, in another memory. Where it has ended since, or become yet another
 * one, nothing is known of it. */
static void take_exec(struct watch *w)
{
	bracket_free(&w->bracket); /* of another program */
	session_exec(&w->s, memsrc_pid(w->s.m), w->ev);
}

int watch_exec_unseen(struct watch *w, struct err *e)
{
	pid_t pid = memsrc_pid(w->s.m);

	take_exec(w);
	if (!w->s.names)
		return err_set(e, -ESRCH, "process %d has ended", (int)pid);
	log_warn("process %d has called execve meanwhile: %s is watched", (int)pid, w->s.id.exe);
	if (!w->a->no_report)
		bracket_first(&w->bracket, &w->s);
	return 0;
}

static void count(struct watch *w, const struct event *e)
{
	enum event_kind k = event_kind(e);

	w->end.events[k]++;
	if (e->tgid == (uint32_t)memsrc_pid(w->s.m))
		sample_count(&w->sampler, e);
	if (e->type == EVENT_CALL && event_call_errno(&e->call))
		w->end.failed++;
	if (k == KIND_EXIT && e->tgid == (uint32_t)memsrc_pid(w->s.m))
		w->ended = true;
	if (e->tgid != (uint32_t)memsrc_pid(w->s.m))
		return;
	peak_event(w->peak, e, w->ev);
	if (k == KIND_EXEC) {
		take_exec(w);
		w->text.seen.gc = (struct gc_track){ 0 };
		w->text.seen.brk = 0;
	}
	if (k == KIND_GC) {
		bracket_cycle(&w->bracket, &e->gc);
		session_gc_tick(&w->s, w->ev);
	}
}

/* What is not known is told once, with the first question mark. */
static int put_gctrace(struct watch *w, const struct event_gc *g)
{
	const struct go_runtime *rt = session_gc_runtime(&w->s);
	bool scans = rt && go_has(rt->l, GO_GCC_GLOBALSSCAN);
	size_t at = w->outlet.out.n;
	int r = watch_gctrace(g, scans, &w->outlet.out);

	if (!r && !w->told && rt && memchr(w->outlet.out.p + at, '?', w->outlet.out.n - at)) {
		w->told = true;
		log_warn("'?' = figure not available: %s",
			 w->s.gc.no_words[0] ? w->s.gc.no_words
					     : "the runtime was located only now");
	}
	return r;
}

/* What it is now, after an exec. */
static int put_program(struct watch *w, const struct session *s, const struct event *e)
{
	struct watch_exec x = {
		.pid = e->tgid,
		.now_ns = e->exit_ns,
		.comm = s->id.comm,
		.exe = s->id.exe,
		.go_version = session_go_version(s),
		.no_gc = s->ngo && w->a->o.groups & EV_GC ? s->gc.no_gc : "",
	};

	/* of children as many as there is room for: there may be thousands */
	if (w->folds && e->tgid != (uint32_t)memsrc_pid(w->s.m) && !fold_direct(&w->fold))
		return 0;
	if (w->folds && fold_flush(&w->fold, &w->text, mono_ns(), &w->outlet.out))
		return -ENOMEM;
	return w->a->o.json ? watch_json_exec(&w->text.seen.clock, &x, &w->outlet.out)
			    : watch_text_exec(&w->text, &x, &w->outlet.out);
}

static int put_line(struct watch *w, const struct event *e, const struct frame *frames, size_t n)
{
	if (w->a->o.json)
		return watch_json_event(&w->text.seen, e, frames, n, &w->outlet.out);
	if (w->folds)
		return fold_event(&w->fold, &w->text, e, frames, n, mono_ns(), &w->outlet.out);
	return watch_text_event(&w->text, e, frames, n, &w->outlet.out);
}

/* `s` may be NULL: nothing is known of the process. */
static int put_event(struct watch *w, const struct event *e, const struct session *s)
{
	struct frame frames[EVENT_STACK_MAX];
	size_t n = 0;
	int r = note_lost(w, e);

	if (s && s->names)
		n = symbolizer_event(s->names, e, frames);
	if (!r)
		r = put_line(w, e, frames, n);
	if (!r && event_kind(e) == KIND_EXEC && s && s->id.exe[0])
		r = put_program(w, s, e);
	return r;
}

static int on_child(struct watch *w, const struct event *e)
{
	struct follow_proc *p = follow_event(&w->follow, e);
	struct watch_seen of_target = w->text.seen;
	int r;

	if (w->a->gctrace)
		return 0;
	if (p)
		w->text.seen = p->seen;
	r = put_event(w, e, p && p->s.m ? &p->s : NULL);
	if (p)
		p->seen = w->text.seen;
	w->text.seen = of_target;
	follow_done(&w->follow);
	return r;
}

int watch_event(struct watch *w, const struct event *e)
{
	int r;

	count(w, e);
	r = session_book(&w->s) ? mapbook_event(w->s.book, e) : 0;
	if (r)
		return r;
	if (e->tgid != (uint32_t)memsrc_pid(w->s.m))
		r = on_child(w, e);
	else if (w->a->gctrace)
		r = e->type == EVENT_GC ? put_gctrace(w, &e->gc) : 0;
	else
		r = put_event(w, e, &w->s);
	if (!r && outlet_left(&w->outlet) > 1 << 16)
		r = outlet_flush(&w->outlet);
	return r;
}
