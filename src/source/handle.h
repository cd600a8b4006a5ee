/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process, kept open: its descriptors, its identity, the address space that they are bound to.
 * What is read of it at one time is a snapshot, `struct memsrc` (memsrc.h), of which a handle may
 * carry several, one after the other or at once. A capture or a core is a handle, too.
 *
 * Opened with the handle: a pidfd, the folder /proc/PID, and what is bound to the address space:
 * mem, pagemap, maps. These three keep working while the process dies, until its last thread has
 * left the memory. Texts that are read again and again (stat, statm, status, smaps_rollup) are
 * opened when first asked for, and kept: at most HANDLE_FDS descriptors in all, and two of the
 * memory cgroup that was read last: its folder and how much it uses. smaps_rollup is not asked for
 * where the kernel's counters are exact (rss.h); at rest a session there holds nine.
 *
 * A handle, and all snapshots on it, are for one thread at a time.
 */
#ifndef RSSCOPE_SOURCE_HANDLE_H
#define RSSCOPE_SOURCE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum memsrc_kind { MEMSRC_LIVE, MEMSRC_CAPTURE, MEMSRC_CORE };

/* pidfd, /proc/PID, mem, pagemap, kpageflags, and five texts. */
enum { HANDLE_FDS = 10 };

struct handle;

/*
 * Opens a live process: takes a pidfd and the start time, so that a reused PID is noticed.
 * -ESRCH no such process; -EACCES/-EPERM not permitted (the text names the capability or mount);
 * -ENODATA a kernel thread (it has no memory of its own).
 */
int handle_open_live(pid_t pid, struct handle **out, struct err *e);

/* Opens a capture (rsscope's own) or an ELF core: told apart by their first bytes. -EINVAL with a
 * text when the file is neither; what else is wrong with it memsrc_open says. */
int handle_open_file(const char *path, struct handle **out, struct err *e);

/* All snapshots on it are closed before. NULL-safe. */
void handle_close(struct handle *h);

enum memsrc_kind handle_kind(const struct handle *h);
pid_t handle_pid(const struct handle *h); /* 0: a file, whose snapshots know */
uint32_t handle_page_size(const struct handle *h);
/* Clock ticks since boot; with the PID and the boot, whom it names. 0: a file. */
uint64_t handle_start_time(const struct handle *h);
/* Readable once the process has ended; −1 where there is none. The handle's own. */
int handle_pidfd(const struct handle *h);

enum handle_state {
	HANDLE_SAME,   /* the process and the address space that were opened */
	HANDLE_EXECED, /* the process, with another program in it: see handle_reopen */
	HANDLE_GONE,   /* ended, or its memory has */
};

/* The CPU time that all its threads have used, ns. Of a thread that is on a CPU the part since the
 * last tick may be missing; what has left the CPU is in it (kernel/time/posix-cpu-timers.c,
 * thread_group_cputime). It goes by the PID: once the process has ended that may be another's.
 * 0; -ENOTSUP a file; -ESRCH nobody has that PID. */
int handle_cpu_time(const struct handle *h, uint64_t *ns);

/* A system call as long as nothing has changed. A file is always HANDLE_SAME. */
enum handle_state handle_check(struct handle *h);

/* After an execve: binds the handle to the address space that is there now. No snapshot may be
 * open. As handle_open_live, and -ENOTSUP for a handle that was received (ask its opener anew);
 * after a failure the handle is as before. */
int handle_reopen(struct handle *h, struct err *e);

/* Opens what would be opened when first used. 0 or -errno. For one who is about to give up the
 * right to open, or to pass the handle on. */
int handle_hold(struct handle *h);

/* Closes texts that snapshots alone read (stat, status, smaps_rollup), until they are asked for
 * again. Nothing of a handle that was received. */
void handle_rest(struct handle *h);

#endif
