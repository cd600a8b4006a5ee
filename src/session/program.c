/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/program.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/maps.h"

static void find_gc(struct program *t)
{
	uint64_t text = t->has_go ? t->rt.g.text - t->go.bias : 0;

	if (!t->go.bin) {
		snprintf(t->no_gc, sizeof(t->no_gc), "the executable is not a Go program");
		return;
	}
	gc_places_find(&t->known, t->go.bin, text, &t->gc);
	if (!t->gc.offset)
		snprintf(t->no_gc, sizeof(t->no_gc), "the function that ends a cycle is not found");
}

/* The executable, and where Go is. */
static int open_files(struct program *t, const struct maps *maps)
{
	_text_ struct text exe = { 0 };
	struct go_file f[GO_FILES_MAX];
	struct err e = { 0 };
	int r = 0;

	if (!memsrc_text(t->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(t->exe, sizeof(t->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	if (files_open_exe(t->m, t->shelf, maps, t->exe, &t->bin, &t->bias, &e))
		log_debug("the executable: %s", e.text);
	if (!t->bin || !bin_go(t->bin)->is_go)
		r = libs_add(&t->libs, t->m, maps, t->exe);
	if (!r && files_with_go(t->bin, t->bias, &t->libs, f)) {
		t->go = f[0];
		go_cache_get(t->cache, t->m, t->go.bin, &t->known);
	}
	return r;
}

static int open_runtime(struct program *t, const struct maps *maps, struct err *e)
{
	struct go_runtime rt;
	int r = go_runtime_open(t->m, t->go.bin, t->go.bias, maps, &t->known, &rt, e);

	if (r)
		return r;
	t->rt = rt;
	t->has_go = true;
	if (!t->go.lib)
		symbolizer_set_go_text(t->names, t->rt.g.text - t->bias);
	gc_words_set(t);
	return 0;
}

static void remember(struct program *t)
{
	if (t->go.bin)
		go_cache_put(t->cache, t->m, t->go.bin, &t->known);
}

int program_begin(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct program *t,
		  struct err *e)
{
	int r;

	*t = (struct program){ .m = m, .shelf = shelf, .cache = c, .libs.shelf = shelf };
	r = proc_status_read(memsrc_texts(m), 0, &t->status, e);
	return r ? r : symbolizer_open(m, shelf, &t->names, e);
}

int program_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct program *t,
		 struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct err why = { 0 };
	int r;

	r = program_begin(m, shelf, c, t, e);
	if (!r)
		r = maps_read(memsrc_texts(m), 0, &maps, e);
	if (!r)
		r = open_files(t, &maps);
	if (r)
		return r;
	/* Its memory goes before the process does. */
	if (t->go.bin && open_runtime(t, &maps, &why) && why.code != -ESRCH && !memsrc_alive(m))
		log_warn("GC events without figures: %s", why.text);
	find_gc(t);
	remember(t);
	return 0;
}

void program_close(struct program *t)
{
	symbolizer_close(t->names);
	shelf_put(t->shelf, t->bin, t->m);
	libs_free(&t->libs);
	*t = (struct program){ .m = t->m, .shelf = t->shelf, .cache = t->cache };
}

void program_forget(struct program *t)
{
	struct symbolizer *names = t->names;

	t->names = NULL;
	program_close(t);
	t->names = names;
	if (names)
		symbolizer_reset(names);
}

void program_gc(struct program *t, struct ev_gc *out)
{
	int fd = t->gc.offset ? bin_fd(t->go.bin) : -1;

	*out = t->gc;
	out->fd = fd;
	if (fd >= 0 || !t->gc.offset)
		return;
	out->offset = out->start_offset = 0;
	snprintf(t->no_gc, sizeof(t->no_gc), "cannot reopen its file: %s", strerror(-fd));
}

/*
 * On amd64 the g pointer is a thread-local variable of the executable, runtime.tlsg, which Go's
 * linker puts 8 bytes below the thread pointer (cmd/link, tlsoffset); with C's own thread-locals
 * beside it, or in a library, its place is known by its symbol only, which is seldom there.
 */
void program_gopath(const struct program *t, struct ev_gopath *out)
{
	const struct go_layout *l = t->rt.l;
	uint64_t memsz = 0, align = 0;

	*out = (struct ev_gopath){ 0 };
	if (!t->has_go || t->go.lib || bin_arch(t->bin) != BIN_ARCH_AMD64)
		return;
	if (bin_tls(t->bin, &memsz, &align) && memsz > 8)
		return;
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

/* True when words have changed. */
static bool learn(struct program *t)
{
	enum { TRIES = 8, OPENS = 32, OPEN_GAP_NS = 10000000 };
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct ev_gc before = t->gc;

	if (!t->has_go && t->go.bin && t->opens < OPENS && mono_ns() >= t->next_open_ns) {
		t->next_open_ns = mono_ns() + ++t->opens * OPEN_GAP_NS;
		memsrc_flush(t->m);
		return !maps_read(memsrc_texts(t->m), 0, &maps, NULL) &&
		       !open_runtime(t, &maps, NULL);
	}
	if (!t->has_go || t->settled || t->tries++ >= TRIES)
		return false;
	memsrc_flush(t->m);
	if (t->rt.g.gccontroller || !go_has(t->rt.l, GO_GCC_LASTHEAPGOAL))
		gc_words_set(t);
	else if (!maps_read(memsrc_texts(t->m), 0, &maps, NULL))
		open_runtime(t, &maps, NULL);
	return memcmp(&before, &t->gc, sizeof(before));
}

static void tell(struct program *t, struct ev *ev)
{
	struct ev_gopath go;

	program_gopath(t, &go);
	ev_set_gopath(ev, memsrc_pid(t->m), &go);
	ev_set_words(ev, memsrc_pid(t->m), t->gc.words);
}

void program_tick(struct program *t, struct ev *ev)
{
	if (learn(t))
		tell(t, ev);
	remember(t);
}

void program_turn(struct program *t, struct ev *ev)
{
	if (t->names)
		symbolizer_tick(t->names);
	if (!t->has_go)
		program_tick(t, ev);
}

int program_exec(struct program *t, struct memsrc *m, struct ev *ev)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct err e = { 0 };
	struct ev_gc gc;
	int r;

	program_close(t);
	r = program_begin(m, t->shelf, t->cache, t, NULL);
	if (!r)
		r = maps_read(memsrc_texts(m), 0, &maps, NULL);
	if (!r)
		r = open_files(t, &maps);
	if (r) {
		program_close(t);
		return r;
	}
	/* The probe first: its first cycles may come soon. The runtime is not up yet. */
	find_gc(t);
	remember(t);
	program_gc(t, &gc);
	if (ev_groups(ev) & EV_GC && ev_set_gc(ev, memsrc_pid(m), &gc, &e))
		snprintf(t->no_gc, sizeof(t->no_gc), "%.255s", e.text);
	return 0;
}

int program_reopen(struct program *t, pid_t pid, struct memsrc **own, struct ev *ev)
{
	struct memsrc *m = NULL, *old = *own;
	int r = memsrc_open_live(pid, &m, NULL);

	if (r) {
		program_forget(t);
		return r;
	}
	r = program_exec(t, m, ev);
	*own = m;
	memsrc_close(old);
	return r;
}
