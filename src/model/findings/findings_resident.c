/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about memory that RSS and the heap count differently: given back, sparse, not there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

static uint64_t lazily_freed(const struct ledger *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->rows.n; i++) {
		const struct ledger_row *row = &l->rows.v[i];

		if (row->cat == CAT_GO_HEAP_RELEASED && row->id.label &&
		    !strcmp(row->id.label, ROW_LAZILY_FREED))
			sum += row->resident;
	}
	return sum;
}

int rule_lazily_freed(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t bytes = lazily_freed(&r->ledger);
	int minor = outlook_go_minor(r->target.go_version);
	struct finding_build b;
	char a[32], c[32];

	(void)o;
	if (!is_large_part(r, bytes))
		return 0;
	finding_begin(&b, "lazily-freed", SEV_INFO);
	finding_explains(&b, bytes);
	finding_say(&b,
		    "%s of the %s in RSS were given back by the Go runtime with MADV_FREE: the "
		    "kernel takes them as soon as it needs memory, so they are no leak and cannot "
		    "cause an OOM kill.",
		    text_bytes(a, sizeof(a), bytes), text_bytes(c, sizeof(c), r->rss.scanned));
	finding_evidence(&b, "lazily freed", UNIT_BYTES, bytes,
			 "ledger: go/heap/released, lazily freed");
	finding_evidence(&b, "RSS", UNIT_BYTES, r->rss.scanned, "rss.scanned");
	finding_evidence(&b, "RSS without them", UNIT_BYTES, r->rss.scanned - bytes,
			 "rss.scanned - lazily freed");
	if (minor >= 12 && minor <= 15)
		finding_advise(&b,
			       "start it with GODEBUG=madvdontneed=1, as is the default from Go "
			       "1.16 on: memory that is given back leaves RSS at once");
	else
		finding_advise(&b, "start it without GODEBUG=madvdontneed=0: memory that is given "
				   "back leaves RSS at once");
	finding_advise(&b, "or leave it: watch RSS less LazyFree of /proc/%d/smaps_rollup instead",
		       r->target.pid);
	finding_next(&b, "grep LazyFree /proc/%d/smaps_rollup", r->target.pid);
	return finding_end(&b, out);
}

/* Free slots that objects up to the goal will not fill, if they fill free slots first. */
static struct opt_u64 surplus(const struct report *r, const struct outlook *o)
{
	uint64_t unused = r->ledger.cat[CAT_GO_HEAP_UNUSED].resident;

	if (!o->has_heap || !o->to_goal.has)
		return (struct opt_u64){ 0 };
	return OPT(unused > o->to_goal.v ? unused - o->to_goal.v : 0);
}

/* " (most of them allocated by main.load)" */
static void name_site(const struct report *r, char *buf, size_t n)
{
	const struct report_profile *p = report_profile_find(r, CAT_GO_HEAP_UNUSED, "heap");
	const struct report_site *s = p && p->sites.n ? &p->sites.v[0] : NULL;

	*buf = 0;
	if (s && s->caller >= 0 && s->stack.v[s->caller].func)
		snprintf(buf, n, " (most of them allocated by %s)", s->stack.v[s->caller].func);
}

int rule_heap_fragmented(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t unused = r->ledger.cat[CAT_GO_HEAP_UNUSED].resident;
	struct opt_u64 idle = surplus(r, o);
	const struct report_go *g = &r->go;
	char a[32], c[32], site[300], class[420] = "";
	struct finding_build b;

	if (!idle.has || !is_large_part(r, idle.v))
		return 0;
	name_site(r, site, sizeof(site));
	if (g->sparse.size.has && g->sparse.spans.has && g->sparse.objects.has)
		snprintf(class, sizeof(class),
			 ": %" PRIu64 " objects of size class %" PRIu64 "%s pin %" PRIu64
			 " spans, whose free slots only objects of that size can use",
			 g->sparse.objects.v, g->sparse.size.v, site, g->sparse.spans.v);
	finding_begin(&b, "heap-fragmented", SEV_WARNING);
	finding_explains(&b, idle.v);
	finding_say(&b, "%s of the heap are free slots in spans that %s of objects keep in use%s.",
		    text_bytes(a, sizeof(a), unused), text_bytes(c, sizeof(c), o->used), class);
	finding_evidence(&b, "free slots", UNIT_BYTES, unused, "ledger: go/heap/unused");
	finding_evidence(&b, "not needed at the goal", UNIT_BYTES, idle.v,
			 "free slots - (go.gc.goal - objects)");
	finding_evidence(&b, "objects", UNIT_BYTES, o->used,
			 "ledger: go/heap/live + go/heap/new-or-dead");
	finding_evidence_opt(&b, "size class", UNIT_BYTES, g->sparse.size, "go.sparse.size");
	finding_evidence_opt(&b, "its spans", UNIT_COUNT, g->sparse.spans, "go.sparse.spans");
	finding_evidence_opt(&b, "its objects", UNIT_COUNT, g->sparse.objects, "go.sparse.objects");
	finding_evidence_opt(&b, "its free slots", UNIT_BYTES, g->sparse.free, "go.sparse.free");
	finding_advise(&b,
		       "Go moves no object: allocate what lives long apart from what dies soon "
		       "(copy the survivors once the rest is dead), or many of them as one slice");
	finding_advise(&b, "debug.FreeOSMemory() does not help: only whole spans are given back");
	finding_next(&b, "rsscope profile %d --type heap", r->target.pid);
	return finding_end(&b, out);
}

int rule_live_not_resident(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct ledger_cat *c = &r->ledger.cat[CAT_GO_HEAP_LIVE];
	uint64_t all = c->virtual_, swap = c->swap;
	uint64_t absent = all > c->resident ? all - c->resident : 0;
	bool swapped =
		swap >= SWAPPED_MIB * MIB_BYTES && swap >= percent_of(all, SWAPPED_PERCENT_OF_LIVE);
	uint64_t untouched = absent > swap ? absent - swap : 0;
	struct finding_build b;
	char x[32], y[32];

	(void)o;
	if (!swapped && (!is_large_part(r, untouched) || untouched < all / 4))
		return 0;
	finding_begin(&b, "live-not-resident", swapped ? SEV_WARNING : SEV_INFO);
	finding_explains(&b, swapped ? swap : untouched);
	if (swapped)
		finding_say(&b,
			    "%s of the %s of live heap are swapped out: each GC cycle brings back "
			    "what it scans, and the program waits for it.",
			    text_bytes(x, sizeof(x), swap), text_bytes(y, sizeof(y), all));
	else
		finding_say(&b,
			    "%s of the %s of live heap were never touched, and so are not in RSS: "
			    "RSS grows by them when they are.",
			    text_bytes(x, sizeof(x), untouched), text_bytes(y, sizeof(y), all));
	finding_evidence(&b, "live", UNIT_BYTES, all, "ledger: go/heap/live, virtual");
	finding_evidence(&b, "resident", UNIT_BYTES, c->resident, "ledger: go/heap/live");
	finding_evidence(&b, "swapped", UNIT_BYTES, swap, "ledger: go/heap/live, swap");
	finding_evidence(&b, "never touched", UNIT_BYTES, untouched, "live - resident - swapped");
	if (swapped)
		finding_advise(&b, "give it more memory, or less to hold (GOMEMLIMIT below what is "
				   "there): a garbage-collected heap must not be swapped");
	else
		finding_advise(&b, "count with the larger figure when you set a memory limit; make "
				   "buffers as large as they are needed");
	finding_next(&b, "rsscope profile %d --type heap", r->target.pid);
	return finding_end(&b, out);
}
