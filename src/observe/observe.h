/* SPDX-License-Identifier: BSD-2-Clause */
/* What `watch` and `run` have in common: what to attach, what to print and how. */
#ifndef RSSCOPE_OBSERVE_OBSERVE_H
#define RSSCOPE_OBSERVE_OBSERVE_H

#include "event/ev.h"
#include "goruntime/cache.h"
#include "model/report/report.h"
#include "observe/peak.h"
#include "out/text_report.h"

/* Descriptors of the files of all that is observed: what has ended is named by what is open. */
enum { OBSERVE_FDS = 128 };

struct observe_opts {
	uint32_t groups;	/* EV_* */
	uint64_t ring;		/* bytes; 0: the default */
	bool fallbacks, follow; /* as in struct ev_options */
	struct go_cache *cache; /* borrowed, may be NULL */
	double interval;	/* seconds: watch: between samples, 0 none; run: see there */
	int peak_fd; /* where the profile of the heap's peak goes, pprof's format; −1: nowhere */
	bool json;
	struct text_style style; /* of text for people */
	const char *version;	 /* of this program, for JSON */
	/* Called once probes are attached, before anything is read of them, to give up privileges;
	 * child: the one that `run` has forked, 0: none. May be NULL. */
	void (*attached)(pid_t child);
};

/* Writes the profile of the peak where it was asked for; p may be NULL. False: it was asked for,
 * and there is none, or not all of it: told. */
bool observe_write_peak(const struct observe_opts *o, struct peak *p);

/* Appends a report to a stream: as text, or as JSON on one line. 0 or -ENOMEM. */
int observe_put_report(const struct observe_opts *o, const struct report *r, struct text *out);

#endif
