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

/* From the code of runtime.systemstack, which begins with reading it: `mov %fs:disp32, %reg`
 * (runtime/asm_amd64.s, get_tls and g). In a PIE the place is not in the instruction. */
static bool tls_of_code(const struct session_go *g, uint64_t memsz, uint64_t align, int64_t *out)
{
	enum { LOOK = 96, INSN = 9 };
	uint64_t text = g->rt.g.text - g->bias;
	uint8_t code[LOOK];
	struct bin_func f;

	if (align > 4096 || bin_go_lookup(g->bin, text, "runtime.systemstack", &f) ||
	    bin_read(g->bin, f.entry, code, sizeof(code)))
		return false;
	for (size_t i = 0; i + INSN <= LOOK; i++) {
		const uint8_t *c = code + i;
		int32_t at;

		if (c[0] != 0x64 || (c[1] != 0x48 && c[1] != 0x4c) || c[2] != 0x8b ||
		    (c[3] & 0xc7) != 0x04 || c[4] != 0x25)
			continue;
		memcpy(&at, c + 5, sizeof(at));
		*out = at;
		return at < 0 && -(int64_t)at <= (int64_t)(memsz + align) && !(at & 7);
	}
	return false;
}

/*
 * On amd64 the g pointer is a thread-local variable of the executable, runtime.tlsg, which Go's
 * linker puts 8 bytes below the thread pointer (cmd/link, tlsoffset); with C's own thread-locals
 * beside it its place is told by code alone; in a library by its symbol, which is seldom there.
 */
static bool find_tls(const struct session_go *g, int64_t *out)
{
	enum { MOST = 1 << 24 };
	uint64_t memsz = 0, align = 0;

	*out = -8;
	if (!bin_tls(g->bin, &memsz, &align) || memsz <= 8)
		return true;
	return memsz < MOST && tls_of_code(g, memsz, align, out);
}

void session_go_path(const struct session_go *g, struct ev_gopath *out)
{
	const struct go_layout *l;
	int64_t tls;

	*out = (struct ev_gopath){ 0 };
	if (!g || !g->open || g->lib || bin_arch(g->bin) != BIN_ARCH_AMD64 || !find_tls(g, &tls))
		return;
	l = g->rt.l;
	if (!go_has(l, GO_G_M) || !go_has(l, GO_M_CURG) || !go_has(l, GO_G_SCHED))
		return;
	*out = (struct ev_gopath){
		.on = true,
		.tls_g = tls,
		.g_m = go_off(l, GO_G_M),
		.m_curg = go_off(l, GO_M_CURG),
		.g_sched_pc = go_off(l, GO_G_SCHED) + go_off(l, GO_GOBUF_PC),
		.g_sched_bp = go_off(l, GO_G_SCHED) + go_off(l, GO_GOBUF_BP),
	};
}

void session_gopath(struct session *s, struct ev_gopath *out)
{
	session_go_path(find_go(s), out);
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
