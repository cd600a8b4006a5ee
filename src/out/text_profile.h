/* SPDX-License-Identifier: BSD-2-Clause */
/* A profile for people, as a table by function like `go tool pprof -top`; and folded, a stack a
 * line, for flame graphs. */
#ifndef RSSCOPE_OUT_TEXT_PROFILE_H
#define RSSCOPE_OUT_TEXT_PROFILE_H

#include "model/profile/profile.h"
#include "out/text_report.h"

/* kind: "heap". Appends at most `rows` functions, by the column that is wanted most. 0 or -ENOMEM.
 */
int text_profile_top(const struct profile *p, const char *kind, const struct text_style *s,
		     size_t rows, struct text *out);

/* Appends each stack, outermost function first, with the value that is wanted most; those of 0 are
 * left out. 0 or -ENOMEM. */
int text_profile_folded(const struct profile *p, struct text *out);

#endif
