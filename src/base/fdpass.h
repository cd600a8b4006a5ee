/* SPDX-License-Identifier: BSD-2-Clause */
/* One message with descriptors over a SOCK_SEQPACKET socket of AF_UNIX (SCM_RIGHTS). */
#ifndef RSSCOPE_BASE_FDPASS_H
#define RSSCOPE_BASE_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

enum { FDPASS_MAX = 16 };

/* The descriptors stay the caller's. 0; -EINVAL more than FDPASS_MAX; -errno of sendmsg, -EPIPE
 * (without SIGPIPE) when the other end is closed. */
int fdpass_send(int sock, const void *p, size_t n, const int *fd, size_t fds);

/*
 * At most n bytes into buf, at most FDPASS_MAX descriptors into fd, which the caller closes; they
 * have O_CLOEXEC. *fds: how many. The number of bytes, 0 when the other end is closed; -EMSGSIZE
 * for more bytes or descriptors (then none is left open), -errno of recvmsg.
 */
ssize_t fdpass_receive(int sock, void *buf, size_t n, int *fd, size_t *fds);

#endif
