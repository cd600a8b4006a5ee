/* SPDX-License-Identifier: BSD-2-Clause */
/* A profile as `go tool pprof` and other readers take it: profile.proto, gzipped. */
#ifndef RSSCOPE_OUT_PPROF_H
#define RSSCOPE_OUT_PPROF_H

#include <stddef.h>

#include "model/profile/profile.h"

/* Takes the bytes as they come; what it returns other than 0 ends the writing. */
typedef int pprof_sink_fn(void *ctx, const void *p, size_t n);

/* The memory that it takes does not grow with the profile. 0, -ENOMEM, or what sink gave. */
int pprof_write(const struct profile *p, pprof_sink_fn *sink, void *ctx);

#endif
