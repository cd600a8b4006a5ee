/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes instead of one: an opener that has the right to open processes, and parses nothing
 * of theirs; and a reader without any right, which does all the rest through the descriptors that
 * the opener passes (SCM_RIGHTS over a SOCK_SEQPACKET pair).
 *
 * A received handle reads memory, page map and the texts that are kept open by itself. What can't
 * be kept open, or is checked when it is read (task/TID/syscall, the link exe), the opener reads
 * or opens when asked: known texts of /proc/PID, files of cgroup file systems, texts of the host,
 * files that the process maps. It hands out nothing else: the reader may be the prey of what it
 * reads.
 */
#ifndef RSSCOPE_SOURCE_OPENER_H
#define RSSCOPE_SOURCE_OPENER_H

#include <sys/types.h>

#include "source/handle.h"

/*
 * Forks an opener. *sock, which the caller closes, is the end of the reader; the opener ends when
 * all copies of it are closed. *pid: to wait for. The caller gives up its rights afterwards
 * (base/privilege.h). Call it early: the opener has all that is open and in memory now.
 */
int opener_start(int *sock, pid_t *pid, struct err *e);

/* What the opener does until the other end closes: 0, or -errno of the socket. */
int opener_serve(int sock);

/* As handle_open_live, through an opener, whose socket is borrowed as long as the handle lives.
 * One thread at a time for all handles of a socket. -EPIPE when the opener has ended. */
int opener_open(int sock, pid_t pid, struct handle **out, struct err *e);

/*
 * Without requests: passes a handle of a process (all that handle_hold opens) in one message, and
 * takes it over. The sender's handle stays as it is. What the received one does not hold it opens
 * itself through the folder /proc/PID, as far as the receiver may. -ENOTSUP a file; -EPROTO what
 * arrived is no handle; -errno.
 */
int handle_send(int sock, struct handle *h);
int handle_receive(int sock, struct handle **out);

#endif
