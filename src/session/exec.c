/* SPDX-License-Identifier: BSD-2-Clause */
/* A session of a process that is watched: from its fork on, and through execs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "session/session_impl.h"

int session_names(struct session *s, struct err *e)
{
	int r;

	if (s->names)
		return 0;
	r = symbolizer_open(s->m, s->shelf, &s->names, e);
	if (!r && s->ngo && s->go[0].open)
		session_name_go(s, &s->go[0]);
	return r;
}

static void close_names(struct session *s)
{
	symbolizer_close(s->names);
	s->names = NULL;
}

int session_open_book(struct session *s, struct err *e)
{
	int r = session_names(s, e);

	if (r)
		return r;
	s->book = calloc(1, sizeof(*s->book));
	if (!s->book)
		return err_set(e, -ENOMEM, "out of memory");
	r = mapbook_open(s->m, s->names, NULL, s->book, e);
	if (r)
		session_close_book(s);
	return r;
}

void session_close_book(struct session *s)
{
	if (s->book)
		mapbook_close(s->book);
	free(s->book);
	s->book = NULL;
}

int session_open_forked(struct session *s, pid_t pid)
{
	int r = memsrc_open_live(pid, &s->own, NULL);

	s->m = s->own;
	if (!r)
		r = session_read_name(s, NULL);
	if (!r)
		r = session_names(s, NULL);
	if (r)
		session_close(s);
	return r;
}

void session_open_new(struct session *s, pid_t pid, int fd)
{
	if (memsrc_open_live(pid, &s->own, NULL))
		s->own = NULL;
	s->m = s->own;
	/* without memory for them nothing is named */
	(void)symbolizer_open_new(s->m, s->shelf, fd, &s->names);
}

/* ---- execs */

/* What has ended since is of an address space of which nothing is known. */
static void forget(struct session *s)
{
	session_drop_program(s);
	if (s->names)
		symbolizer_reset(s->names);
}

static int find_program(struct session *s)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	int r = session_read_name(s, NULL);

	if (!r)
		r = session_names(s, NULL);
	if (!r)
		r = maps_read(memsrc_texts(s->m), 0, &maps, NULL);
	return r ? r : session_find_program(s, &maps);
}

static void set_probe(struct session *s, struct ev *ev)
{
	struct err e = { 0 };
	struct ev_gc gc;

	session_gc_find(s);
	session_gc_probe(s, &gc);
	if (ev && ev_groups(ev) & EV_GC && ev_set_gc(ev, memsrc_pid(s->m), &gc, &e))
		snprintf(s->gc.no_gc, sizeof(s->gc.no_gc), "%.255s", e.text);
}

int session_take(struct session *s, struct memsrc *m, struct ev *ev)
{
	struct memsrc *old = s->own;
	int r;

	close_names(s);
	session_drop_program(s);
	s->m = s->own = m;
	memsrc_close(old);
	r = find_program(s);
	if (r) {
		close_names(s);
		session_drop_program(s);
	} else {
		set_probe(s, ev);
	}
	if (s->book)
		mapbook_bind(s->book, s->m, s->names);
	return r;
}

int session_exec(struct session *s, pid_t pid, struct ev *ev)
{
	struct memsrc *m = NULL;
	int r = memsrc_open_live(pid, &m, NULL);

	if (!r)
		return session_take(s, m, ev);
	forget(s);
	return r;
}

void session_turn(struct session *s, struct ev *ev)
{
	if (s->names)
		symbolizer_tick(s->names);
	if (!s->gc.ready)
		session_gc_tick(s, ev);
}
