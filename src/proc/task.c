/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { NONE = -1 };

static const struct call {
	const char *name;
	short amd64, arm64;
} calls[] = {
	{ "read", 0, 63 },
	{ "write", 1, 64 },
	{ "open", 2, NONE },
	{ "close", 3, 57 },
	{ "stat", 4, NONE },
	{ "fstat", 5, 80 },
	{ "lstat", 6, NONE },
	{ "poll", 7, NONE },
	{ "mmap", 9, 222 },
	{ "mprotect", 10, 226 },
	{ "munmap", 11, 215 },
	{ "ioctl", 16, 29 },
	{ "pread64", 17, 67 },
	{ "pwrite64", 18, 68 },
	{ "readv", 19, 65 },
	{ "writev", 20, 66 },
	{ "select", 23, NONE },
	{ "sched_yield", 24, 124 },
	{ "madvise", 28, 233 },
	{ "pause", 34, NONE },
	{ "nanosleep", 35, 101 },
	{ "sendfile", 40, 71 },
	{ "connect", 42, 203 },
	{ "accept", 43, 202 },
	{ "sendto", 44, 206 },
	{ "recvfrom", 45, 207 },
	{ "sendmsg", 46, 211 },
	{ "recvmsg", 47, 212 },
	{ "wait4", 61, 260 },
	{ "semop", 65, 193 },
	{ "msgrcv", 70, 188 },
	{ "fcntl", 72, 25 },
	{ "flock", 73, 32 },
	{ "fsync", 74, 82 },
	{ "fdatasync", 75, 83 },
	{ "rt_sigtimedwait", 128, 137 },
	{ "rt_sigsuspend", 130, 133 },
	{ "futex", 202, 98 },
	{ "io_getevents", 208, 4 },
	{ "getdents64", 217, 61 },
	{ "semtimedop", 220, 192 },
	{ "clock_nanosleep", 230, 115 },
	{ "epoll_wait", 232, NONE },
	{ "waitid", 247, 95 },
	{ "openat", 257, 56 },
	{ "newfstatat", 262, 79 },
	{ "unlinkat", 263, 35 },
	{ "pselect6", 270, 72 },
	{ "ppoll", 271, 73 },
	{ "splice", 275, 76 },
	{ "sync_file_range", 277, 84 },
	{ "epoll_pwait", 281, 22 },
	{ "accept4", 288, 242 },
	{ "preadv", 295, 69 },
	{ "pwritev", 296, 70 },
	{ "recvmmsg", 299, 243 },
	{ "sendmmsg", 307, 269 },
	{ "statx", 332, 291 },
	{ "io_uring_enter", 426, 426 },
	{ "epoll_pwait2", 441, 441 },
};

bool task_syscall_parse(const char *text, long *nr)
{
	char *end;

	if (!strncmp(text, "running", 7)) {
		*nr = TASK_RUNNING;
		return true;
	}
	errno = 0;
	*nr = strtol(text, &end, 10);
	return !errno && end != text && *end == ' ' && *nr >= TASK_OUTSIDE;
}

const char *task_syscall_name(const char *machine, long nr)
{
	bool arm64 = !strcmp(machine, "aarch64");

	if (nr < 0 || (!arm64 && strcmp(machine, "x86_64") != 0))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (nr == (arm64 ? calls[i].arm64 : calls[i].amd64))
			return calls[i].name;
	return NULL;
}
