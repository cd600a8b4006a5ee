/* SPDX-License-Identifier: BSD-2-Clause */
/* A seccomp filter for those who read processes and files and start no others: the only user of
 * libseccomp. */
#ifndef RSSCOPE_BASE_SANDBOX_H
#define RSSCOPE_BASE_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum sandbox_else {
	SANDBOX_REFUSES, /* what is not on the list fails with EPERM */
	SANDBOX_KILLS,	 /* it ends the process with SIGSYS: for tests */
};

/* SANDBOX_KILLS when RSSCOPE_SECCOMP=kill is in the environment. */
enum sandbox_else sandbox_wanted(void);

struct sandbox_more {
	bool probes; /* threads; maps and links of BPF programs that are loaded; perf events */
	pid_t child; /* may be waited for and sent signals; 0: none */
};

/*
 * From here on this process, all its threads, and what it would start, may call what is on the
 * lists of sandbox.c: files, memory of its own, process_vm_readv, some ioctls, and what `more` says
 * (NULL: nothing); no execve, no fork, no sockets, no ptrace, no signals to others, no mounts. Sets
 * NO_NEW_PRIVS. There is no way back.
 * 0; -ENOTSUP in a build with sanitizers, which call more; -errno when the kernel has no filters.
 */
int sandbox_enter(const struct sandbox_more *more, enum sandbox_else others, struct err *e);

#endif
