/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking jansson values apart, as they come from a file that anybody may have written: every type
 * and range is checked. The first failure sticks, its text names the key by its path. All functions
 * take a NULL object (nothing is in it) and do nothing after a failure.
 */
#ifndef RSSCOPE_IN_JSON_GET_H
#define RSSCOPE_IN_JSON_GET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/report/report.h"

struct jget {
	int rc; /* 0, -EINVAL, -ENOMEM */
	char path[128];
	struct err *e;
};

/* Sets e to text that may hold anything, made fit for a terminal. Returns rc. */
int jget_error(struct err *e, int rc, const char *fmt, ...) PRINTF(3, 4);

/* Fails with "PATH: fmt". */
void jget_fail(struct jget *g, int rc, const char *fmt, ...) PRINTF(3, 4);

/* Goes into a key or an element and back out, so that messages have the path. */
size_t jget_enter(struct jget *g, const char *key);
size_t jget_enter_index(struct jget *g, size_t i);
void jget_leave(struct jget *g, size_t mark);

/* NULL when it is not there; a failure when it is not of that type. */
const json_t *jget_object(struct jget *g, const json_t *o, const char *key);
const json_t *jget_array(struct jget *g, const json_t *o, const char *key);
const char *jget_text(struct jget *g, const json_t *o, const char *key);

/* Sizes and counts: 0 to 2^63 - 1. */
struct opt_u64 jget_opt(struct jget *g, const json_t *o, const char *key);
uint64_t jget_need(struct jget *g, const json_t *o, const char *key);

/* From least on; has: whether it is there. */
int64_t jget_int(struct jget *g, const json_t *o, const char *key, int64_t least, int64_t most,
		 bool *has);
bool jget_bool(struct jget *g, const json_t *o, const char *key, bool *has);

/* Copies into a fixed field, cut between characters; untouched when absent. */
void jget_copy(struct jget *g, const json_t *o, const char *key, char *dst, size_t n);
/* An allocated copy, or NULL when absent. */
char *jget_dup(struct jget *g, const json_t *o, const char *key);

/* As jput_address() writes it; 0 when absent. */
uint64_t jget_address(struct jget *g, const json_t *o, const char *key);

/* As jput_time() writes it; 0 when absent. */
uint64_t jget_time(struct jget *g, const json_t *o, const char *key);

/* The figures that stand right in that object of a report, as jput_figures() writes them, less
 * those that follow from others. */
void jget_figures(struct jget *g, const json_t *o, struct report *r, const char *object);

/* An object of names and counts. */
void jget_named(struct jget *g, const json_t *o, const char *key, named_vec *out);

#endif
