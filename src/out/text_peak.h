/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside out/: what the Go heap held when it was largest, for people. */
#ifndef RSSCOPE_OUT_TEXT_PEAK_H
#define RSSCOPE_OUT_TEXT_PEAK_H

#include "out/text_page.h"

/* Its largest `most` sites; nothing where it is not known. */
void page_peak(struct text_page *p, const struct report_peak *k, size_t most);

#endif
