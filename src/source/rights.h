/* SPDX-License-Identifier: BSD-2-Clause */
/* Which capabilities commands keep, how long, and for what. A table: the commands act on
 * it, doctor prints it. */
#ifndef RSSCOPE_SOURCE_RIGHTS_H
#define RSSCOPE_SOURCE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum right_for {
	RIGHTS_OPEN = 1,    /* opening a process or a file */
	RIGHTS_READ = 2,    /* reading one that is open */
	RIGHTS_SAVE = 4,    /* a capture, put where the user said */
	RIGHTS_PROBE = 8,   /* attaching probes to another program, after an exec */
	RIGHTS_SIGNAL = 16, /* passing signals on to a command, whoever runs it */
};

struct right {
	int cap; /* CAP_* */
	const char *name;
	unsigned int when; /* RIGHTS_* */
	const char *why;
	int or_have; /* CAP_*: instead of it, where that is permitted; 0: none */
};

const struct right *rights_table(size_t *n);

/* Whether a row of the table counts for any of `when`. */
bool rights_apply(const struct right *t, unsigned int when, uint64_t have);

/* Without CAP_SYS_PTRACE only who has all capabilities of a process may read it: root in a
 * container (cap_ptrace_access_check(), security/commoncap.c). Whether none is given up therefore.
 */
bool rights_keep_all(unsigned int when, uint64_t have);

/* The mask of those that are needed for any of `when`, of which `have` are permitted: newer
 * capabilities count instead of the wide CAP_SYS_ADMIN. */
uint64_t rights_mask(unsigned int when, uint64_t have);

/* Gives up all but those needed for `when`; 0: all. Failure (a container's own filter may forbid
 * it) leaves things as they are: -errno. */
int rights_shed(unsigned int when);

#endif
