/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of a report that only `run` has: how it ended, counters, the ledger's age. */
#ifndef RSSCOPE_OUT_TEXT_RUN_H
#define RSSCOPE_OUT_TEXT_RUN_H

#include "out/text_page.h"

/* Nothing for a report of another command. */
void page_run(struct text_page *p);

#endif
