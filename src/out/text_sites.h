/* SPDX-License-Identifier: BSD-2-Clause */
/* Who stands behind a category, for the lines below it. */
#ifndef RSSCOPE_OUT_TEXT_SITES_H
#define RSSCOPE_OUT_TEXT_SITES_H

#include "out/text_page.h"

enum { SITES_USUAL = 3 }; /* of a category: more are there only when they were asked for */

/* "100000 in main.produce, a channel send, from main.fetch x.go:7", "51 objects in main.load
 * cache.go:12": what does not fit into the columns is left out, but for the function. *out is empty
 * before. 0 or -ENOMEM. */
int site_text(const struct report_profile *p, const struct report_site *s, unsigned int columns,
	      struct text *out);

/* Lines that all of them take on a page of the usual length. */
unsigned int sites_lines(const struct report *r);

#endif
