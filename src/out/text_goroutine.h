/* SPDX-License-Identifier: BSD-2-Clause */
/* A goroutine as the Go runtime's tracebacks print it (runtime/traceback.go, debug=2 of
 * net/http/pprof), arguments left out. */
#ifndef RSSCOPE_OUT_TEXT_GOROUTINE_H
#define RSSCOPE_OUT_TEXT_GOROUTINE_H

#include "base/text.h"
#include "model/profile/goroutine.h"

/* Appends it, and an empty line. 0 or -ENOMEM. */
int text_goroutine(const struct goroutine *g, struct text *out);

#endif
