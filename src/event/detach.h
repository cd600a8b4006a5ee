/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Destroying links. The kernel waits for grace periods of its own at each tracepoint and uprobe
 * (tracepoint_synchronize_unregister in perf_trace_event_unreg(),
 * kernel/trace/trace_event_perf.c): some 50 ms, one after the other. Waits that are begun together
 * end together, so that each link has a thread for it.
 */
#ifndef RSSCOPE_EVENT_DETACH_H
#define RSSCOPE_EVENT_DETACH_H

#include <pthread.h>

#include <bpf/libbpf.h>

#include "base/vec.h"

/* Links on their way out; all zeros to begin with. */
struct detacher {
	VEC(pthread_t) threads;
};

/* Destroys a link (NULL: none), aside where a thread can be had. It is the detacher's now. */
void detach_link(struct detacher *d, struct bpf_link *link);

/* Returns when all of them are gone. */
void detach_wait(struct detacher *d);

#endif
