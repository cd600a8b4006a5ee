/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside native/: glibc's heaps. */
#ifndef RSSCOPE_NATIVE_ARENA_H
#define RSSCOPE_NATIVE_ARENA_H

#include "native/native.h"

int native_read_arenas(struct memsrc *m, const struct maps *maps, const range_vec *others,
		       struct native *out);

#endif
