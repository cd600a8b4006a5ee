/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about what goroutines cost: their stacks, what ended ones leave, finalizers. */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

/* "100000 goroutines wait in a channel send in main.produce (created by main.fetch)" */
static int put_group(const struct report_site *s, struct text *out)
{
	const char *func = s->caller >= 0 ? s->stack.v[s->caller].func : NULL;
	int r = text_printf(out, "%" PRIu64 " goroutine%s", s->count.v, s->count.v == 1 ? "" : "s");

	if (!r && s->waits)
		r = text_printf(out, " %s in %s", s->count.v == 1 ? "waits" : "wait", s->waits);
	else if (!r && func)
		r = text_printf(out, " %s", s->count.v == 1 ? "is" : "are");
	if (!r && func)
		r = text_printf(out, " in %s", func);
	return !r && s->creator ? text_printf(out, " (created by %s)", s->creator) : r;
}

/* The largest group, and the second where it is of that size. */
static int put_groups(const struct report_profile *p, struct text *out)
{
	char a[32];
	int r = 0;

	for (size_t i = 0; i < p->sites.n && i < 2 && !r; i++) {
		const struct report_site *s = &p->sites.v[i];

		if (i && s->bytes.v < p->bytes.v / 4)
			break;
		r = text_printf(out, "%s", i ? ", " : ": ");
		r = r ? r : put_group(s, out);
		r = r ? r
		      : text_printf(out, " on %s of stack", text_bytes(a, sizeof(a), s->bytes.v));
		if (!r && s->used.has && s->used.v < s->bytes.v / 10)
			r = text_printf(out, ", almost empty");
	}
	return r;
}

static void advise_stacks(struct finding_build *b, const struct report *r,
			  const struct report_site *top)
{
	const struct report_go *g = &r->go;
	bool grown = g->stack_bytes.has &&
		     g->stack_used.v < percent_of(g->stack_bytes.v, STACKS_UNUSED_PERCENT);

	if (top && top->waits && top->creator)
		finding_advise(b,
			       "see what %s starts: goroutines that wait for what never comes (a "
			       "channel without a reader, a request without a timeout) stay for "
			       "ever",
			       top->creator);
	if (grown && g->goroutines.has && g->goroutines.v &&
	    g->stack_bytes.v / g->goroutines.v > 8192)
		finding_advise(b,
			       "most of it is not used: a stack that has grown is halved by a GC "
			       "cycle, when less than a quarter is in use");
	finding_advise(b, "fewer goroutines at a time (a pool, a semaphore), and deep calls or "
			  "large arrays moved out of those of which there are many");
	finding_advise(b, "rsscope watch %d tells whether they become more", r->target.pid);
}

int rule_goroutine_stacks(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct report_profile *p = report_profile_find(r, CAT_GO_STACKS, "goroutine");
	const struct report_site *top = p && p->sites.n ? &p->sites.v[0] : NULL;
	uint64_t bytes = r->ledger.cat[CAT_GO_STACKS].resident;
	_text_ struct text groups = { 0 };
	struct finding_build b;
	char a[32];

	(void)o;
	if (!is_large_part(r, bytes))
		return 0;
	if (p && put_groups(p, &groups))
		return -ENOMEM;
	finding_begin(&b, "goroutine-stacks", SEV_INFO);
	finding_explains(&b, bytes);
	finding_say(&b, "Goroutine stacks take %s%s.", text_bytes(a, sizeof(a), bytes),
		    groups.p ? groups.p : "");
	finding_evidence(&b, "stacks", UNIT_BYTES, bytes, "ledger: go/stacks");
	finding_evidence_opt(&b, "goroutines", UNIT_COUNT, r->go.goroutines, "go.goroutines.total");
	if (top && top->count.has)
		finding_evidence_opt(&b, "in the largest group", UNIT_COUNT, top->count,
				     "ledger: go/stacks, profiles[].sites[0].count");
	if (top)
		finding_evidence_opt(&b, "its stacks", UNIT_BYTES, top->bytes,
				     "ledger: go/stacks, profiles[].sites[0].bytes");
	finding_evidence_opt(&b, "reserved", UNIT_BYTES, r->go.stack_bytes,
			     "go.goroutines.stack_bytes");
	finding_evidence_opt(&b, "used", UNIT_BYTES, r->go.stack_used, "go.goroutines.stack_used");
	finding_evidence(&b, "RSS", UNIT_BYTES, r->rss.scanned, "rss.scanned");
	advise_stacks(&b, r, top);
	finding_next(&b, "rsscope profile %d --type goroutine", r->target.pid);
	return finding_end(&b, out);
}

