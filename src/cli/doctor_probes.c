/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor's questions about probes: the event layer knows what it needs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/doctor.h"
#include "event/event.h"

/* What it is for and, when another feature does the same, which. */
static const struct use {
	const char *name, *instead;
	int other; /* enum ev_feature, or -1 */
} uses[EVF_COUNT] = {
	[EVF_BTF] = { "btf", "no probes: watch does not work, report does", -1 },
	[EVF_LOAD] = { "bpf programs", "no probes: watch does not work, report does", -1 },
	[EVF_RINGBUF] = { "bpf ring buffer", "no probes: watch does not work, report does", -1 },
	[EVF_TRACEFS] = { "tracefs", "watch sees no mmap, munmap, mremap and brk", -1 },
	[EVF_SYSCALLS] = { "syscall tracepoints", "watch sees no mmap, munmap, mremap and brk",
			   -1 },
	[EVF_RSS_BTF] = { "rss by btf", "the rss_stat tracepoint", EVF_RSS_TP },
	[EVF_RSS_TP] = { "rss tracepoint", "rss_stat by BTF", EVF_RSS_BTF },
	[EVF_SCHED_BTF] = { "threads by btf", "the sched tracepoints", EVF_SCHED_TP },
	[EVF_SCHED_TP] = { "thread tracepoints", "sched events by BTF", EVF_SCHED_BTF },
	[EVF_UPROBE] = { "uprobes", "watch sees no GC cycles", -1 },
};

static int add_feature(struct doctor *d, const struct ev_features *f, enum ev_feature i)
{
	const struct use *u = &uses[i];
	bool has = f->have >> i & 1, other = u->other >= 0 && f->have >> u->other & 1;
	struct doctor_row *r;

	if (doctor_add(d, "watch", u->name ? u->name : ev_feature_name(i), &r))
		return -ENOMEM;
	r->state = has ? DOCTOR_WORKS : other ? DOCTOR_FALLBACK : DOCTOR_MISSING;
	doctor_say(r->found, "%s", has ? ev_feature_name(i) : f->reason[i]);
	if (!has && u->instead && (u->other < 0 || other))
		doctor_say(r->instead, "%s", u->instead);
	return 0;
}

static int check_lockdown(struct doctor *d)
{
	_text_ struct text t = { 0 };
	struct doctor_row *r;
	const char *on;

	if (text_read_at(AT_FDCWD, "/sys/kernel/security/lockdown", 4096, &t) || !t.p)
		return 0;
	if (doctor_add(d, "watch", "lockdown", &r))
		return -ENOMEM;
	on = strchr(t.p, '[');
	doctor_say(r->found, "%.*s", on ? (int)strcspn(on + 1, "]") : 0, on ? on + 1 : "");
	if (strcmp(r->found, "confidentiality"))
		return 0;
	r->state = DOCTOR_MISSING;
	doctor_say(r->instead, "probes cannot read kernel memory: watch does not work");
	doctor_say(r->get, "boot with lockdown=integrity");
	return 0;
}

int doctor_probes(struct doctor *d)
{
	struct ev_features f = { 0 };
	int rc = ev_probe(&f);

	for (int i = 0; i < EVF_COUNT && !rc; i++)
		rc = add_feature(d, &f, i);
	return rc ? rc : check_lockdown(d);
}
