/* SPDX-License-Identifier: BSD-2-Clause */
/* --follow: the processes that the program has forked. */
#include <stdlib.h>

#include "observe/run_impl.h"

void run_children_event(struct run *r, const struct event *e)
{
	struct follow_proc *p = follow_event(&r->follow, e);
	bool fork = event_kind(e) == KIND_FORK;

	r->seen.events[KIND_FORK] += fork;
	if (p || fork)
		run_stream_child(&r->stream, p, e);
	follow_done(&r->follow);
}

size_t run_children_reports(struct run *r, struct report **out)
{
	struct report *v = calloc(r->follow.v.n + 1, sizeof(*v)); /* + 1: 0 is none */
	size_t n = 0;

	for (size_t i = 0; v && i < r->follow.v.n; i++) {
		struct collect_opts co = { 0 };

		if (!follow_report(r->follow.v.v[i], &co, &v[n]))
			n++;
	}
	*out = v;
	return n;
}
