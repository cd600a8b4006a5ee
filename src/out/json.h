/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rsscope.report/1: the JSON of `report`, one document of one or more reports. Described by
 * report.schema.json. Keys come in a fixed order; what is not known is absent; integers are plain
 * (one beyond 2^63−1 is left out); strings from the target are made valid UTF-8.
 */
#ifndef RSSCOPE_OUT_JSON_H
#define RSSCOPE_OUT_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "model/report/report.h"

/* A document under way: one report is in memory at a time. */
struct json_stream {
	FILE *f;	     /* borrowed */
	const char *version; /* borrowed: the tool's */
	unsigned int n;	     /* reports so far */
};

/* Nothing is written before the first report, whose time and host stand for the document. */
void json_begin(struct json_stream *s, FILE *f, const char *version);

/* 0, -ENOMEM, or -errno of the write. */
int json_report(struct json_stream *s, const struct report *r);

/* Ends the document; writes nothing when there was no report. 0 or -errno. */
int json_end(struct json_stream *s);

/* The whole document of one report on one line, with "type": "report" first: the end of a stream.
 * 0, -ENOMEM, or -errno of the write. */
int json_report_line(FILE *f, const char *version, const struct report *r);

/* The JSON Schema of all this, as text. Static. */
const char *json_schema(void);

#endif
