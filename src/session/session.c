/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/session_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "session/packed.h"

enum { GO_TRIES = 32 }; /* snapshots that look again for a runtime, or for what it lacks */

/* ---- Go */

/* Whether C is linked in: runtime/cgo's way into Go is there. The build setting CGO_ENABLED only
 * says that it might have been. Function names are too many to keep, so a capture notes this. */
static bool has_cgo(struct session *s, struct go_facts *known, struct bin *b)
{
	struct bin_func f;
	uint64_t cgo = 0;

	if (memsrc_kind(s->m) != MEMSRC_CAPTURE)
		cgo = !go_facts_func(known, b, 0, GO_FUNC_CGO, &f);
	return memsrc_note(s->m, "cgo", &cgo) ? bin_go(b)->cgo : cgo;
}

/* compiler-rt's tsan_platform.h, for Go: shadow and meta shadow; up to LLVM 14 traces, too. */
bool session_is_race_shadow(const struct vma *v)
{
	return (v->start >= 0x200000000000 && v->end <= 0x340000000000) ||
	       (v->start >= 0x600000000000 && v->end <= 0x620000000000);
}

/* A Go function that no other build has. Looked for only where there is something to explain. */
static bool has_race(struct session *s, const struct maps *maps)
{
	struct bin *b = s->go[0].bin;
	struct go_facts known;
	struct bin_func f;
	uint64_t race = 0;
	bool shadow = false;

	for (size_t i = 0; i < maps->vma.n && !shadow; i++)
		shadow = vma_is_anon(&maps->vma.v[i]) && session_is_race_shadow(&maps->vma.v[i]);
	if (!shadow)
		return false;
	if (memsrc_kind(s->m) != MEMSRC_CAPTURE) {
		go_cache_get(s->cache, s->m, b, &known);
		race = !go_facts_func(&known, b, 0, GO_FUNC_RACE, &f);
		go_cache_put(s->cache, s->m, b, &known);
	}
	return !memsrc_note(s->m, "race", &race) && race;
}

/* The runtime maps its shadow before its heap: when it is there, this holds. */
static void find_race(struct session *s, const struct maps *maps)
{
	if (s->race_known || !s->ngo)
		return;
	s->race = has_race(s, maps);
	s->race_known = session_main_go(s);
}

const struct session_go *session_main_go(const struct session *s)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].open)
			return &s->go[i];
	return NULL;
}

const char *session_go_version(const struct session *s)
{
	return s->ngo ? bin_go(s->go[0].bin)->version : "";
}

/* Two files may lead to one runtime: where the variables are dynamic symbols. */
static bool is_there(const struct session *s, const struct session_go *g)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (&s->go[i] != g && s->go[i].open && s->go[i].rt.g.mheap == g->rt.g.mheap)
			return true;
	return false;
}

/* Names of Go's functions in the executable are by where its code lies. */
void session_name_go(struct session *s, const struct session_go *g)
{
	if (s->names && !g->lib)
		symbolizer_set_go_text(s->names, g->rt.g.text - g->bias);
}

int session_open_go(struct session *s, struct session_go *g, const struct maps *maps)
{
	struct go_runtime rt;
	struct go_facts known;
	struct err e = { 0 };
	int r;

	go_cache_get(s->cache, s->m, g->bin, &known);
	if (g == s->go)
		s->cgo = has_cgo(s, &known, g->bin);
	r = go_runtime_open(s->m, g->bin, g->bias, maps, &known, &rt, &e);
	go_cache_put(s->cache, s->m, g->bin, &known);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (!r) {
		g->rt = rt;
		go_regions_kept_free(&g->kept);
		g->open = !is_there(s, g);
		g->tries = g->open ? g->tries : GO_TRIES;
		g->why = (struct err){ 0 };
		if (g->open)
			session_name_go(s, g);
	} else if (!g->open) {
		g->why = e;
	}
	return 0;
}

static struct session_go *known_go(struct session *s, const struct go_file *f)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].bin == f->bin && s->go[i].bias == f->bias)
			return &s->go[i];
	return NULL;
}

static struct session_go *add_go(struct session *s, const struct go_file *f)
{
	struct session_go *g = &s->go[s->ngo++];

