/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings as paragraphs: of one look, and of two. */
#ifndef RSSCOPE_OUT_TEXT_FINDINGS_H
#define RSSCOPE_OUT_TEXT_FINDINGS_H

#include "out/text_page.h"

/*
 * The first one's evidence and advice (its summary stands in the sentence on top), then the others'
 * summary and what they advise beyond that. `terse` takes away: 1 the others' advice, 2 the
 * evidence, 3 all advice but the first.
 */
void page_findings(struct text_page *p, const finding_vec *v, unsigned int terse);

enum text_color page_severity_color(enum severity s);

#endif
