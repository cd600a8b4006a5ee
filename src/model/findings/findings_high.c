/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule about memory.high: above it the kernel reclaims and stalls, and kills nobody. */
#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

int rule_memory_high(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct report_cgroup *c = &r->cgroup;
	struct finding_build b;
	char used[32], high[32];

	if (!c->high.has || !c->usage.has || !c->high.v ||
	    c->usage.v < percent_of(c->high.v, HIGH_PERCENT) ||
	    (c->effective_limit.has && c->effective_limit.v <= c->high.v))
		return 0;
	finding_begin(&b, "memory-high", SEV_WARNING);
	finding_explains(&b, c->usage.v);
	finding_say(&b,
		    "The cgroup uses %s of its memory.high of %s: the kernel reclaims its memory "
		    "and stalls its processes.",
		    text_bytes(used, sizeof(used), c->usage.v),
		    text_bytes(high, sizeof(high), c->high.v));
	finding_evidence(&b, "high", UNIT_BYTES, c->high.v, "cgroup.high");
	finding_evidence(&b, "usage", UNIT_BYTES, c->usage.v, "cgroup.usage");
	finding_evidence_opt(&b, "reclaimable", UNIT_BYTES, o->reclaimable,
			     "cgroup.rows: inactive_file + active_file + slab_reclaimable");
	finding_advise(&b, "raise memory.high, or reduce memory use: see the largest rows of the "
			   "ledger and of the cgroup");
	finding_next(&b, "rsscope watch %d", r->target.pid);
	return finding_end(&b, out);
}
