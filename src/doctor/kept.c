/* SPDX-License-Identifier: BSD-2-Clause */
/* What one-shot commands keep of their privileges, and why. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/privilege.h"
#include "doctor/doctor.h"
#include "source/rights.h"

#define AREA "capabilities kept by report, capture, diff"

static int put_rights(struct doctor *d, const char *name, unsigned int when, uint64_t have)
{
	uint64_t mask = rights_mask(when, have);
	size_t n, len = 0;
	const struct right *t = rights_table(&n);
	struct doctor_row *r;

	if (doctor_add(d, AREA, name, &r))
		return -ENOMEM;
	r->state = DOCTOR_WORKS;
	doctor_say(r->found, "no capability");
	for (size_t i = 0; i < n && len < sizeof(r->found); i++)
		if (mask & PRIVILEGE(t[i].cap))
			len += snprintf(r->found + len, sizeof(r->found) - len, "%s%s (%s)",
					len ? ", " : "", t[i].name, t[i].why);
	return 0;
}

static int put_filter(struct doctor *d)
{
	uint32_t action = SECCOMP_RET_ERRNO;
	struct doctor_row *r;

	if (doctor_add(d, AREA, "system calls", &r))
		return -ENOMEM;
	if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)) {
		r->state = DOCTOR_WORKS;
		doctor_say(r->found, "seccomp allow-list: files, own memory, process_vm_readv; "
				     "everything else is denied");
		return 0;
	}
	r->state = DOCTOR_MISSING;
	doctor_say(r->found, "no seccomp filter: %s", strerror(errno));
	doctor_say(r->instead, "report, capture and diff run without a system call filter");
	doctor_say(r->get, "a kernel with CONFIG_SECCOMP_FILTER");
	return 0;
}

int doctor_kept(struct doctor *d)
{
	uint64_t have = 0;
	int rc;

	if (privilege_permitted(&have))
		have = 0;
	rc = put_rights(d, "while opening", RIGHTS_OPEN | RIGHTS_READ, have);
	if (!rc)
		rc = put_rights(d, "once opened", RIGHTS_READ, have);
	if (!rc)
		rc = put_rights(d, "added for capture", RIGHTS_SAVE, have);
	return rc ? rc : put_filter(d);
}
