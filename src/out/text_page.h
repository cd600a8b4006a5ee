/* SPDX-License-Identifier: BSD-2-Clause */
/* What the texts for people are put together from: styled pieces, and paragraphs that wrap. */
#ifndef RSSCOPE_OUT_TEXT_PAGE_H
#define RSSCOPE_OUT_TEXT_PAGE_H

#include "model/report/report.h"
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
	const struct report *r; /* NULL: not about one report */
	const struct text_style *s;
	struct text *out;
	unsigned int width;
	bool failed; /* out of memory */
};

/* A page as wide as the style says, within 72 to 160 columns. */
void page_begin(struct text_page *p, const struct text_style *s, struct text *out);

void page_put(struct text_page *p, enum text_color c, const char *fmt, ...) PRINTF(3, 4);

/* At most `columns` characters of a string that a target may have chosen. Returns how many. */
unsigned int page_put_name(struct text_page *p, enum text_color c, const char *s,
			   unsigned int columns);

/* A size in the style's form. Returns buf. */
char *page_bytes(const struct text_page *p, char *buf, size_t n, uint64_t bytes);

/* The same with a sign, of a difference. Returns buf. */
char *page_change(const struct text_page *p, char *buf, size_t n, int64_t bytes);

/* A size whose number and unit a paragraph keeps together. Returns buf. */
const char *page_keep(const struct text_page *p, char buf[32], uint64_t bytes);
const char *page_keep_change(const struct text_page *p, char buf[32], int64_t bytes);

/* Fits a name from the target into buf. Returns buf. */
const char *page_clean(const struct text_page *p, const char *s, unsigned int columns, char *buf,
		       size_t n);

/* Whether a row of memory.stat breaks down another one in a way that adds nothing for people;
 * --json has them. */
bool page_is_detail(const char *row);

/* Lines of the text from that byte on. */
unsigned int page_lines(const struct text *t, size_t from);

/* ---- a paragraph: a label in the margin, then words that are wrapped together */

enum { PARA_LABEL = 12 };

struct para {
	struct text_page *p;
	const char *label;		    /* NULL: none, and no indent */
	enum text_color color, label_color; /* label: bold unless it has a colour */
	unsigned int at;		    /* column; 0: nothing written yet */
};

/* Appends text that may break at its spaces; '\1' is a space that may not. It must be printable
 * already. A word that begins with a comma, semicolon or colon joins the one before. */
void para_add(struct para *a, const char *fmt, ...) PRINTF(2, 3);
void para_end(struct para *a);

#endif
