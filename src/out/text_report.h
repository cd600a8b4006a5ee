/* SPDX-License-Identifier: BSD-2-Clause */
/* A report for people: one screen, RSS on top, the tree of categories, what is not known last. */
#ifndef RSSCOPE_OUT_TEXT_REPORT_H
#define RSSCOPE_OUT_TEXT_REPORT_H

#include <stdbool.h>

#include "base/text.h"
#include "model/report/report.h"

struct text_style {
	bool color;	    /* SGR escapes */
	bool utf8;	    /* block characters for bars; else '#' and plain ASCII */
	bool exact;	    /* sizes as integers (bytes) instead of "412.6 MiB" */
	unsigned int width; /* columns; kept within 72 to 160 */
};

/* Rows below the categories are shown as far as these lines go, some always. */
enum { TEXT_LINES = 45 };

/* Appends the report. 0 or -ENOMEM. */
int text_report(const struct report *r, const struct text_style *s, struct text *out);

#endif
