/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RSSCOPE_IN_JSON_HISTOGRAMS_H
#define RSSCOPE_IN_JSON_HISTOGRAMS_H

#include "in/json_get.h"

/* The array `histograms` of o, as json_report.c writes it, appended to *out. */
void jget_histograms(struct jget *g, const json_t *o, histogram_vec *out);

#endif
