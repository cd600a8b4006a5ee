/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional size by category. The kernel gives it for whole mappings only, so a category gets
 * one only when each of its mappings belongs to it whole: files, libraries, the executable's
 * segments, shared memory, the main stack.
 */
#include "collect/pss.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct line {
	uint64_t start, end;
};

static bool mapping_line(const char *l, struct line *out)
{
	int n = 0;

	return sscanf(l, "%" SCNx64 "-%" SCNx64 " %n", &out->start, &out->end, &n) == 2 && n > 0 &&
	       out->start < out->end && strchr("rwxsp-", l[n]);
}

static void post(struct look *k, const struct line *m, uint64_t pss, bool poisoned[CAT_COUNT])
{
	struct ledger *l = &k->r->ledger;
	uint64_t page = memsrc_page_size(k->m);
	uint32_t row = ledger_owner(l, m->start);
	enum category c = l->rows.v[row].cat;

	for (uint64_t a = m->start; a < m->end; a += page) {
		enum category d = l->rows.v[ledger_owner(l, a)].cat;

		if (d != c) {
			poisoned[c] = poisoned[d] = true;
			return;
		}
		if (a - m->start > (1ULL << 26)) { /* sparse giants are never of one owner */
			uint64_t last = m->end - page;

			if (l->rows.v[ledger_owner(l, last)].cat != c)
				poisoned[c] = true;
			break;
		}
	}
	l->cat[c].pss += pss;
	l->cat[c].has_pss = true;
	l->rows.v[row].pss += pss;
	l->rows.v[row].has_pss = true;
}

int collect_pss(struct look *k)
{
	bool poisoned[CAT_COUNT] = { false };
	_text_ struct text t = { 0 };
	struct line m = { 0 };
	int r;

	if (!k->opts->pss)
		return report_missing(k->r, "ledger[].pss", "--pss", "not asked for");
	r = memsrc_text(k->m, "proc/smaps", 0, &t);
	if (r)
		return report_missing(k->r, "ledger[].pss", "", "smaps: %s", strerror(-r));
	for (const char *l = t.p; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL) {
		uint64_t v;

		if (mapping_line(l, &m))
			continue;
		if (m.end && !strncmp(l, "Pss:", 4) && sscanf(l + 4, "%" SCNu64, &v) == 1)
			post(k, &m, v * 1024, poisoned);
	}
	for (int c = 0; c < CAT_COUNT; c++)
		if (poisoned[c])
			k->r->ledger.cat[c].has_pss = false;
	for (size_t i = 0; i < k->r->ledger.rows.n; i++)
		if (poisoned[k->r->ledger.rows.v[i].cat])
			k->r->ledger.rows.v[i].has_pss = false;
	return 0;
}