	*g = (struct session_go){ .bin = f->bin,
				  .bias = f->bias,
				  .lib = f->lib ? f->lib->name : NULL };
	return g;
}

/* Files with a runtime that were not looked at yet. What is shared is part of one that is open. */
static int find_go(struct session *s, const struct maps *maps)
{
	struct go_file f[GO_FILES_MAX];
	size_t n = files_with_go(s->bin, s->bias, &s->libs, f);
	int r = 0;

	for (size_t i = 0; i < n && !r && s->ngo < GO_FILES_MAX; i++) {
		struct session_go *g = known_go(s, &f[i]);

		if (g ? g->open || g->tries : bin_go(f[i].bin)->shared && session_main_go(s))
			continue;
		if (!g)
			g = add_go(s, &f[i]);
		g->tries++;
		r = session_open_go(s, g, maps);
	}
	return r;
}

/* ---- files */

static void open_exe(struct session *s, const struct maps *maps)
{
	if (!s->bin &&
	    files_open_exe(s->m, s->shelf, maps, s->id.exe, &s->bin, &s->bias, &s->no_bin))
		s->bin = NULL;
}

int session_find_program(struct session *s, const struct maps *maps)
{
	struct go_file f[GO_FILES_MAX];
	int r = 0;

	session_read_exe(s);
	open_exe(s, maps);
	if (!s->bin || !bin_go(s->bin)->is_go)
		r = libs_add(&s->libs, s->m, maps, s->id.exe);
	if (!r && files_with_go(s->bin, s->bias, &s->libs, f))
		add_go(s, &f[0]);
	return r;
}

/* All that a snapshot needs; some of it may be known. */
static int find_all(struct session *s, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	int r = session_read_identity(s, e);

	if (!r)
		r = maps_read(memsrc_texts(s->m), 0, &maps, e);
	if (r)
		return r;
	open_exe(s, &maps);
	r = libs_add(&s->libs, s->m, &maps, s->id.exe);
	if (!r)
		r = find_go(s, &maps);
	if (!r && !s->ngo)
		s->packed = packed_program(s->m, &maps);
	s->complete = !r;
	return r;
}

/* ---- from snapshot to snapshot */

static bool is_mapped(const struct lib *l, const struct maps *maps)
{
	const struct vma *v = maps_find(maps, l->start);

	return v && v->start == l->start && !strcmp(v->name, l->name);
}

static void forget_go(struct session *s, const struct lib *l)
{
	size_t n = 0;

	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].bin != l->bin || s->go[i].bias != l->bias)
			s->go[n++] = s->go[i];
		else
			go_regions_kept_free(&s->go[i].kept);
	s->ngo = n;
	if (s->gc.bin == l->bin && s->gc.bias == l->bias)
		s->gc = (struct session_gc){ 0 };
}

void session_end(struct session *s, const struct maps *maps)
{
	size_t n = 0;

	for (size_t i = 0; i < s->libs.v.n && maps->vma.n; i++) {
		struct lib *l = &s->libs.v.v[i];

		if (is_mapped(l, maps)) {
			s->libs.v.v[n++] = *l;
			continue;
		}
		if (l->bin)
			forget_go(s, l);
		shelf_put(s->libs.shelf, l->bin, s->m);
		free(l->name);
		free(l->why);
	}
	if (maps->vma.n)
		s->libs.v.n = n;
	memsrc_shrink(s->m);
}

int session_set_maps(struct session *s, const struct maps *maps)
{
	size_t before = s->libs.v.n;
	int r = libs_add(&s->libs, s->m, maps, s->id.exe);

	if (!r && s->libs.v.n != before)
		r = find_go(s, maps);
	if (!r)
		find_race(s, maps);
	return r;
}

/* A runtime that was not up, or variables that could not be recognised yet. */
static int find_late(struct session *s)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	int r = 0;

	for (size_t i = 0; i < s->ngo && !r; i++) {
		struct session_go *g = &s->go[i];

		if ((g->open && !g->rt.missing[0]) || g->tries >= GO_TRIES)
			continue;
		if (!maps.vma.n)
			r = maps_read(memsrc_texts(s->m), 0, &maps, NULL);
		g->tries++;
		if (!r)
			r = session_open_go(s, g, &maps);
	}
	return r;
}

