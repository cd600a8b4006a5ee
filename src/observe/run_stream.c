/* SPDX-License-Identifier: BSD-2-Clause */
/* --events: what happens as it happens, before the report and to where that goes. */
#include <errno.h>

#include "base/clock.h"
#include "observe/run_impl.h"

void run_stream_open(struct run_stream *s, const struct run_opts *a, struct outlet *out)
{
	*s = (struct run_stream){ .on = a->events, .json = a->o.json, .out = out };
	s->text.seen.clock.offset_ns = clock_ns(CLOCK_REALTIME) - mono_ns();
	s->text.style = a->o.style;
	gc_track_begin(&s->text.seen.gc, 0, 0); /* from the first instruction */
}

void run_stream_event(struct run_stream *s, struct symbolizer *names, const struct event *e)
{
	enum { MUCH = 1 << 16 };
	struct frame frames[EVENT_STACK_MAX];
	size_t n = 0;
	int r;

	if (!s->on)
		return;
	if (names)
		n = symbolizer_event(names, e, frames);
	r = s->json ? watch_json_event(&s->text.seen, e, frames, n, &s->out->out)
		    : watch_text_event(&s->text, e, frames, n, &s->out->out);
	if (r)
		s->on = false;
	if (outlet_left(s->out) > MUCH && outlet_flush(s->out))
		s->on = false; /* nobody reads, or the end will tell */
}

void run_stream_child(struct run_stream *s, struct follow_proc *p, const struct event *e)
{
	struct watch_seen own = s->text.seen;
	struct symbolizer *names = p && p->s.m ? p->s.names : NULL;
	struct watch_exec x = { .pid = e->tgid, .now_ns = e->exit_ns };

	if (!s->on)
		return;
	if (p)
		s->text.seen = p->seen;
	run_stream_event(s, names, e);
	if (p)
		p->seen = s->text.seen;
	s->text.seen = own;
	if (event_kind(e) != KIND_EXEC || !names)
		return;
	x.comm = p->s.id.comm;
	x.exe = p->s.id.exe;
	x.go_version = session_go_version(&p->s);
	x.no_gc = p->s.ngo ? p->s.gc.no_gc : "";
	if (s->json ? watch_json_exec(&own.clock, &x, &s->out->out)
		    : watch_text_exec(&s->text, &x, &s->out->out))
		s->on = false;
}
