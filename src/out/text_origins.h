/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside out/: who asked for memory, for people. */
#ifndef RSSCOPE_OUT_TEXT_ORIGINS_H
#define RSSCOPE_OUT_TEXT_ORIGINS_H

#include "out/text_page.h"

/* "main.cacheLoad cache.go:12 ← main.main", fit for a terminal; with `line` false the source line
 * is left out. Returns buf. */
enum { ORIGIN_TEXT = 400 };
const char *text_origin_chain(const struct text_page *p, const struct report_origin *o, bool line,
			      char buf[ORIGIN_TEXT]);

/* The largest `most` lines, a line for each chain of functions. */
void text_origins(struct text_page *p, size_t most);

#endif
