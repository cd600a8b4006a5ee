/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading back what json_report() and json_report_line() wrote. */
#ifndef RSSCOPE_IN_JSON_READ_H
#define RSSCOPE_IN_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/report/report.h"

typedef VEC(struct report) report_vec;

/* At most so many reports in a document. */
enum { JSON_MAX_REPORTS = 4096 };

/*
 * Decodes a document of rsscope.report/1 (text, n bytes) and appends its reports to *out, in their
 * order. The text may come from anybody: types, ranges, and that the ledger adds up are checked;
 * keys that are not known are skipped. Findings and the verdict are not read: findings_make() makes
 * them again. Nothing is appended on failure. The caller frees each report.
 * 0; -EINVAL: no such document, e names the place; -ENOMEM.
 */
int json_read(const char *text, size_t n, report_vec *out, struct err *e);

/* Whether the text is one whole JSON object that says it is a document of rsscope.report/1: for
 * finding it among the lines of a stream. */
bool json_is_report(const char *text, size_t n);

#endif
