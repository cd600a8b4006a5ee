/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session knows of its program's GC cycles; see gc.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/session_impl.h"

/* The runtime of s->gc; NULL: there is none, or its library is not mapped any more. */
static struct session_go *find_go(struct session *s)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].bin == s->gc.bin && s->go[i].bias == s->gc.bias)
			return &s->go[i];
	return NULL;
}

const struct go_runtime *session_gc_runtime(struct session *s)
{
	const struct session_go *g = find_go(s);

	return g && g->open ? &g->rt : NULL;
}

static void remember(struct session *s)
{
	if (s->gc.bin)
		go_cache_put(s->cache, s->m, s->gc.bin, &s->gc.known);
}

static void set_words(struct session *s, const struct session_go *g)
{
	gc_words_set(s, g);
	s->gc.ready = true;
}

/* The process's memory goes before the process does. */
static void warn_of(const struct session *s, const struct session_go *g)
{
	if (g->why.code && g->why.code != -ESRCH && !memsrc_alive(s->m))
		log_warn("GC events without figures: %s", g->why.text);
}

void session_gc_find(struct session *s)
{
	struct session_gc *gc = &s->gc;
	const struct session_go *g = s->go;
	uint64_t text = 0;

	*gc = (struct session_gc){ 0 };
	s->used = true;
	if (!s->ngo) {
		snprintf(gc->no_gc, sizeof(gc->no_gc), "the executable is not a Go program");
		return;
	}
	gc->bin = g->bin;
	gc->bias = g->bias;
	go_cache_get(s->cache, s->m, g->bin, &gc->known);
	if (g->open) {
		set_words(s, g);
		text = g->rt.g.text - g->bias;
	} else {
		warn_of(s, g);
	}
	gc_places_find(&gc->known, g->bin, text, &gc->at);
	if (!gc->at.offset)
		snprintf(gc->no_gc, sizeof(gc->no_gc),
			 "the function that ends a cycle is not found");
	remember(s);
}

void session_gc_probe(struct session *s, struct ev_gc *out)
{
	struct session_gc *gc = &s->gc;
	int fd = gc->at.offset ? bin_fd(gc->bin) : -1;

	*out = gc->at;
	out->fd = fd;
	if (!s->heap_growth)
		out->grow_offset = 0;
	if (fd >= 0 || !gc->at.offset)
		return;
	out->offset = out->start_offset = out->grow_offset = 0;
	snprintf(gc->no_gc, sizeof(gc->no_gc), "cannot reopen its file: %s", strerror(-fd));
}

/*
 * On amd64 the g pointer is a thread-local variable of the executable, runtime.tlsg, which Go's
 * linker puts 8 bytes below the thread pointer (cmd/link, tlsoffset); with C's own thread-locals
 * beside it, or in a library, its place is known by its symbol only, which is seldom there.
 */
void session_gopath(struct session *s, struct ev_gopath *out)
{
	const struct session_go *g = find_go(s);
	const struct go_layout *l;
	uint64_t memsz = 0, align = 0;

	*out = (struct ev_gopath){ 0 };
	if (!g || !g->open || g->lib || bin_arch(g->bin) != BIN_ARCH_AMD64)
		return;
	if (bin_tls(g->bin, &memsz, &align) && memsz > 8)
		return;
	l = g->rt.l;
	if (!go_has(l, GO_G_M) || !go_has(l, GO_M_CURG) || !go_has(l, GO_G_SCHED))
		return;
	*out = (struct ev_gopath){
		.on = true,
		.tls_g = -8,
		.g_m = go_off(l, GO_G_M),
		.m_curg = go_off(l, GO_M_CURG),
		.g_sched_pc = go_off(l, GO_G_SCHED) + go_off(l, GO_GOBUF_PC),
		.g_sched_bp = go_off(l, GO_G_SCHED) + go_off(l, GO_GOBUF_BP),
	};
}

/* ---- what comes to be known */

static int open_runtime(struct session *s, struct session_go *g)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	int r;

	memsrc_flush(s->m);
	r = maps_read(memsrc_texts(s->m), 0, &maps, NULL);
	return r ? r : session_open_go(s, g, &maps);
}

/* A runtime that was not up, unless a snapshot has found it. */
static bool find_late(struct session *s, struct session_go *g)
{
	enum { OPENS = 32, GAP_NS = 10000000 };
	struct session_gc *gc = &s->gc;

	if (!g->open && gc->opens < OPENS && mono_ns() >= gc->next_open_ns) {
		gc->next_open_ns = mono_ns() + ++gc->opens * GAP_NS;
		open_runtime(s, g);
	}
	if (g->open)
		set_words(s, g);
	return g->open;
}

/* Words that were not known, or not held against a cycle. True when they have changed. */
static bool settle(struct session *s, struct session_go *g)
{
	enum { TRIES = 8 };
	struct session_gc *gc = &s->gc;
	struct ev_gc before = gc->at;

	if (gc->settled || gc->tries++ >= TRIES)
		return false;
	if (!g->rt.g.gccontroller && go_has(g->rt.l, GO_GCC_LASTHEAPGOAL) && open_runtime(s, g))
		return false;
	memsrc_flush(s->m);
	gc_words_set(s, g);
	return memcmp(&before, &gc->at, sizeof(before));
}

static void tell(struct session *s, struct ev *ev)
{
	struct ev_gopath go;

	if (!ev)
		return;
	session_gopath(s, &go);
	ev_set_gopath(ev, memsrc_pid(s->m), &go);
	ev_set_words(ev, memsrc_pid(s->m), s->gc.at.words);
}

void session_gc_tick(struct session *s, struct ev *ev)
{
	struct session_go *g = find_go(s);

	if (!g)
		return;
	if (s->gc.ready ? settle(s, g) : find_late(s, g))
		tell(s, ev);
	remember(s);
}
