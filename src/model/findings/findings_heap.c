/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about memory that the Go heap holds without need. */
#include <inttypes.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

static bool is_large(uint64_t bytes, uint64_t rss, unsigned int mib, unsigned int percent)
{
	return bytes >= mib * MIB_BYTES && bytes >= percent_of(rss, percent);
}

int rule_heap_retained(const struct report *r, const struct outlook *o, finding_vec *out)
{
	uint64_t idle = o->idle.v < o->kept ? o->idle.v : o->kept;
	int minor = outlook_go_minor(r->target.go_version);
	struct finding_build b;
	char a[32];

	if (!o->idle.has || !is_large(idle, r->rss.scanned, RETAINED_MIB, RETAINED_PERCENT_OF_RSS))
		return 0;
	finding_begin(&b, "heap-retained", SEV_WARNING);
	finding_explains(&b, idle);
	finding_say(
		&b,
		"The Go runtime keeps %s of free memory resident, left from a peak: the heap will "
		"not need it at the GC goal.",
		text_bytes(a, sizeof(a), idle));
	finding_evidence(&b, "free", UNIT_BYTES, o->kept, "ledger: go/heap/free");
	finding_evidence(&b, "heap", UNIT_BYTES, o->heap, "ledger: go/heap");
	finding_evidence_opt(&b, "goal", UNIT_BYTES, o->goal, "go.gc.goal");
	finding_evidence_opt(&b, "live", UNIT_BYTES, o->live, "ledger: go/heap/live");
	finding_evidence(&b, "idle at goal", UNIT_BYTES, idle,
			 "free memory beyond what the heap needs at the goal");
	finding_evidence(&b, "RSS", UNIT_BYTES, r->rss.scanned, "rss.scanned");
	finding_advise(
		&b, "wait: the background scavenger returns it within minutes, at 1 %% of a CPU");
	finding_advise(&b, "or call debug.FreeOSMemory() after the peak: immediate, runs a GC");
	if (minor >= 19 && !r->go.memory_limit.has && o->limit.has)
		finding_advise(&b, "or set GOMEMLIMIT: memory is then returned as the limit "
				   "comes near");
	if (minor >= 12 && minor <= 15)
		finding_advise(&b, "or set GODEBUG=madvdontneed=1: Go 1.12 to 1.15 return memory "
				   "with MADV_FREE, which the kernel reclaims only under pressure");
	finding_next(&b, "rsscope watch %d", r->target.pid);
	return finding_end(&b, out);
}

int rule_thp_bloat(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct ledger_cat *c = r->ledger.cat;
	uint64_t huge = c[CAT_GO_HEAP_RELEASED].huge;
	int minor = outlook_go_minor(r->target.go_version);
	struct finding_build b;
	char a[32];

	if (!o->has_heap || !is_large(huge, r->rss.scanned, THP_MIB, THP_PERCENT_OF_RSS))
		return 0;
	finding_begin(&b, "thp-bloat", SEV_WARNING);
	finding_explains(&b, huge);
	finding_say(&b,
		    "Huge pages keep %s resident that the Go runtime has returned to the kernel.",
		    text_bytes(a, sizeof(a), huge));
	finding_evidence(&b, "released, huge", UNIT_BYTES, huge, "ledger: go/heap/released, huge");
	finding_evidence(&b, "released, resident", UNIT_BYTES, c[CAT_GO_HEAP_RELEASED].resident,
			 "ledger: go/heap/released");
	finding_evidence(&b, "free, huge", UNIT_BYTES, c[CAT_GO_HEAP_FREE].huge,
			 "ledger: go/heap/free, huge");
	finding_evidence(&b, "unused, huge", UNIT_BYTES, c[CAT_GO_HEAP_UNUSED].huge,
			 "ledger: go/heap/unused, huge");
	finding_evidence(&b, "RSS", UNIT_BYTES, r->rss.scanned, "rss.scanned");
	finding_advise(&b, "echo 0 >/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none: "
			   "this stops khugepaged from filling gaps");
	finding_advise(&b, "or echo madvise >/sys/kernel/mm/transparent_hugepage/enabled");
	if (minor >= 21)
		finding_advise(&b, "or start it with GODEBUG=disablethp=1 (Go 1.21.6 and later)");
	finding_next(&b, "rsscope watch %d", r->target.pid);
	return finding_end(&b, out);
}
