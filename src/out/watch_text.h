/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside out/: what lines of `watch` for people are made of. Functions that append return 0 or
 * -ENOMEM. */
#ifndef RSSCOPE_OUT_WATCH_TEXT_H
#define RSSCOPE_OUT_WATCH_TEXT_H

#include "out/watch.h"

/* "64.0 MiB", or with --bytes the plain number, into buf, which it returns. */
char *watch_text_size(const struct watch_text *w, char *buf, size_t n, uint64_t bytes);

/* Appends a name that comes from a target, made fit for a terminal. */
int watch_text_name(const struct watch_text *w, const char *s, struct text *out);

/* The call itself. Remembers the break. */
int watch_text_call(struct watch_text *w, const struct event_call *c, struct text *out);

#endif
