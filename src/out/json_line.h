/* SPDX-License-Identifier: BSD-2-Clause */
/* A JSON object on one line, written as it comes, not through a tree of values: there may be a
 * hundred thousand a second. Keys are our own and need no escapes. */
#ifndef RSSCOPE_OUT_JSON_LINE_H
#define RSSCOPE_OUT_JSON_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "model/report/report.h"

/* A line under way. Failure is sticky: line_end tells. */
struct json_line {
	struct text *out; /* borrowed; appended to */
	bool comma;	  /* before the next member or element */
	int rc;
};

void line_begin(struct json_line *l, const char *type, struct text *out);
int line_end(struct json_line *l); /* 0 or -ENOMEM */

/* A member. */
void line_put_u64(struct json_line *l, const char *k, uint64_t v); /* left out beyond 2^63 - 1 */
void line_put_opt(struct json_line *l, const char *k, const struct opt_u64 *v); /* or absent */
void line_put_s64(struct json_line *l, const char *k, int64_t v);
void line_put_double(struct json_line *l, const char *k, double v, int decimals);
void line_put_bool(struct json_line *l, const char *k, bool v);
void line_put_addr(struct json_line *l, const char *k, uint64_t v); /* "0x..." */
void line_put_string(struct json_line *l, const char *k, const char *s);
void line_put_known(struct json_line *l, const char *k, const char *s); /* left out: NULL or "" */

/* An element of an array. */
void line_put_hex(struct json_line *l, uint64_t v);
void line_put_quoted(struct json_line *l, const char *s);

/* An array or object: "[" and "]", or "{" and "}". k is NULL for an element. */
void line_open(struct json_line *l, const char *k, const char *bracket);
void line_close(struct json_line *l, const char *bracket);

#endif
