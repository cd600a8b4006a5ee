/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/maps.h"

static void find_gc(struct watch_target *t)
{
	uint64_t text = t->has_go ? t->rt.g.text - t->go.bias : 0;
	const struct lib *lib = t->go.lib;
	int pid = memsrc_pid(t->m);

	if (!t->go.bin) {
		snprintf(t->no_gc, sizeof(t->no_gc), "the executable is not a Go program");
		return;
	}
	if (lib)
		snprintf(t->gc.path, sizeof(t->gc.path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
			 pid, lib->start, lib->end);
	else
		snprintf(t->gc.path, sizeof(t->gc.path), "/proc/%d/exe", pid);
	watch_gc_places(&t->known, t->go.bin, text, &t->gc);
	if (!t->gc.offset)
		snprintf(t->no_gc, sizeof(t->no_gc), "the function that ends a cycle is not found");
}

/* The executable, and where Go is. */
static int open_files(struct watch_target *t, const struct maps *maps)
{
	_text_ struct text exe = { 0 };
	struct go_file f[GO_FILES_MAX];
	struct err e = { 0 };
	int r = 0;

	if (!memsrc_text(t->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(t->exe, sizeof(t->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	if (files_open_exe(t->m, maps, t->exe, &t->bin, &t->bias, &e))
		log_debug("the executable: %s", e.text);
	if (!t->bin || !bin_go(t->bin)->is_go)
		r = libs_add(&t->libs, t->m, maps, t->exe);
	if (!r && files_with_go(t->bin, t->bias, &t->libs, f)) {
		t->go = f[0];
		go_cache_get(t->cache, t->m, t->go.bin, &t->known);
	}
	return r;
}

static int open_runtime(struct watch_target *t, const struct maps *maps, struct err *e)
{
	struct go_runtime rt;
	int r = go_runtime_open(t->m, t->go.bin, t->go.bias, maps, &t->known, &rt, e);

	if (r)
		return r;
	t->rt = rt;
	t->has_go = true;
	if (!t->go.lib)
		symbolizer_set_go_text(t->names, t->rt.g.text - t->bias);
	watch_words_set(t);
	return 0;
}

static void remember(struct watch_target *t)
{
	if (t->go.bin)
		go_cache_put(t->cache, t->m, t->go.bin, &t->known);
}

int watch_target_begin(struct memsrc *m, struct go_cache *c, struct watch_target *t, struct err *e)
{
	int r;

	*t = (struct watch_target){ .m = m, .cache = c };
	r = proc_status_read(memsrc_texts(m), 0, &t->status, e);
	return r ? r : symbolizer_open(m, &t->names, e);
}

int watch_target_open(struct memsrc *m, struct go_cache *c, struct watch_target *t, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct err why = { 0 };
	int r;

	r = watch_target_begin(m, c, t, e);
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

void watch_target_close(struct watch_target *t)
{
	symbolizer_close(t->names);
	bin_close(t->bin);
	libs_free(&t->libs);
	t->names = NULL;
	t->bin = NULL;
	t->go.bin = NULL;
}

/*
 * On amd64 the g pointer is a thread-local variable of the executable, runtime.tlsg, which Go's
 * linker puts 8 bytes below the thread pointer (cmd/link, tlsoffset); with C's own thread-locals
 * beside it, or in a library, its place is known by its symbol only, which is seldom there.
 */
void watch_target_gopath(const struct watch_target *t, struct ev_gopath *out)
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
static bool learn(struct watch_target *t)
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
		watch_words_set(t);
	else if (!maps_read(memsrc_texts(t->m), 0, &maps, NULL))
		open_runtime(t, &maps, NULL);
	return memcmp(&before, &t->gc, sizeof(before));
}

static void tell(struct watch_target *t, struct ev *ev)
{
	struct ev_gopath go;

	watch_target_gopath(t, &go);
	ev_set_gopath(ev, memsrc_pid(t->m), &go);
	ev_set_words(ev, memsrc_pid(t->m), t->gc.words);
}

void watch_target_tick(struct watch_target *t, struct ev *ev)
{
	if (learn(t))
		tell(t, ev);
	remember(t);
}

void watch_target_turn(struct watch_target *t, struct ev *ev)
{
	if (t->names)
		symbolizer_tick(t->names);
	if (!t->has_go)
		watch_target_tick(t, ev);
}

int watch_target_exec(struct watch_target *t, struct memsrc *m, struct ev *ev)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct err e = { 0 };
	int r;

	watch_target_close(t);
	r = watch_target_begin(m, t->cache, t, NULL);
	if (!r)
		r = maps_read(memsrc_texts(m), 0, &maps, NULL);
	if (!r)
		r = open_files(t, &maps);
	if (r)
		return r;
	/* The probe first: its first cycles may come soon. The runtime is not up yet. */
	find_gc(t);
	remember(t);
	if (ev_groups(ev) & EV_GC && ev_set_gc(ev, memsrc_pid(m), &t->gc, &e))
		snprintf(t->no_gc, sizeof(t->no_gc), "%.255s", e.text);
	return 0;
}
