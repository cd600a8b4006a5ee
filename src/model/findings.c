/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *severity_name(enum severity s)
{
	static const char *const name[] = { "info", "warning", "critical" };

	return name[s];
}

struct opt_u64 findings_headroom(const struct report *r)
{
	uint64_t limit = r->cgroup.effective_limit.v, usage = r->cgroup.usage.v;

	if (!r->cgroup.effective_limit.has || !r->cgroup.usage.has)
		return (struct opt_u64){ 0 };
	return OPT(limit > usage ? limit - usage : 0);
}

/* ---- rules: each looks at the facts and adds at most one finding. 0 or -ENOMEM. */

typedef int rule_fn(struct report *r);

static rule_fn *const rules[] = {
	NULL, /* none yet */
};

static int by_severity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return strcmp(x->id, y->id);
}

int findings_make(struct report *r)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		int rc = rules[i] ? rules[i](r) : 0;

		if (rc)
			return rc;
	}
	if (r->findings.n > 1)
		qsort(r->findings.v, r->findings.n, sizeof(*r->findings.v), by_severity);
	return 0;
}

/* ---- the sentence */

bool findings_unlimited(const struct report *r)
{
	if (!r->cgroup.version || !r->cgroup.usage.has || r->cgroup.effective_limit.has)
		return false;
	for (size_t i = 0; i < r->missing.n; i++)
		if (!strncmp(r->missing.v[i].path, "cgroup", 6) &&
		    (strstr(r->missing.v[i].reason, "limit") ||
		     strstr(r->missing.v[i].reason, "memory.max")))
			return false;
	return true;
}

int findings_sentence(const struct report *r, struct text *out)
{
	struct opt_u64 room = findings_headroom(r);
	char rss[32], left[32], limit[32];
	int rc;

	text_bytes(rss, sizeof(rss), r->rss.scanned);
	if (r->findings.n)
		rc = text_printf(out, "%s RSS is %s", r->findings.v[0].summary, rss);
	else
		rc = text_printf(out, "No finding: RSS is %s", rss);
	if (rc)
		return rc;
	if (room.has) {
		text_bytes(left, sizeof(left), room.v);
		text_bytes(limit, sizeof(limit), r->cgroup.effective_limit.v);
		return text_printf(out, ", %s are left to the memory limit of %s.", left, limit);
	}
	if (findings_unlimited(r))
		return text_printf(out, ", no memory limit applies.");
	return text_printf(out, "; whether a memory limit applies is not known.");
}
