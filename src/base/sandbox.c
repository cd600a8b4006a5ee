/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

enum sandbox_else sandbox_wanted(void)
{
	const char *s = getenv("RSSCOPE_SECCOMP");

	return s && !strcmp(s, "kill") ? SANDBOX_KILLS : SANDBOX_REFUSES;
}

#if defined(__SANITIZE_ADDRESS__)
int sandbox_enter(enum sandbox_else others, struct err *e)
{
	return -ENOTSUP;
}
#else
/* A name that an architecture does not have is passed over. */
static const char *const allowed[] = {
	/* files: opening */
	"open",
	"openat",
	"openat2",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"memfd_create",
	"pidfd_open",
	"pipe2",
	/* files: contents */
	"read",
	"pread64",
	"readv",
	"preadv",
	"write",
	"pwrite64",
	"writev",
	"pwritev",
	"lseek",
	"sendfile",
	"copy_file_range",
	"ftruncate",
	"fallocate",
	"fsync",
	"fdatasync",
	"fadvise64",
	"flock",
	/* files: names and what they are */
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents64",
	"getcwd",
	"link",
	"linkat",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"mkdirat",
	"fchmod",
	"fchmodat",
	"fchown",
	"umask",
	"utimensat",
	/* other processes */
	"process_vm_readv",
	"poll",
	"ppoll",
	/* own memory */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"mincore",
	/* time, signals, who and where this is */
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"nanosleep",
	"clock_nanosleep",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"restart_syscall",
	"getpid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getrusage",
	"getrlimit",
	"prlimit64",
	"uname",
	"sysinfo",
	"sched_getaffinity",
	"sched_yield",
	"getcpu",
	"getrandom",
	"futex",
	"set_robust_list",
	"rseq",
	"capget",
	"capset",
	/* ends */
	"exit",
	"exit_group",
};

/* Of a terminal its size and whether it is one; of a page map its scan (include/uapi/linux/fs.h,
 * 6.7: _IOWR('f', 16, 96 bytes)), of maps one mapping (6.11: 17, 104 bytes). */
static const uint32_t ioctls[] = { TCGETS, TIOCGWINSZ, _IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96),
				   _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, 104) };

static int add_rules(scmp_filter_ctx c)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && !rc; i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);

		if (nr >= 0)
			rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 0);
	}
	/* The kernel takes the lower half of the command. */
	for (size_t i = 0; i < ARRAY_LEN(ioctls) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      (struct scmp_arg_cmp){ .arg = 1,
							     .op = SCMP_CMP_MASKED_EQ,
							     .datum_a = UINT32_MAX,
							     .datum_b = ioctls[i] });
	return rc;
}

int sandbox_enter(enum sandbox_else others, struct err *e)
{
	scmp_filter_ctx c = seccomp_init(others == SANDBOX_KILLS ? SCMP_ACT_KILL_PROCESS
								 : SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!c)
		return -ENOMEM;
	/* a search tree instead of one comparison after the other; kernels without it do without */
	seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* before Linux 5.16 a filter would slow all of the process against what only code that is
	 * made at run time can do */
	seccomp_attr_set(c, SCMP_FLTATR_CTL_SSB, 1);
	rc = add_rules(c);
	if (!rc)
		rc = seccomp_load(c);
	seccomp_release(c);
	if (rc)
		return err_set(e, rc, "no seccomp filter: %s", strerror(-rc));
	return 0;
}
#endif