int rule_dead_goroutines(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct report_go *g = &r->go;
	struct finding_build b;
	uint64_t bytes;
	char a[32], alive[48] = "";

	(void)o;
	if (!g->dead_goroutines.has || !g->descriptor_size.has ||
	    g->dead_goroutines.v > UINT32_MAX || g->descriptor_size.v > UINT32_MAX)
		return 0;
	bytes = g->dead_goroutines.v * g->descriptor_size.v;
	if (!is_large_part(r, bytes))
		return 0;
	if (g->goroutines.has)
		snprintf(alive, sizeof(alive), "; only %" PRIu64 " are alive", g->goroutines.v);
	finding_begin(&b, "dead-goroutines", SEV_INFO);
	finding_explains(&b, bytes);
	finding_say(&b,
		    "%s of the heap are descriptors (runtime.g, allocated by runtime.malg) of "
		    "%" PRIu64 " goroutines that have ended: Go uses them again and never frees "
		    "them%s.",
		    text_bytes(a, sizeof(a), bytes), g->dead_goroutines.v, alive);
	finding_evidence(&b, "ended goroutines", UNIT_COUNT, g->dead_goroutines.v,
			 "go.goroutines.dead");
	finding_evidence(&b, "size of one", UNIT_BYTES, g->descriptor_size.v,
			 "go.goroutines.descriptor_size");
	finding_evidence(&b, "all of them", UNIT_BYTES, bytes, "ended goroutines * size of one");
	finding_evidence_opt(&b, "goroutines", UNIT_COUNT, g->goroutines, "go.goroutines.total");
	finding_evidence(&b, "live heap", UNIT_BYTES, r->ledger.cat[CAT_GO_HEAP_LIVE].resident,
			 "ledger: go/heap/live");
	finding_advise(&b, "bound how many goroutines exist at once (a pool, a semaphore): this is "
			   "the mark of the largest burst");
	finding_advise(&b,
		       "only a restart gives it back (golang/go#9869); until then the next burst "
		       "costs nothing");
	finding_next(&b, "rsscope profile %d --type heap", r->target.pid);
	return finding_end(&b, out);
}

int rule_finalizers_stuck(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct report_go *g = &r->go;
	bool cleanups = g->cleanups_waiting.v > g->finalizers_waiting.v;
	const char *at = cleanups ? g->cleanup_running : g->finalizer_running;
	uint64_t n = cleanups ? g->cleanups_waiting.v : g->finalizers_waiting.v;
	const char *what = cleanups ? "cleanups" : "finalizers";
	char where[400] = "", name[64];
	struct finding_build b;

	(void)o;
	if (n < (*at ? FINALIZERS_QUEUED : FINALIZERS_MANY))
		return 0;
	if (*at)
		snprintf(where, sizeof(where), ", behind %s, which runs or is blocked", at);
	snprintf(name, sizeof(name), "go.%s_waiting", what);
	finding_begin(&b, "finalizers-stuck", SEV_WARNING);
	finding_say(&b, "%" PRIu64 " %s wait to be run%s; what they belong to stays in the heap.",
		    n, what, where);
	finding_evidence(&b, "waiting", UNIT_COUNT, n, name);
	finding_evidence_opt(&b, "live", UNIT_BYTES, g->live, "go.gc.live");
	finding_advise(&b,
		       "let %s not block: no channel, no lock, no I/O that may wait; start a "
		       "goroutine for that",
		       what);
	finding_advise(&b, "close what has a Close method instead of leaving it to the GC");
	finding_next(&b, "rsscope profile %d --type goroutine", r->target.pid);
	return finding_end(&b, out);
}
