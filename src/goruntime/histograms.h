/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Distributions of durations that the runtime keeps: how long the world was stopped, how long
 * goroutines waited for a P. Sources: runtime/histogram.go (timeHistogram), metrics.go, proc.go,
 * mgc.go of Go 1.16–1.27. Before 1.16 there are none.
 */
#ifndef RSSCOPE_GORUNTIME_HISTOGRAMS_H
#define RSSCOPE_GORUNTIME_HISTOGRAMS_H

#include "goruntime/goruntime.h"

/* One of the runtime's own buckets: durations from_ns <= d < to_ns. */
struct go_hist_bucket {
	uint64_t from_ns, to_ns; /* of no meaning where `below` and `beyond` say so */
	uint64_t count;
	bool below;  /* from −∞: durations that a clock gave as negative */
	bool beyond; /* to +∞ */
};

struct go_histogram {
	const char *name;	      /* static, runtime/metrics' */
	uint64_t count;		      /* of all buckets */
	VEC(struct go_hist_bucket) v; /* those whose count is not 0, ascending */
};

enum { GO_HIST_NAMES = 6 };

struct go_histograms {
	struct go_histogram h[GO_HIST_NAMES];
	size_t n;
	char absent[256]; /* names that the release has and that could not be read; "" */
};

/*
 * All that the release has, each as of one read: other threads may count meanwhile, as they may
 * when the runtime itself reads them. 0; -ENOMEM; -ESRCH.
 */
int go_histograms_read(const struct go_runtime *rt, struct go_histograms *out);
void go_histograms_free(struct go_histograms *h); /* safe on a zeroed struct */

/* What a release calls the histogram `id` in its structures, and where that lies by what was found
 * of the runtime: run-time address. 0: the release has none, or the structure was not found. */
uint64_t go_histogram_place(const struct go_runtime *rt, enum go_hist_id id);

#endif
