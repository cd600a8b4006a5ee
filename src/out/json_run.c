/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of a report that only `run` has. */
#include "out/json_build.h"

void json_put_run(struct jbuild *b, json_t *top, const struct report_run *r)
{
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
	jput_opt(b, o, "wall_ns", r->wall_ns);
	jput_opt(b, o, "user_ns", r->user_ns);
	jput_opt(b, o, "system_ns", r->system_ns);
	jput_opt(b, o, "ledgers", r->ledgers);
	jput_known(b, o, "ledger_at", r->ledger_at);
	jput_opt(b, o, "ledger_age_ns", r->ledger_age_ns);
	jput_opt(b, o, "last_rss", r->last_rss);
	jput_opt(b, o, "tree_max_rss", r->tree_max_rss);
	jput_opt(b, o, "minor_faults", r->minor_faults);
	jput_opt(b, o, "major_faults", r->major_faults);
	jput_opt(b, o, "gc_cycles", r->gc_cycles);
	jput_opt(b, o, "children_followed", r->followed);
	jput_opt(b, o, "children_ended", r->followed_ended);
	events = jput_object(b, o, "events");
	for (size_t i = 0; i < r->events.n; i++)
		jput_u64(b, events, r->events.v[i].name, r->events.v[i].v);
}
