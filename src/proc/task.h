/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/task/TID/syscall: which system call a thread is in (fs/proc/base.c,
 * proc_pid_syscall()). */
#ifndef RSSCOPE_PROC_TASK_H
#define RSSCOPE_PROC_TASK_H

#include <stdbool.h>

enum {
	TASK_RUNNING = -2,
	TASK_OUTSIDE = -1
}; /* on a CPU or waiting for one; in the kernel, but in
    * no system call: a page fault */

/* The number of the call, or one of the above. False: the text is something else. */
bool task_syscall_parse(const char *text, long *nr);

/* Its name on that machine ("x86_64", "aarch64"), of those in which threads wait; NULL: another
 * one, or another machine. asm/unistd_64.h, asm-generic/unistd.h. */
const char *task_syscall_name(const char *machine, long nr);

#endif
