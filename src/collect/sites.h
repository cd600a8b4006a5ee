/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that say who stands behind a category. */
#ifndef RSSCOPE_COLLECT_SITES_H
#define RSSCOPE_COLLECT_SITES_H

#include "collect/look.h"
#include "symbol/symbolize.h"

enum { SITE_FRAMES_MAX = 64 }; /* what is beyond that of a stack is left out */

/* Appends what stands at n physical return addresses, innermost first, without wrappers and where
 * goroutines begin. 0 or -ENOMEM. */
int site_add_frames(struct look *k, const uint64_t *pc, size_t n, report_frames *out);

/* A copy of a frame, appended. 0 or -ENOMEM. */
int site_add_frame(report_frames *out, const char *func, const char *file, uint32_t line);

/* The innermost frame of the program's own; else the innermost of Go's library outside the runtime;
 * else the innermost; −1: there is none. */
int site_caller(const struct look *k, const report_frames *f);

/* Takes over what s holds, on failure too. 0 or -ENOMEM. */
int site_put(struct report_profile *p, struct report_site *s);

#endif
