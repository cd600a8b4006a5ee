/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of a report that only `run` has. */
#include "out/text_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "1.25 s", "420 ms" */
static const char *duration(char buf[32], uint64_t ns)
{
	if (ns < 10000000)
		snprintf(buf, 32, "%.1f\1ms", ns / 1e6);
	else if (ns < 1000000000)
		snprintf(buf, 32, "%.0f\1ms", ns / 1e6);
	else
		snprintf(buf, 32, "%.2f\1s", ns / 1e9);
	return buf;
}

static void put_run_end(struct para *a, const struct report_run *r)
{
	const char *name = r->signal ? sigabbrev_np(r->signal) : NULL;

	if (!r->ended)
		para_add(a, "still running");
	else if (!r->signal)
		para_add(a, "exited with status %d", r->status);
	else if (name)
		para_add(a, "killed by SIG%s%s", name, r->core_dumped ? ", core dumped," : "");
	else
		para_add(a, "killed by signal %d", r->signal);
}

static void put_counters(struct para *a, const struct text_page *p, const struct report_run *r)
{
	struct opt_u64 high = p->r->rss.high_water;
	char b[32];

	if (high.has)
		para_add(a, "; RSS peak %s", page_keep(p, b, high.v));
	if (r->last_rss.has)
		para_add(a, ", last %s", page_keep(p, b, r->last_rss.v));
	if (r->tree_max_rss.has && r->tree_max_rss.v / 51 * 50 > high.v)
		para_add(a, ", its largest child's peak %s", page_keep(p, b, r->tree_max_rss.v));
	if (r->minor_faults.has)
		para_add(a, "; %" PRIu64 " faults", r->minor_faults.v);
	if (r->major_faults.has && r->major_faults.v)
		para_add(a, ", %" PRIu64 " from disk", r->major_faults.v);
	if (r->gc_cycles.has)
		para_add(a, "; %" PRIu64 " GC cycle%s", r->gc_cycles.v,
			 r->gc_cycles.v == 1 ? "" : "s");
}

static void put_events(struct para *a, const struct report_run *r)
{
	static const struct {
		const char *name, *one, *more;
	} shown[] = {
		{ "mmap", "mmap", "mmap" },
		{ "munmap", "munmap", "munmap" },
		{ "mremap", "mremap", "mremap" },
		{ "brk", "brk", "brk" },
		{ "thread_start", "thread started", "threads started" },
		{ "fork", "fork", "forks" },
		{ "exec", "exec", "execs" },
	};
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		const struct named_u64 *v = named_find(&r->events, shown[i].name);

		if (v && v->v)
			para_add(a, "%s %" PRIu64 " %s", n++ ? "," : ";", v->v,
				 v->v == 1 ? shown[i].one : shown[i].more);
	}
}

void page_run(struct text_page *p)
{
	const struct report_run *r = &p->r->run;
	struct para a = { .p = p, .label = "run" }, snap = { .p = p, .label = "snapshot" };
	char b[32];

	if (!r->known)
		return;
	put_run_end(&a, r);
	if (r->wall_ns.has)
		para_add(&a, "after %s", duration(b, r->wall_ns.v));
	if (r->user_ns.has)
		para_add(&a, ", user %s", duration(b, r->user_ns.v));
	if (r->system_ns.has)
		para_add(&a, ", system %s", duration(b, r->system_ns.v));
	put_counters(&a, p, r);
	put_events(&a, r);
	if (r->followed.has && r->followed_ended.has)
		para_add(&a, ", followed %" PRIu64 " children, %" PRIu64 " of which exited",
			 r->followed.v, r->followed_ended.v);
	para_end(&a);
	if (!r->ledger_age_ns.has)
		return;
	para_add(&snap, "taken %s before %s", duration(b, r->ledger_age_ns.v),
		 r->ended ? "exit" : "now");
	para_add(&snap, strcmp(r->ledger_at, "peak") ? ", the last of" : ", the largest of");
	para_add(&snap, "%" PRIu64, r->ledgers.v);
	para_end(&snap);
}
