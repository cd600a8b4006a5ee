/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor's questions about probes: the event layer knows what it needs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "doctor/doctor.h"
#include "event/ev.h"
#include "event/place.h"

#define NO_PROBES "no probes: watch and run do not work, report does"
#define NO_CALLS  "watch cannot trace mapping calls"

/* What one has with it, without it and, when another feature does the same, which. */
static const struct use {
	const char *name, *with, *without;
	int other;  /* enum ev_feature, or -1 */
	bool spare; /* used only where the other is missing */
} uses[EVF_COUNT] = {
	[EVF_BTF] = { "btf", "probes adapt to this kernel (CO-RE)", NO_PROBES, -1, false },
	[EVF_LOAD] = { "bpf programs", "load", NO_PROBES, -1, false },
	[EVF_RINGBUF] = { "bpf ring buffer", "works", NO_PROBES, -1, false },
	[EVF_TRACEFS] = { "tracefs", "mounted", NO_CALLS, -1, false },
	[EVF_FENTRY] = { "fentry", "mapping calls, without overhead on other system calls",
			 "uses syscall tracepoints instead: overhead on every system call of the "
			 "host",
			 EVF_SYSCALLS, false },
	[EVF_SYSCALLS] = { "syscall tracepoints", "mapping calls", NULL, EVF_FENTRY, true },
	[EVF_RSS_BTF] = { "rss by btf", "RSS steps, at low cost", "uses the tracepoint instead",
			  EVF_RSS_TP, false },
	[EVF_RSS_TP] = { "rss tracepoint", "RSS steps", NULL, EVF_RSS_BTF, true },
	[EVF_SCHED_BTF] = { "threads by btf", "thread starts and exits",
			    "uses the tracepoints instead", EVF_SCHED_TP, false },
	[EVF_SCHED_TP] = { "thread tracepoints", "thread starts and exits", NULL, EVF_SCHED_BTF,
			   true },
	[EVF_CPU_CLOCK] = { "perf cpu-clock", "profile --type cpu",
			    "profile --type cpu does not work", -1, false },
	[EVF_UPROBE] = { "uprobes", "GC cycles, growth of the heap", "watch cannot trace GC cycles",
			 -1, false },
};

static int add_feature(struct doctor *d, const struct ev_features *f, enum ev_feature i)
{
	const struct use *u = &uses[i];
	bool has = f->have >> i & 1, other = u->other >= 0 && f->have >> u->other & 1;
	struct doctor_row *r;

	if (doctor_add(d, "watch", u->name ? u->name : ev_feature_name(i), &r))
		return -ENOMEM;
	if (!has && other && u->spare) {
		r->state = DOCTOR_FALLBACK;
		r->spare = true;
		doctor_say(r->found, "not needed: %s works", uses[u->other].name);
		return 0;
	}
	r->state = has ? DOCTOR_WORKS : other ? DOCTOR_FALLBACK : DOCTOR_MISSING;
	doctor_say(r->found, "%s", has ? u->with ? u->with : "works" : f->reason[i]);
	if (!has && u->without && (u->other < 0 || other))
		doctor_say(r->instead, "%s", u->without);
	else if (!has && i == EVF_SYSCALLS)
		doctor_say(r->instead, "%s", NO_CALLS);
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

/* Tried on a child of ours; whatever it gives, no probe of ours goes there. */
static int check_nops(struct doctor *d)
{
	enum { CALLS = 2000 };
	struct doctor_row *row;
	uint32_t wrong = 0;
	int r = place_try_nop(CALLS, &wrong);

	if (doctor_add(d, "watch", "uprobes on 5-byte NOPs", &row))
		return -ENOMEM;
	if (r == -ENOTSUP)
		doctor_say(row->found, "not applicable on this architecture");
	else if (!r && !wrong)
		doctor_say(row->found, "harmless in %d calls of a child; rsscope never uses them",
			   CALLS);
	if (r == -ENOTSUP || (!r && !wrong))
		return 0;
	if (r)
		doctor_say(row->found, "not tested (%s); rsscope never uses them", strerror(-r));
	else
		doctor_say(row->found,
			   "known kernel bug with probes on NOPs (red zone corrupted in %u of %d "
			   "calls); rsscope never uses them",
			   wrong, CALLS);
	return 0;
}

int doctor_probes(struct doctor *d)
{
	struct ev_features f = { 0 };
	int rc = ev_probe(&f);

	for (int i = 0; i < EVF_COUNT && !rc; i++)
		rc = add_feature(d, &f, i);
	if (!rc)
		rc = check_nops(d);
	return rc ? rc : check_lockdown(d);
}
