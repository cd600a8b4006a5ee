/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule about what the memory profiler itself takes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "model/findings/findings_build.h"
#include "model/findings/findings_rules.h"
#include "model/findings/thresholds.h"

/* ": 131099 distinct allocation stacks, 131072 of them through main.parse" */
static int put_stacks(const struct report_profile *p, struct text *out)
{
	const struct report_site *s = p && p->sites.n ? &p->sites.v[0] : NULL;
	int r = 0;

	if (p && p->count.has)
		r = text_printf(out, ": %" PRIu64 " distinct allocation stacks", p->count.v);
	if (!r && p && p->count.has && s && s->count.has && s->caller >= 0)
		r = text_printf(out, ", %" PRIu64 " of them through %s", s->count.v,
				s->stack.v[s->caller].func);
	return r;
}

int rule_profiler_buckets(const struct report *r, const struct outlook *o, finding_vec *out)
{
	const struct report_profile *p = report_profile_find(r, CAT_GO_PROFILER, "buckets");
	uint64_t bytes = r->ledger.cat[CAT_GO_PROFILER].resident;
	int minor = outlook_go_minor(r->target.go_version);
	_text_ struct text stacks = { 0 };
	struct finding_build b;
	char a[32];

	(void)o;
	if (!is_large_part(r, bytes))
		return 0;
	if (put_stacks(p, &stacks))
		return -ENOMEM;
	finding_begin(&b, "profiler-buckets", SEV_WARNING);
	finding_explains(&b, bytes);
	finding_say(&b, "%s are the memory profiler's own buckets%s; they are never freed.",
		    text_bytes(a, sizeof(a), bytes), stacks.p ? stacks.p : "");
	finding_evidence(&b, "buckets", UNIT_BYTES, bytes, "ledger: go/profiler");
	if (p)
		finding_evidence_opt(&b, "stacks", UNIT_COUNT, p->count,
				     "ledger: go/profiler, profiles[].count");
	finding_evidence(&b, "live heap", UNIT_BYTES, r->ledger.cat[CAT_GO_HEAP_LIVE].resident,
			 "ledger: go/heap/live");
	finding_evidence(&b, "RSS", UNIT_BYTES, r->rss.scanned, "rss.scanned");
	if (minor >= 23)
		finding_advise(&b, "start it with GODEBUG=profstackdepth=32: shorter stacks, of "
				   "which there are fewer (Go 1.23 raised the depth to 128)");
	finding_advise(&b, "or set runtime.MemProfileRate = 0 first thing in main, if nobody takes "
			   "heap profiles");
	finding_advise(&b,
		       "recursion of which each depth allocates makes ever new stacks: allocate "
		       "outside of it");
	finding_next(&b, "rsscope profile %d --type allocs", r->target.pid);
	return finding_end(&b, out);
}
