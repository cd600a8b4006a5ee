/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the target is: identity, host, executable. */
#include "collect/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/packed.h"

static void first_line(char *dst, size_t n, const char *text, unsigned int line)
{
	while (line-- && text) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (text)
		snprintf(dst, n, "%.*s", (int)strcspn(text, "\n"), text);
}

static void read_host(struct look *k)
{
	struct report *r = k->r;
	_text_ struct text boot = { 0 }, uname = { 0 };

	r->host.page_size = memsrc_page_size(k->m);
	if (!memsrc_text(k->m, "host/boot_id", 0, &boot))
		first_line(r->host.boot_id, sizeof(r->host.boot_id), boot.p, 0);
	if (!memsrc_text(k->m, "host/uname", 0, &uname)) {
		first_line(r->host.kernel, sizeof(r->host.kernel), uname.p, 0);
		first_line(r->host.arch, sizeof(r->host.arch), uname.p, 1);
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
static uint64_t start_time(struct look *k, uint64_t ticks)
{
	uint64_t hz = sysconf(_SC_CLK_TCK), boot = 0;

	if (memsrc_kind(k->m) == MEMSRC_LIVE) {
		boot = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
		boot -= boot % 10000000;
	}
	if (memsrc_note(k->m, "boot_time_unix_ns", &boot) || !boot || !hz)
		return 0;
	return boot + ticks * (1000000000ULL / hz);
}

static int open_exe(struct look *k)
{
	struct report_target *t = &k->r->target;
	struct err e = { 0 };
	int r = files_open_exe(k->m, NULL, &k->maps, k->exe, &k->bin, &k->bias, &e);

	if (!r) {
		t->has_binary = true;
		t->stripped = bin_is_stripped(k->bin);
		t->pie = bin_is_pie(k->bin);
		snprintf(t->build_id, sizeof(t->build_id), "%s", bin_build_id(k->bin));
		return 0;
	}
	k->r->partial = true;
	if (report_missing(k->r, "go", "",
			   "without the executable a Go runtime can't be looked for"))
		return -ENOMEM;
	return report_missing(k->r, "target.binary",
			      "an ELF file for 64-bit amd64 or arm64 that can be opened",
			      "the executable: %s", e.text);
}

int look_target(struct look *k, struct err *e)
{
	struct report_target *t = &k->r->target;
	_text_ struct text exe = { 0 }, args = { 0 };
	struct proc_status st;
	struct proc_stat stat;
	int r;

	read_host(k);
	r = proc_status_read(memsrc_texts(k->m), 0, &st, e);
	if (r)
		return r;
	t->pid = memsrc_pid(k->m);
	t->ns_pid = st.ns_pid;
	snprintf(t->comm, sizeof(t->comm), "%s", st.comm);
	if (!proc_stat_read(memsrc_texts(k->m), 0, &stat, NULL)) {
		t->start_ticks = stat.start_time;
		t->start_time_unix_ns = start_time(k, stat.start_time);
	}
	if (!memsrc_text(k->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(k->exe, sizeof(k->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	t->exe = k->exe[0] ? strdup(k->exe) : NULL;
	if (!memsrc_text(k->m, "proc/cmdline", 0, &args))
		t->cmdline = join_args(&args);
	r = maps_read(memsrc_texts(k->m), 0, &k->maps, e);
	if (r)
		return r;
	r = open_exe(k);
	return r ? r : libs_add(&k->libs, k->m, &k->maps, k->exe);
}

/* ---- Go */

/* Whether C is linked in: runtime/cgo's way into Go is there. The build setting CGO_ENABLED only
 * says that it might have been. Function names are too many to keep, so a capture notes this. */
static bool has_cgo(struct look *k, struct go_facts *known, struct bin *b)
{
	struct bin_func f;
	uint64_t cgo = 0;

	if (memsrc_kind(k->m) != MEMSRC_CAPTURE)
		cgo = !go_facts_func(known, b, 0, GO_FUNC_CGO, &f);
	return memsrc_note(k->m, "cgo", &cgo) ? bin_go(b)->cgo : cgo;
}

/* compiler-rt's tsan_platform.h, for Go: shadow and meta shadow; up to LLVM 14 traces, too. */
bool look_is_race_shadow(const struct vma *v)
{
	return (v->start >= 0x200000000000 && v->end <= 0x340000000000) ||
	       (v->start >= 0x600000000000 && v->end <= 0x620000000000);
}

/* A Go function that no other build has. Looked for only where there is something to explain. */
static bool has_race(struct look *k, struct go_facts *known, struct bin *b)
{
	struct bin_func f;
	uint64_t race = 0;
	bool shadow = false;

	for (size_t i = 0; i < k->maps.vma.n && !shadow; i++)
		shadow = vma_is_anon(&k->maps.vma.v[i]) && look_is_race_shadow(&k->maps.vma.v[i]);
	if (!shadow)
		return false;
	if (memsrc_kind(k->m) != MEMSRC_CAPTURE)
		race = !go_facts_func(known, b, 0, GO_FUNC_RACE, &f);
	return !memsrc_note(k->m, "race", &race) && race;
}

static int describe_go(struct look *k, const struct go_file *f)
{
	struct report_target *t = &k->r->target;
	const struct bin_go *g = bin_go(f->bin);

	t->is_go = true;
	snprintf(t->go_version, sizeof(t->go_version), "%s", g->version);
	snprintf(t->module, sizeof(t->module), "%s", g->module);
	if (!f->lib)
		return 0;
	free(t->go_file);
	t->go_file = strdup(f->lib->name);
	return t->go_file ? 0 : -ENOMEM;
}

/* Runtimes beside the one whose books are read: their memory is not told apart. */
static int name_others(struct look *k, const struct go_file *f, size_t n, size_t used)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (i == used || bin_go(f[i].bin)->shared)
			continue;
		k->r->partial = true;
		r = report_missing(k->r, "go", "",
				   "another Go runtime, %s in %s: its memory shows as the kernel "
				   "sees it",
				   bin_go(f[i].bin)->version,
				   f[i].lib ? f[i].lib->name : "the executable");
		if (r)
			return r;
	}
	return 0;
}

static int name_packed(struct look *k)
{
	if (!packed_program(k->m, &k->maps))
		return 0;
	k->r->partial = true;
	return report_missing(k->r, "go", "the unpacked program (upx -d)",
			      "the executable is packed: its program lies in anonymous memory, "
			      "where a Go runtime is not looked for");
}

int look_runtime(struct look *k)
{
	struct go_file f[GO_FILES_MAX];
	size_t n = files_with_go(k->bin, k->bias, &k->libs, f), i;
	struct err first = { 0 };
	int r = 0;

	if (!n)
		return name_packed(k);
	for (i = 0; i < n; i++) {
		struct go_facts known;
		struct err e = { 0 };

		go_cache_get(k->opts->cache, k->m, f[i].bin, &known);
		if (!i) {
			k->r->target.cgo = has_cgo(k, &known, f[i].bin);
			k->race = has_race(k, &known, f[i].bin);
		}
		r = go_runtime_open(k->m, f[i].bin, f[i].bias, &k->maps, &known, &k->rt, &e);
		go_cache_put(k->opts->cache, k->m, f[i].bin, &known);
		if (r == -ESRCH)
			return r;
		if (!r)
			break;
		if (!i)
			first = e;
	}
	k->has_go = i < n;
	if (k->has_go) {
		r = describe_go(k, &f[i]);
		return r ? r : name_others(k, f, n, i);
	}
	k->r->partial = true;
	r = describe_go(k, &f[0]);
	return r ? r : report_missing(k->r, "go", "", "%s", first.text);
}
