/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership by scope: `_cleanup_(fn)` calls fn(&variable) when the variable leaves scope.
 */
#ifndef RSSCOPE_BASE_CLEANUP_H
#define RSSCOPE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define ARRAY_LEN(a)  (sizeof(a) / sizeof((a)[0]))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define _free_	_cleanup_(free_ptr)
#define _close_ _cleanup_(close_fd)

#endif
