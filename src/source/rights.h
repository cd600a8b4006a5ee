/* SPDX-License-Identifier: BSD-2-Clause */
/* Which capabilities one-shot commands keep, how long, and for what. A table: the commands act on
 * it, doctor prints it. */
#ifndef RSSCOPE_SOURCE_RIGHTS_H
#define RSSCOPE_SOURCE_RIGHTS_H

#include <stddef.h>
#include <stdint.h>

enum right_for {
	RIGHTS_OPEN = 1, /* opening a process or a file */
	RIGHTS_READ = 2, /* reading one that is open */
	RIGHTS_SAVE = 4, /* a capture, put where the user said */
};

struct right {
	int cap; /* CAP_* */
	const char *name;
	unsigned int when; /* RIGHTS_* */
	const char *why;
};

const struct right *rights_table(size_t *n);

/* The mask of those that are needed for any of `when`, of which `have` are permitted: newer
 * capabilities count instead of the wide CAP_SYS_ADMIN. */
uint64_t rights_mask(unsigned int when, uint64_t have);

/* Gives up all but those needed for `when`; 0: all. Failure (a container's own filter may forbid
 * it) leaves things as they are: -errno. */
int rights_shed(unsigned int when);

#endif
