/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope.diff/1: the JSON of `diff`, one document. Described by diff.schema.json. */
#ifndef RSSCOPE_OUT_JSON_DIFF_H
#define RSSCOPE_OUT_JSON_DIFF_H

#include <stdio.h>

#include "model/report/diff.h"

/* The names are what the user called the two sides by. 0, -ENOMEM, or -errno of the write. */
int json_diff(FILE *f, const char *version, const struct diff *d, const char *name_a,
	      const char *name_b);

/* The JSON Schema of it, as text. Static. */
const char *json_diff_schema(void);

#endif
