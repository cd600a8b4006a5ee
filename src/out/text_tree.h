/* SPDX-License-Identifier: BSD-2-Clause */
/* The text report's own: styled pieces, and the tree of categories. */
#ifndef RSSCOPE_OUT_TEXT_TREE_H
#define RSSCOPE_OUT_TEXT_TREE_H

#include "out/text_report.h"

enum text_color {
	TEXT_PLAIN,
	TEXT_BOLD,
	TEXT_DIM,
	TEXT_RED,
	TEXT_YELLOW,
	TEXT_GREEN,
	TEXT_BLUE,
	TEXT_MAGENTA,
	TEXT_CYAN
};

/* What is being written; the first failure sticks. */
struct text_page {
	const struct report *r;
	const struct text_style *s;
	struct text *out;
	unsigned int width;
	bool failed; /* out of memory */
};

void page_put(struct text_page *p, enum text_color c, const char *fmt, ...) PRINTF(3, 4);

/* At most `columns` characters of a string that a target may have chosen. Returns how many. */
unsigned int page_put_name(struct text_page *p, enum text_color c, const char *s,
			   unsigned int columns);

/* A size in the style's form. Returns buf. */
char *page_bytes(const struct text_page *p, char *buf, size_t n, uint64_t bytes);

/* The table of categories with about `lines` lines in all, head included: categories are never
 * dropped for room, the rows below them are, but for the largest few. */
void page_tree(struct text_page *p, unsigned int lines);

#endif
