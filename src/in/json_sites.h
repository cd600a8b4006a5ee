/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports read back: places in code, and who stands behind a category. */
#ifndef RSSCOPE_IN_JSON_SITES_H
#define RSSCOPE_IN_JSON_SITES_H

#include "in/json_get.h"
#include "model/report/report.h"

/* "stack" of o into *out, at most 256 frames of it. Returns "caller": an index into it, or -1. */
int json_read_stack(struct jget *g, const json_t *o, report_frames *out);

/* "profiles" of a category. */
void json_read_profiles(struct jget *g, const json_t *category, struct report *r,
			enum category cat);

#endif
