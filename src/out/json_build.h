/* SPDX-License-Identifier: BSD-2-Clause */
/* Building jansson values without a check a line: failure is sticky and asked for once. */
#ifndef RSSCOPE_OUT_JSON_BUILD_H
#define RSSCOPE_OUT_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/report/report.h"

struct jbuild {
	bool failed; /* out of memory */
};

/* Takes the value. A NULL value is a failure. */
void jput(struct jbuild *b, json_t *object, const char *key, json_t *value);
void jput_text(struct jbuild *b, json_t *object, const char *key, const char *s);

/* Left out when absent, empty, NULL or beyond 2^63−1. */
void jput_u64(struct jbuild *b, json_t *object, const char *key, uint64_t v);
void jput_opt(struct jbuild *b, json_t *object, const char *key, struct opt_u64 v);
void jput_known(struct jbuild *b, json_t *object, const char *key, const char *s);

/* For figures that are always there: one beyond 2^63-1, which only a made-up capture can hold, is
 * written as that. */
void jput_size(struct jbuild *b, json_t *object, const char *key, uint64_t v);

/* "2026-11-21T21:54:00.000000000Z"; left out when 0. */
void jput_time(struct jbuild *b, json_t *object, const char *key, uint64_t unix_ns);

/* Puts a new object or array and returns it (borrowed), or NULL; the functions above take NULL. */
json_t *jput_object(struct jbuild *b, json_t *object, const char *key);
json_t *jput_array(struct jbuild *b, json_t *object, const char *key);
json_t *jadd_object(struct jbuild *b, json_t *array);

/* "0x7f0000000000" */
void jput_address(struct jbuild *b, json_t *object, const char *key, uint64_t addr);
/* The keys that tell a row of the ledger from others: name, kind, and what the kind has. */
void jput_row_id(struct jbuild *b, json_t *object, const char *name, const struct row_id *id);

/* The figures that stand right in that object of a report: "go.gc"; "": the report itself. */
void jput_figures(struct jbuild *b, json_t *o, const struct report *r, const char *object);

/* What stands between values. 0 or -errno of the write. */
int jwrite(FILE *f, const char *s);

/* Parts that documents of several kinds have. */
void jput_host(struct jbuild *b, json_t *top, const struct report *r);
void jput_target(struct jbuild *b, json_t *top, const struct report_target *t);
void jput_findings(struct jbuild *b, json_t *top, const finding_vec *v);
void jput_missing(struct jbuild *b, json_t *top, const struct report *r);

/* One report as a value, NULL when out of memory. The caller decrefs it. */
json_t *json_report_value(const struct report *r);

/* Who asked for memory: left out where nothing of that is known. */
void json_put_origins(struct jbuild *b, json_t *top, const struct report *r);
/* "caller", unless it is below 0, and "stack". */
void json_put_stack(struct jbuild *b, json_t *o, int caller, const report_frames *f);

/* Who stands behind a category: left out where nothing of that is known. */
void json_put_profiles(struct jbuild *b, json_t *o, const struct report *r, enum category cat);

/* What the Go heap held at its peak: left out where nothing of that is known. */
void json_put_peak(struct jbuild *b, json_t *top, const struct report *r);

/* What `run` knows beside the ledger. */
void json_put_run(struct jbuild *b, json_t *top, const struct report *r);

#endif
