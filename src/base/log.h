/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages for people, on stderr. stdout is data and belongs to out/. */
#ifndef RSSCOPE_BASE_LOG_H
#define RSSCOPE_BASE_LOG_H

#include "base/cleanup.h"

/* "rsscope: error: …", "rsscope: warning: …" */
void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);

/* Shown only after log_set_verbose(1) (-v). */
void log_debug(const char *fmt, ...) PRINTF(1, 2);
void log_set_verbose(int level);
int log_verbose(void);

#endif
