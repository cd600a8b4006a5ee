/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the process of a session is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/status.h"
#include "session/session_impl.h"

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

int session_read_name(struct session *s, struct err *e)
{
	struct session_identity *id = &s->id;
	struct proc_status st;
	int r = proc_status_read(memsrc_texts(s->m), 0, &st, e);

	if (r)
		return r;
	id->pid = memsrc_pid(s->m);
	id->ns_pid = st.ns_pid;
	snprintf(id->comm, sizeof(id->comm), "%s", st.comm);
	return 0;
}

void session_read_exe(struct session *s)
{
	_text_ struct text exe = { 0 };

	if (!memsrc_text(s->m, "proc/exe", 0, &exe) && exe.p)
		snprintf(s->id.exe, sizeof(s->id.exe), "%.*s", (int)strcspn(exe.p, "\n"), exe.p);
}

int session_read_identity(struct session *s, struct err *e)
{
	struct session_identity *id = &s->id;
	_text_ struct text args = { 0 };
	struct proc_stat stat;
	int r;

	read_host(s);
	r = session_read_name(s, e);
	if (r)
		return r;
	if (!proc_stat_read(memsrc_texts(s->m), 0, &stat, NULL)) {
		id->start_ticks = stat.start_time;
		id->start_time_unix_ns = start_time(s->m, stat.start_time);
	}
	session_read_exe(s);
	free(id->cmdline);
	id->cmdline = memsrc_text(s->m, "proc/cmdline", 0, &args) ? NULL : join_args(&args);
	return 0;
}
