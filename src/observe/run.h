/* SPDX-License-Identifier: BSD-2-Clause */
/* `run`: a program from its first instruction to its end, and a report. */
#ifndef RSSCOPE_OBSERVE_RUN_H
#define RSSCOPE_OBSERVE_RUN_H

#include "observe/observe.h"

struct run_opts {
	struct observe_opts o; /* interval: between ledgers at most; 0: only at growth */
	char **cmd;	       /* NULL-terminated; borrowed */
	const char *user;      /* NULL: ours */
	int fd;		       /* where events and reports go; borrowed */
	bool events;	       /* as they come */
};

/* Exit codes that env(1), timeout(1) and shells use: CMD never ran. */
enum { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

/* Runs CMD to its end and reports on it. All signals are blocked from here on. Returns the exit
 * code: CMD's own, 128 + N when signal N ended it, or one of the above, with the reason logged. */
int run_program(const struct run_opts *o);

#endif
