/* SPDX-License-Identifier: BSD-2-Clause */
/* A diff for people: one screen, what grew most on top, its rows below it, then the books. */
#ifndef RSSCOPE_OUT_TEXT_DIFF_H
#define RSSCOPE_OUT_TEXT_DIFF_H

#include "base/text.h"
#include "model/report/diff.h"
#include "out/text_report.h"

/* Appends the diff; the names are what the user called the two sides by. 0 or -ENOMEM. */
int text_diff(const struct diff *d, const struct text_style *s, const char *name_a,
	      const char *name_b, struct text *out);

#endif