int session_begin(struct session *s)
{
	bool anew = s->snapshots++ || s->used || !s->complete;
	int r;

	if (!anew || memsrc_kind(s->m) != MEMSRC_LIVE)
		return 0;
	memsrc_renew(s->m);
	r = s->complete ? find_late(s) : find_all(s, NULL);
	for (size_t i = 0; i < s->ngo && !r; i++)
		if (s->go[i].open)
			r = go_runtime_renew(&s->go[i].rt);
	return r;
}

/* ---- what a capture holds of names */

typedef int file_fn(struct session *s, struct bin *b, const char *path);

static int each_go_file(struct session *s, file_fn *fn)
{
	int r = s->bin && bin_go(s->bin)->is_go ? fn(s, s->bin, "exe") : 0;

	for (size_t i = 0; i < s->libs.v.n && !r; i++) {
		const struct lib *l = &s->libs.v.v[i];

		if (l->bin && bin_go(l->bin)->is_go)
			r = fn(s, l->bin, l->name);
	}
	return r;
}

static int record_file(struct session *s, struct bin *b, const char *path)
{
	return bin_record(b);
}

static int keep_file(struct session *s, struct bin *b, const char *path)
{
	return files_keep_scraps(s->m, b, path);
}

int session_record_names(struct session *s)
{
	return each_go_file(s, record_file);
}

int session_keep_names(struct session *s)
{
	return each_go_file(s, keep_file);
}

/* ---- mounts */

int session_find_tmpfs(struct session *s)
{
	_text_ struct text t = { 0 };
	char *save = NULL;

	if (s->tmpfs_known)
		return 0;
	s->tmpfs_known = true;
	/* /proc/PID/mountinfo, "… MAJ:MIN … - tmpfs …" */
	if (memsrc_text(s->m, "proc/mountinfo", 0, &t) || !t.p)
		return 0;
	for (char *l = strtok_r(t.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *type = strstr(l, " - ");
		unsigned int major, minor;

		if (!type || strncmp(type, " - tmpfs ", 9) ||
		    sscanf(l, "%*u %*u %u:%u", &major, &minor) != 2)
			continue;
		if (vec_push(&s->tmpfs, (uint64_t)major << 32 | minor))
			return -ENOMEM;
	}
	return 0;
}

/* ---- life */

void session_init(struct session *s, struct shelf *shelf, struct go_cache *c)
{
	*s = (struct session){ .cache = c, .shelf = shelf, .libs.shelf = shelf };
}

/* s->m is there. */
static int open_all(struct session *s, struct err *e)
{
	uint64_t wall = mono_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r = find_all(s, e);

	s->wall_ns = mono_ns() - wall;
	s->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (r && e && !e->text[0])
		err_set(e, r, "process %d: %s", memsrc_pid(s->m), strerror(-r));
	return r;
}

int session_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct session *s,
		 struct err *e)
{
	session_init(s, shelf, c);
	s->m = m;
	return open_all(s, e);
}

int session_open_pid(struct session *s, pid_t pid, struct err *e)
{
	int r = memsrc_open_live(pid, &s->own, e);

	if (r)
		return r;
	s->m = s->own;
	return open_all(s, e);
}

void session_drop_program(struct session *s)
{
	for (size_t i = 0; i < s->ngo; i++)
		go_regions_kept_free(&s->go[i].kept);
	shelf_put(s->shelf, s->bin, s->m);
	libs_free(&s->libs);
	vec_free(&s->tmpfs);
	free(s->id.cmdline);
	*s = (struct session){ .m = s->m,
			       .own = s->own,
			       .cache = s->cache,
			       .shelf = s->shelf,
			       .libs.shelf = s->shelf,
			       .names = s->names,
			       .book = s->book };
}

void session_close(struct session *s)
{
	session_close_book(s);
	symbolizer_close(s->names);
	session_drop_program(s);
	memsrc_close(s->own);
	session_init(s, s->shelf, s->cache);
}
