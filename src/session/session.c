/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/status.h"
#include "session/packed.h"

enum { GO_TRIES = 32 }; /* snapshots that look again for a runtime, or for what it lacks */

/* ---- identity */

static void first_line(char *dst, size_t n, const char *text, unsigned int line)
{
	while (line-- && text) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (text)
		snprintf(dst, n, "%.*s", (int)strcspn(text, "\n"), text);
}

static void read_host(struct session *s)
{
	struct session_identity *id = &s->id;
	_text_ struct text boot = { 0 }, uname = { 0 };

	if (!memsrc_text(s->m, "host/boot_id", 0, &boot))
		first_line(id->boot_id, sizeof(id->boot_id), boot.p, 0);
	if (!memsrc_text(s->m, "host/uname", 0, &uname)) {
		first_line(id->kernel, sizeof(id->kernel), uname.p, 0);
		first_line(id->arch, sizeof(id->arch), uname.p, 1);
	}
}

/* NUL-separated arguments as one line. */
static char *join_args(const struct text *t)
{
	size_t n = t->n;
	char *s = n ? malloc(n + 1) : NULL;

	if (!s)
		return NULL;
	memcpy(s, t->p, n);
	while (n && (!s[n - 1] || s[n - 1] == '\n'))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ')
			s[i] = ' ';
	s[n] = 0;
	return s;
}

/* Start time on the wall clock: boot time plus ticks. The boot time moves with the clock's
 * adjustments, so it is noted once, rounded to the ticks' grain. */
static uint64_t start_time(struct memsrc *m, uint64_t ticks)
{
	uint64_t hz = sysconf(_SC_CLK_TCK), boot = 0;

	if (memsrc_kind(m) == MEMSRC_LIVE) {
		boot = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
		boot -= boot % 10000000;
	}
	if (memsrc_note(m, "boot_time_unix_ns", &boot) || !boot || !hz)
		return 0;
	return boot + ticks * (1000000000ULL / hz);
}

static int read_identity(struct session *s, struct err *e)
{
	struct session_identity *id = &s->id;
	_text_ struct text exe = { 0 }, args = { 0 };
	struct proc_status st;
	struct proc_stat stat;
	int r;

	read_host(s);
	r = proc_status_read(memsrc_texts(s->m), 0, &st, e);
	if (r)
		return r;
	id->pid = memsrc_pid(s->m);
	id->ns_pid = st.ns_pid;
	snprintf(id->comm, sizeof(id->comm), "%s", st.comm);
	if (!proc_stat_read(memsrc_texts(s->m), 0, &stat, NULL)) {
		id->start_ticks = stat.start_time;
		id->start_time_unix_ns = start_time(s->m, stat.start_time);
	}
	if (!memsrc_text(s->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(id->exe, sizeof(id->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	if (!memsrc_text(s->m, "proc/cmdline", 0, &args))
		id->cmdline = join_args(&args);
	return 0;
}

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
static bool has_race(struct session *s, const struct maps *maps, struct go_facts *known,
		     struct bin *b)
{
	struct bin_func f;
	uint64_t race = 0;
	bool shadow = false;

	for (size_t i = 0; i < maps->vma.n && !shadow; i++)
		shadow = vma_is_anon(&maps->vma.v[i]) && session_is_race_shadow(&maps->vma.v[i]);
	if (!shadow)
		return false;
	if (memsrc_kind(s->m) != MEMSRC_CAPTURE)
		race = !go_facts_func(known, b, 0, GO_FUNC_RACE, &f);
	return !memsrc_note(s->m, "race", &race) && race;
}

const struct session_go *session_main_go(const struct session *s)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].open)
			return &s->go[i];
	return NULL;
}

/* Two files may lead to one runtime: where the variables are dynamic symbols. */
static bool is_there(const struct session *s, const struct session_go *g)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (&s->go[i] != g && s->go[i].open && s->go[i].rt.g.mheap == g->rt.g.mheap)
			return true;
	return false;
}

static int open_go(struct session *s, struct session_go *g, const struct maps *maps, bool first)
{
	struct go_runtime rt;
	struct go_facts known;
	struct err e = { 0 };
	int r;

	g->tries++;
	go_cache_get(s->cache, s->m, g->bin, &known);
	if (first) {
		s->cgo = has_cgo(s, &known, g->bin);
		s->race = has_race(s, maps, &known, g->bin);
	}
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
	} else if (!g->open) {
		g->why = e;
	}
	return 0;
}

static bool is_known(const struct session *s, const struct go_file *f)
{
	for (size_t i = 0; i < s->ngo; i++)
		if (s->go[i].bin == f->bin && s->go[i].bias == f->bias)
			return true;
	return false;
}

/* Files with a runtime that are not known yet. What is shared is part of one that is open. */
static int find_go(struct session *s, const struct maps *maps)
{
	struct go_file f[GO_FILES_MAX];
	size_t n = files_with_go(s->bin, s->bias, &s->libs, f);
	int r = 0;

	for (size_t i = 0; i < n && !r && s->ngo < GO_FILES_MAX; i++) {
		struct session_go *g = &s->go[s->ngo];

		if (is_known(s, &f[i]) || (bin_go(f[i].bin)->shared && session_main_go(s)))
			continue;
		*g = (struct session_go){ .bin = f[i].bin,
					  .bias = f[i].bias,
					  .lib = f[i].lib ? f[i].lib->name : NULL };
		s->ngo++;
		r = open_go(s, g, maps, s->ngo == 1);
	}
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

	return r || s->libs.v.n == before ? r : find_go(s, maps);
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
		if (!r)
			r = open_go(s, g, &maps, !i);
	}
	return r;
}

int session_begin(struct session *s)
{
	int r = 0;

	if (s->snapshots++ && memsrc_kind(s->m) == MEMSRC_LIVE) {
		memsrc_renew(s->m);
		r = find_late(s);
		for (size_t i = 0; i < s->ngo && !r; i++)
			if (s->go[i].open)
				r = go_runtime_renew(&s->go[i].rt);
	}
	return r;
}

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

static int open_files(struct session *s, struct err *e)
{
	int r = maps_read(memsrc_texts(s->m), 0, &s->maps, e);

	if (r)
		return r;
	if (files_open_exe(s->m, s->shelf, &s->maps, s->id.exe, &s->bin, &s->bias, &s->no_bin))
		s->bin = NULL;
	r = libs_add(&s->libs, s->m, &s->maps, s->id.exe);
	if (!r)
		r = find_go(s, &s->maps);
	if (!r && !s->ngo)
		s->packed = packed_program(s->m, &s->maps);
	return r;
}

int session_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct session *s,
		 struct err *e)
{
	uint64_t wall = mono_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	*s = (struct session){ .m = m, .cache = c, .shelf = shelf, .libs.shelf = shelf };
	r = read_identity(s, e);
	if (!r)
		r = open_files(s, e);
	s->wall_ns = mono_ns() - wall;
	s->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (r && e && !e->text[0])
		err_set(e, r, "process %d: %s", memsrc_pid(m), strerror(-r));
	return r;
}

void session_close(struct session *s)
{
	for (size_t i = 0; i < s->ngo; i++)
		go_regions_kept_free(&s->go[i].kept);
	shelf_put(s->shelf, s->bin, s->m);
	libs_free(&s->libs);
	maps_free(&s->maps);
	vec_free(&s->tmpfs);
	free(s->id.cmdline);
	*s = (struct session){ 0 };
}
