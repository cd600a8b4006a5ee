/* SPDX-License-Identifier: BSD-2-Clause */
/* `watch`: the events of a process as they come, samples of its sizes, reports at the end. */
#ifndef RSSCOPE_OBSERVE_WATCH_H
#define RSSCOPE_OBSERVE_WATCH_H

#include "observe/observe.h"
#include "source/memsrc.h"

struct watch_opts {
	struct observe_opts o;
	int fd;		 /* where all goes; borrowed */
	double duration; /* seconds; 0: until the process ends, or a signal */
	bool no_report;
	bool pss;     /* in reports */
	bool gctrace; /* GC cycles only, as the runtime prints them */
	bool each;    /* event has its line, in text too; else as fold.h has it */
	bool live;    /* print what is known to be mapped at the end */
};

struct watch_result {
	const char *why; /* it ended: static; NULL: it did not begin */
	int write_rc;	 /* of writing: 0 or -errno */
	bool partial;	 /* a part could not be watched, or there is no report */
};

/* Watches the process behind m, which is live, until SIGINT, SIGTERM or SIGHUP (blocked from here
 * on), its end or the duration. 0 or -errno; *out is filled in any case. */
int watch_process(struct memsrc *m, const struct watch_opts *o, struct watch_result *out,
		  struct err *e);

/* What can be chosen of events. */
struct watch_group {
	const char *name;
	enum ev_group group;
};
enum { WATCH_GROUPS = 5 };
extern const struct watch_group watch_groups[WATCH_GROUPS];

#endif
