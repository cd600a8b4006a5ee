/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving up rights; there is no way back. By the system calls themselves: capabilities(7). Affects
 * the calling thread: call it while there is one. */
#ifndef RSSCOPE_BASE_PRIVILEGE_H
#define RSSCOPE_BASE_PRIVILEGE_H

#include <stdint.h>
#include <sys/types.h>

#define PRIVILEGE(cap) (1ULL << (cap)) /* CAP_* of linux/capability.h */

/* Permitted and effective capabilities become those of `mask` that are permitted now, inheritable
 * ones none (ambient ones with them). 0 or -errno. */
int privilege_keep(uint64_t mask);

/* The permitted ones. 0 or -errno. */
int privilege_permitted(uint64_t *mask);

/*
 * Becomes the user uid, group gid, without other groups, without any capability, and
 * NO_NEW_PRIVS, whoever it was before; one who may not change its ids keeps them. 0 or -errno,
 * after which some may be given up already: then go no further.
 */
int privilege_drop_all(uid_t uid, gid_t gid);

#endif
