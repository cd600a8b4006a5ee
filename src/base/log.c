/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static int verbose; /* set once, while options are parsed */

static void put(const char *level, const char *fmt, va_list ap)
{
	int saved = errno;
	char line[1024];
	int n = snprintf(line, sizeof(line), "rsscope: %s", level);

	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	fprintf(stderr, "%s\n", line);
	errno = saved;
}

#define LOG(name, level)                                                                           \
	void log_##name(const char *fmt, ...)                                                      \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		put(level, fmt, ap);                                                               \
		va_end(ap);                                                                        \
	}
LOG(error, "error: ")
LOG(warn, "warning: ")

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	va_start(ap, fmt);
	put("debug: ", fmt, ap);
	va_end(ap);
}

void log_set_verbose(int level)
{
	verbose = level;
}

int log_verbose(void)
{
	return verbose;
}
