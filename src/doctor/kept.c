/* SPDX-License-Identifier: BSD-2-Clause */
/* What commands keep of their privileges, and why. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/privilege.h"
#include "doctor/doctor.h"
#include "source/rights.h"

#define ONE_SHOT  "capabilities kept by report, capture, diff"
#define OBSERVERS "capabilities kept by watch, run"

static int put_rights(struct doctor *d, const char *area, const char *name, unsigned int when,
		      uint64_t have)
{
	size_t n, len = 0;
	const struct right *t = rights_table(&n);
	struct doctor_row *r;

	if (doctor_add(d, area, name, &r))
		return -ENOMEM;
	r->state = DOCTOR_WORKS;
	doctor_say(r->found, "no capability");
	if (have && rights_keep_all(when, have)) {
		doctor_say(r->found, "all: without CAP_SYS_PTRACE only who has a process's "
				     "capabilities may read it");
		return 0;
	}
	for (size_t i = 0; i < n && len < sizeof(r->found); i++)
		if (rights_apply(&t[i], when, have))
			len += snprintf(r->found + len, sizeof(r->found) - len, "%s%s (%s)",
					len ? ", " : "", t[i].name, t[i].why);
	return 0;
}

static int put_filter(struct doctor *d, const char *area, const char *name, const char *list,
		      const char *without)
{
	uint32_t action = SECCOMP_RET_ERRNO;
	struct doctor_row *r;

	if (doctor_add(d, area, name, &r))
		return -ENOMEM;
	if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)) {
		r->state = DOCTOR_WORKS;
		doctor_say(r->found, "seccomp allow-list: %s; everything else is denied", list);
		return 0;
	}
	r->state = DOCTOR_MISSING;
	doctor_say(r->found, "no seccomp filter: %s", strerror(errno));
	doctor_say(r->instead, "%s run without a system call filter", without);
	doctor_say(r->get, "a kernel with CONFIG_SECCOMP_FILTER");
	return 0;
}

static int one_shot(struct doctor *d, uint64_t have)
{
	int rc = put_rights(d, ONE_SHOT, "while opening", RIGHTS_OPEN | RIGHTS_READ, have);

	if (!rc)
		rc = put_rights(d, ONE_SHOT, "once opened", RIGHTS_READ, have);
	if (!rc)
		rc = put_rights(d, ONE_SHOT, "added for capture", RIGHTS_SAVE, have);
	return rc ? rc
		  : put_filter(d, ONE_SHOT, "system calls", "files, own memory, process_vm_readv",
			       "report, capture and diff");
}

static int observers(struct doctor *d, uint64_t have)
{
	int rc = put_rights(d, OBSERVERS, "to read processes", RIGHTS_OPEN | RIGHTS_READ, have);

	if (!rc)
		rc = put_rights(d, OBSERVERS, "for later probes", RIGHTS_PROBE, have);
	if (!rc)
		rc = put_rights(d, OBSERVERS, "added for run", RIGHTS_SIGNAL, have);
	return rc ? rc
		  : put_filter(d, OBSERVERS, "calls once attached",
			       "as above, threads, BPF maps and links, perf events; in run "
			       "waiting for the command and signals to it",
			       "watch and run");
}

int doctor_kept(struct doctor *d)
{
	uint64_t have = 0;
	int rc;

	if (privilege_permitted(&have))
		have = 0;
	rc = one_shot(d, have);
	return rc ? rc : observers(d, have);
}
