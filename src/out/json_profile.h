/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope.profile/1: the JSON of `profile`, one document. Described by profile.schema.json. */
#ifndef RSSCOPE_OUT_JSON_PROFILE_H
#define RSSCOPE_OUT_JSON_PROFILE_H

#include <stdio.h>

#include "model/profile/profile.h"

struct json_profile_head {
	const char *version, *type; /* the tool's; "heap" */
	int32_t pid;		    /* 0: of no process */
};

/* Writes it as it goes: memory does not grow with the samples. 0, -ENOMEM, or -errno of the write.
 */
int json_profile(FILE *f, const struct json_profile_head *h, const struct profile *p);

const char *json_profile_schema(void); /* static */

#endif
