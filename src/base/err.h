/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An error that can be shown to a person: what failed, why, and what to do next.
 *
 * Functions return 0 or -errno; those that know more than the number also fill a `struct err`.
 * Every function here accepts a NULL `e`.
 */
#ifndef RSSCOPE_BASE_ERR_H
#define RSSCOPE_BASE_ERR_H

#include "base/cleanup.h"

struct err {
	int code;	/* -errno of the failure, 0 when none */
	char text[768]; /* one line, no trailing newline: "what: why; what to do next" */
};

/* Sets code and text, returns code. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "fmt: " before the text that is already there, returns e's code (or code when e is NULL). */
int err_prefix(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

#endif
