/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person means by a target: a process id, all processes of a name or a cgroup, a file. */
#ifndef RSSCOPE_SOURCE_TARGETS_H
#define RSSCOPE_SOURCE_TARGETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"
#include "source/memsrc.h"

struct target {
	pid_t pid;   /* 0: a file */
	char *file;  /* owned */
	bool listed; /* one of many that a name or cgroup gave: may be gone or a kernel thread */
};

/* In the order in which they were added; a process is there once. This process is none of those
 * that a name or cgroup gives. */
struct targets {
	VEC(struct target) v;
};

void targets_free(struct targets *t);

/* Each appends what it finds, which may be nothing. 0, -ENOMEM, or -errno of reading /proc or the
 * cgroup file system. */
int targets_add_pid(struct targets *t, pid_t pid);
int targets_add_file(struct targets *t, const char *path);
/* By /proc/PID/comm, of which the kernel keeps 15 characters. */
int targets_add_name(struct targets *t, const char *comm);
/* Of this cgroup and those below it: a folder of a cgroup file system, or a path as
 * /proc/PID/cgroup has it; not "". */
int targets_add_cgroup(struct targets *t, const char *path);

/* A live process, a capture or a core. As memsrc_open_*; -ENOENT no such file. */
int target_open(const struct target *t, struct memsrc **out, struct err *e);

#endif
