/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &head, data) ? -errno : 0;
}

int privilege_permitted(uint64_t *mask)
{
	struct __user_cap_data_struct data[2];
	int rc = get(data);

	if (!rc)
		*mask = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return rc;
}

int privilege_keep(uint64_t mask)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int rc = get(data);

	if (rc)
		return rc;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= mask >> (32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

int privilege_drop_all(uid_t uid, gid_t gid)
{
	uint64_t mask;
	int rc = privilege_permitted(&mask);

	if (rc)
		return rc;
	if ((mask & PRIVILEGE(CAP_SETGID)) && (setgroups(0, NULL) || setresgid(gid, gid, gid)))
		return -errno;
	if ((mask & PRIVILEGE(CAP_SETUID)) && setresuid(uid, uid, uid))
		return -errno;
	rc = privilege_keep(0);
	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = -errno;
	return rc;
}
