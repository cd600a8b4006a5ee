/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

enum sandbox_else sandbox_wanted(void)
{
	const char *s = getenv("RSSCOPE_SECCOMP");

	return s && !strcmp(s, "kill") ? SANDBOX_KILLS : SANDBOX_REFUSES;
}

#if defined(__SANITIZE_ADDRESS__)
int sandbox_enter(const struct sandbox_more *more, enum sandbox_else others, struct err *e)
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

/* ---- with probes: reading them, and attaching those of a program that is executed later */

static const char *const for_probes[] = {
	"perf_event_open", "epoll_wait", "epoll_pwait", "epoll_ctl", "pwritev2",
};

static const uint32_t perf_ioctls[] = { PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_DISABLE,
					PERF_EVENT_IOC_SET_BPF };

/* enum bpf_cmd, include/uapi/linux/bpf.h. libbpf loads a program of its own when it attaches the
 * first perf event, to see whether the kernel has links of them. */
static const uint32_t bpf_commands[] = {
	1,  /* BPF_MAP_LOOKUP_ELEM */
	2,  /* BPF_MAP_UPDATE_ELEM */
	3,  /* BPF_MAP_DELETE_ELEM */
	4,  /* BPF_MAP_GET_NEXT_KEY */
	5,  /* BPF_PROG_LOAD */
	15, /* BPF_OBJ_GET_INFO_BY_FD */
	28, /* BPF_LINK_CREATE */
};

/* ---- with a child */

static const char *const for_child[] = { "wait4", "waitid", "getpgid", "getpgrp", "getsid" };
static const char *const signals[] = { "kill", "rt_sigqueueinfo" };

static int allow(scmp_filter_ctx c, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		if (nr >= 0)
			rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 0);
	}
	return rc;
}

/* Where the bits `mask` of an argument of 32 bits are `value`: its upper half may hold anything. */
static int allow_bits(scmp_filter_ctx c, const char *name, unsigned int arg, uint32_t mask,
		      uint32_t value)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr < 0)
		return 0;
	return seccomp_rule_add(
		c, SCMP_ACT_ALLOW, nr, 1,
		(struct scmp_arg_cmp){
			.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value });
}

static int allow_values(scmp_filter_ctx c, const char *name, unsigned int arg,
			const uint32_t *values, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = allow_bits(c, name, arg, UINT32_MAX, values[i]);
	return rc;
}

/* No process, but threads. What clone3 is asked for is in memory, which a filter does not see: libc
 * takes ENOSYS for an older kernel and calls clone. */
static int allow_threads(scmp_filter_ctx c)
{
	int rc = allow_bits(c, "clone", 0, CLONE_THREAD, CLONE_THREAD);

	return rc ? rc : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int allow_probes(scmp_filter_ctx c)
{
	int rc = allow(c, for_probes, ARRAY_LEN(for_probes));

	if (!rc)
		rc = allow_values(c, "ioctl", 1, perf_ioctls, ARRAY_LEN(perf_ioctls));
	if (!rc)
		rc = allow_values(c, "bpf", 0, bpf_commands, ARRAY_LEN(bpf_commands));
	return rc ? rc : allow_threads(c);
}

static int allow_child(scmp_filter_ctx c, pid_t child)
{
	int rc = allow(c, for_child, ARRAY_LEN(for_child));

	for (size_t i = 0; i < ARRAY_LEN(signals) && !rc; i++)
		rc = allow_bits(c, signals[i], 0, UINT32_MAX, child);
	return rc;
}

static int add_rules(scmp_filter_ctx c, const struct sandbox_more *more)
{
	int rc = allow(c, allowed, ARRAY_LEN(allowed));

	if (!rc)
		rc = allow_values(c, "ioctl", 1, ioctls, ARRAY_LEN(ioctls));
	if (!rc) /* raising a signal, aborting */
		rc = allow_bits(c, "tgkill", 0, UINT32_MAX, getpid());
	if (!rc && more && more->probes)
		rc = allow_probes(c);
	if (!rc && more && more->child)
		rc = allow_child(c, more->child);
	return rc;
}

int sandbox_enter(const struct sandbox_more *more, enum sandbox_else others, struct err *e)
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
	seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1);
	rc = add_rules(c, more);
	if (!rc)
		rc = seccomp_load(c);
	seccomp_release(c);
	if (rc)
		return err_set(e, rc, "no seccomp filter: %s", strerror(-rc));
	return 0;
}
#endif
