/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growable arrays of any type: `VEC(struct vma) v = {0}; vec_push(&v, x); vec_free(&v);`
 * vec_push evaluates to 0 or -ENOMEM; vec_reserve likewise. Zero-initialised is empty.
 */
#ifndef RSSCOPE_BASE_VEC_H
#define RSSCOPE_BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n, cap;                                                                     \
	}

/* Makes room for `want` elements of `size` bytes. Returns 0 or -ENOMEM; the array stays valid. */
int vec_grow(void **v, size_t *cap, size_t want, size_t size);

#define vec_reserve(x, want)                                                                       \
	((want) <= (x)->cap ? 0 : vec_grow((void **)&(x)->v, &(x)->cap, (want), sizeof(*(x)->v)))
#define vec_push(x, ...)                                                                           \
	(vec_reserve((x), (x)->n + 1) ? -ENOMEM : ((x)->v[(x)->n++] = (__VA_ARGS__), 0))
#define vec_free(x)                                                                                \
	do {                                                                                       \
		free((x)->v);                                                                      \
		(x)->v = NULL;                                                                     \
		(x)->n = (x)->cap = 0;                                                             \
	} while (0)

#endif
