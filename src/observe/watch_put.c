/* SPDX-License-Identifier: BSD-2-Clause */
/* What `watch` puts out at its start, now and then, and at its end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/book.h"
#include "observe/watch_impl.h"

/* What was asked for and is not there: "gc: why". */
struct parts {
	const char *v[WATCH_GROUPS + 1];
	char text[WATCH_GROUPS][400];
	size_t n;
};

static const char *why_gone(const struct watch *w, enum ev_group group, const struct ev_program *p,
			    size_t n)
{
	const char *why = w->s.gc.no_gc;

	for (size_t i = 0; i < n && (group != EV_GC || !*why); i++)
		if (p[i].group == group && *p[i].reason)
			why = p[i].reason;
	return why;
}

static void find_missing(struct watch *w, const struct ev_program *p, size_t n, struct parts *m)
{
	uint32_t gone = w->a->o.groups & ~ev_groups(w->ev);

	if (w->s.gc.no_gc[0])
		gone |= w->a->o.groups & EV_GC;
	for (size_t i = 0; i < WATCH_GROUPS; i++) {
		const struct watch_group *g = &watch_groups[i];

		if (!(gone & g->group) || g->group & EV_MADVISE)
			continue;
		snprintf(m->text[m->n], sizeof(m->text[0]), "%s: %s", g->name,
			 why_gone(w, g->group, p, n));
		m->v[m->n] = m->text[m->n];
		m->n++;
		/* No GC in a program that is not Go is nothing missing. */
		w->partial |= g->group != EV_GC || w->s.ngo;
	}
	if (w->a->o.follow && !w->follow.ev) {
		m->v[m->n++] = "children: following them needs the BTF tracepoints of "
			       "sched_process_fork, exec and exit";
		w->partial = true;
	}
}

int watch_put_start(struct watch *w)
{
	struct watch_program p[EV_PROGRAMS_MAX];
	const struct ev_program *programs;
	struct parts missing = { 0 };
	struct watch_start s = {
		.pid = memsrc_pid(w->s.m),
		.comm = w->s.id.comm,
		.exe = w->s.id.exe,
		.go_version = session_go_version(&w->s),
		.now_ns = w->end.start_ns,
		.programs = p,
		.missing = missing.v,
	};
	size_t n = ev_programs(w->ev, &programs);
	struct ev_overhead overhead = { 0 };

	find_missing(w, programs, n, &missing);
	s.nmissing = missing.n;
	if (w->a->gctrace)
		return 0;
	for (size_t i = 0; i < n && i < ARRAY_LEN(p); i++)
		p[s.nprograms++] =
			(struct watch_program){ programs[i].name, programs[i].target,
						programs[i].reason, programs[i].attached };
	s.has_overhead = ev_syscall_overhead(w->ev, &overhead);
	s.overhead_ns = overhead.any;
	s.mapping_overhead_ns = overhead.mapping;
	s.overhead_noise_ns = overhead.noise;
	return w->a->o.json ? watch_json_start(&w->text.seen.clock, &s, &w->outlet.out)
			    : watch_text_start(&w->text, &s, &w->outlet.out);
}

int watch_put_sample(struct watch *w, uint64_t now)
{
	struct watch_sample s;

	if (sample_take(&w->sampler, &w->s, now, &s))
		return 0; /* it ends */
	w->text.pid = memsrc_pid(w->s.m);
	return w->a->o.json ? watch_json_sample(&w->text.seen.clock, &s, &w->outlet.out)
			    : watch_text_sample(&w->text, &s, &w->outlet.out);
}

static int end_advice(struct watch *w)
{
	_free_ struct ev_advice *a = NULL;
	size_t n;
	int r = ev_advice(w->ev, memsrc_pid(w->s.m), &a, &n);

	for (size_t i = 0; i < n && !r; i++)
		r = vec_push(&w->advice, (struct watch_advice){ a[i].advice, a[i].calls,
								a[i].failed, a[i].bytes });
	w->end.advice = w->advice.v;
	w->end.nadvice = w->advice.n;
	return r;
}

/* A child that is still there. */
static int put_child(struct watch *w, struct follow_proc *p, bool live)
{
	struct watch_child c = {
		.pid = p->pid, .now_ns = mono_ns(), .comm = p->s.id.comm, .exe = p->s.id.exe
	};
	struct mapbook *b = session_book(&p->s);
	int r = 0;

	if (!p->s.m || memsrc_alive(p->s.m))
		return 0;
	if (b && live)
		r = book_live(b, &w->outlet.out);
	if (b && !r)
		r = book_end(b, &c.mappings);
	if (r || w->a->gctrace)
		return r;
	return w->a->o.json ? watch_json_child(&w->text.seen.clock, &c, &w->outlet.out)
			    : watch_text_child(&w->text, &c, &w->outlet.out);
}

static int end_book(struct watch *w)
{
	bool live = w->a->live && w->a->o.json;
	struct mapbook *b = session_book(&w->s);
	int r = 0;

	if (b && live)
		r = book_live(b, &w->outlet.out);
	if (b && !r)
		r = book_end(b, &w->end.mappings);
	if (!r)
		r = follow_note_losses(&w->follow, memsrc_pid(w->s.m));
	for (size_t i = 0; i < w->follow.v.n && !r; i++)
		r = follow_note_losses(&w->follow, w->follow.v.v[i]->pid);
	w->end.by_process = w->follow.losses.v;
	w->end.nby_process = w->follow.losses.n;
	w->end.followed = w->follow.followed;
	w->end.children_ended = w->follow.ended;
	for (size_t i = 0; i < w->follow.v.n && !r; i++)
		r = put_child(w, w->follow.v.v[i], live);
	return r;
}

int watch_put_end(struct watch *w)
{
	struct ev_counter c[EV_COUNTERS_MAX];
	size_t n = ev_counters(w->ev, c, EV_COUNTERS_MAX);
	int r = end_book(w);

	if (!r)
		r = end_advice(w);
	if (r)
		return r;
	w->end.now_ns = mono_ns();
	for (size_t i = 0; i < n; i++) {
		if (named_add(&w->end.losses, c[i].name, c[i].n))
			return -ENOMEM;
		w->end.lost += c[i].lost ? c[i].n : 0;
	}
	if (w->a->gctrace) {
		if (w->end.lost)
			log_warn("%" PRIu64 " events were lost", w->end.lost);
		return 0;
	}
	return w->a->o.json ? watch_json_end(&w->text.seen.clock, &w->end, &w->outlet.out)
			    : watch_text_end(&w->text, &w->end, &w->outlet.out);
}
