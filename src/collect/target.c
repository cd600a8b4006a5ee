/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the target is: identity, host, executable. */
#include "collect/look.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "binary/binary.h"
#include "collect/files.h"

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
		struct timespec real, since;

		clock_gettime(CLOCK_REALTIME, &real);
		clock_gettime(CLOCK_BOOTTIME, &since);
		boot = (real.tv_sec - since.tv_sec) * 1000000000ULL + real.tv_nsec - since.tv_nsec;
		boot -= boot % 10000000;
	}
	if (memsrc_note(k->m, "boot_time_unix_ns", &boot) || !boot || !hz)
		return 0;
	return boot + ticks * (1000000000ULL / hz);
}

/* Whether C is linked in: runtime/cgo's way into Go is there. The build setting CGO_ENABLED only
 * says that it might have been. Function names are too many to keep, so a capture notes this. */
static bool has_cgo(struct look *k)
{
	const struct bin_go *g = bin_go(k->bin);
	struct bin_func f;
	uint64_t cgo = 0;

	if (g->is_go && memsrc_kind(k->m) != MEMSRC_CAPTURE)
		cgo = !bin_go_lookup(k->bin, 0, "crosscall2", &f);
	return memsrc_note(k->m, "cgo", &cgo) ? g->cgo : cgo;
}

static void describe_binary(struct look *k)
{
	struct report_target *t = &k->r->target;
	const struct bin_go *g = bin_go(k->bin);

	t->has_binary = true;
	t->stripped = bin_is_stripped(k->bin);
	t->pie = bin_is_pie(k->bin);
	t->is_go = g->is_go;
	t->cgo = has_cgo(k);
	snprintf(t->go_version, sizeof(t->go_version), "%s", g->version);
	snprintf(t->module, sizeof(t->module), "%s", g->module);
	snprintf(t->build_id, sizeof(t->build_id), "%s", bin_build_id(k->bin));
}

static int open_exe(struct look *k)
{
	const struct vma *low = NULL;
	struct err e = { 0 };
	int r;

	for (size_t i = 0; i < k->maps.vma.n && !low; i++)
		if (k->maps.vma.v[i].inode && !strcmp(k->maps.vma.v[i].name, k->exe))
			low = &k->maps.vma.v[i];
	r = look_open_file(k, "exe", low ? low->start : 0, low ? low->end : 0, &k->bin, &e);
	if (r) {
		k->r->partial = true;
		if (report_missing(k->r, "go", "",
				   "without the executable a Go runtime can't be "
				   "looked for"))
			return -ENOMEM;
		return report_missing(k->r, "target.binary",
				      "an ELF file for 64-bit amd64 or arm64 that can be opened",
				      "the executable: %s", e.text);
	}
	if (low)
		k->bias = bin_bias(k->bin, low->start, low->offset);
	describe_binary(k);
	return 0;
}

int look_target(struct look *k, struct err *e)
{
	struct report_target *t = &k->r->target;
	_text_ struct text exe = { 0 }, args = { 0 };
	struct proc_status st;
	struct proc_stat stat;
	int r;

	read_host(k);
	r = proc_status_read(k->m, 0, &st, e);
	if (r)
		return r;
	t->pid = memsrc_pid(k->m);
	t->ns_pid = st.ns_pid;
	snprintf(t->comm, sizeof(t->comm), "%s", st.comm);
	if (!proc_stat_read(k->m, 0, &stat, NULL)) {
		t->start_ticks = stat.start_time;
		t->start_time_unix_ns = start_time(k, stat.start_time);
	}
	if (!memsrc_text(k->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(k->exe, sizeof(k->exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
	t->exe = k->exe[0] ? strdup(k->exe) : NULL;
	if (!memsrc_text(k->m, "proc/cmdline", 0, &args))
		t->cmdline = join_args(&args);
	r = maps_read(k->m, 0, &k->maps, e);
	if (r)
		return r;
	return open_exe(k);
}
