/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of a report that only `run` has. */
#include "out/json_build.h"

void json_put_run(struct jbuild *b, json_t *top, const struct report *report)
{
	const struct report_run *r = &report->run;
	json_t *o, *events;

	if (!r->known)
		return;
	o = jput_object(b, top, "run");
	jput(b, o, "ended", json_boolean(r->ended));
	if (r->ended && r->signal) {
		jput(b, o, "signal", json_integer(r->signal));
		jput(b, o, "core_dumped", json_boolean(r->core_dumped));
	} else if (r->ended) {
		jput(b, o, "exit_status", json_integer(r->status));
	}
	jput_known(b, o, "ledger_at", r->ledger_at);
	jput_figures(b, o, report, "run");
	events = jput_object(b, o, "events");
	for (size_t i = 0; i < r->events.n; i++)
		jput_u64(b, events, r->events.v[i].name, r->events.v[i].v);
}
