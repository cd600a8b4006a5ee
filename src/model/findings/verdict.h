/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What most of a resident set is, in words: from the ledger alone. Pure.
 *
 * The leaves of the ledger are taken together by what a person would call them (the Go heap, the
 * executable, thread stacks, …), largest first.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_VERDICT_H
#define RSSCOPE_MODEL_FINDINGS_VERDICT_H

#include "base/text.h"
#include "model/report/report.h"

/* ": 62 % Go heap (188.0 MiB objects, 37.0 MiB free spans), 14 % executable": the parts that make
 * up most of RSS, at most three of them, none below a tenth unless it is the largest. Nothing when
 * nothing is resident. Appended to *out. 0 or -ENOMEM. */
int verdict_parts(const struct report *r, struct text *out);

#endif
