/* SPDX-License-Identifier: BSD-2-Clause */
/* The text report's tree of categories. */
#ifndef RSSCOPE_OUT_TEXT_TREE_H
#define RSSCOPE_OUT_TEXT_TREE_H

#include "out/text_page.h"

/*
 * The table of categories with at most `lines` lines in all, head included. What does not fit is
 * taken away in this order: rows below the categories; then the smallest categories, which fold
 * into one line a parent that names them and has their sum. `unknown` is never folded. The lowest
 * lines always add up to what was scanned.
 */
void page_tree(struct text_page *p, unsigned int lines);

/* Lines of a table that has room for all categories, and for the largest rows, of 1 % and more. */
unsigned int page_tree_want(const struct text_page *p);

#endif
