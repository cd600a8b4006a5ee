/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional size by category. The kernel gives it for whole mappings only, so a category gets
 * one only when each of its mappings belongs to it whole: files, libraries, the executable's
 * segments, shared memory, the main stack.
 */
#include "collect/pss.h"

#include <string.h>

#include "proc/smaps.h"

/* The heap, its books and malloc's share mappings with others by nature. */
static bool maps_whole(enum category c)
{
	return c == CAT_BINARY_TEXT || c == CAT_BINARY_RODATA || c == CAT_NATIVE_STACKS ||
	       c == CAT_LIBS || c == CAT_FILES || c == CAT_SHM;
}

/* Adds a mapping's figure to the category that owns all its resident pages. Where several do,
 * each of those has none. */
static void post(struct look *k, const struct smaps_walk *m, bool poisoned[CAT_COUNT])
{
	struct ledger *l = &k->r->ledger;
	uint32_t row = ledger_owner(&k->ledger, m->start);
	enum category c = l->rows.v[row].cat;
	uint64_t pss = smaps_bytes(m);
	bool seen[CAT_COUNT] = { [0] = false };
	int kinds = 0;

	for (size_t i = range_lower(k->pages.v, k->pages.n, m->start);
	     i < k->pages.n && k->pages.v[i].start < m->end; i++) {
		const struct range *g = &k->pages.v[i];
		uint64_t a = g->start > m->start ? g->start : m->start;
		uint64_t z = g->end < m->end ? g->end : m->end;

		for (uint64_t end; a < z && (g->flags & PAGE_PRESENT); a = end) {
			row = ledger_owner_to(&k->ledger, a, &end);
			seen[l->rows.v[row].cat] = true;
		}
	}
	for (int i = 0; i < CAT_COUNT; i++) {
		kinds += seen[i];
		c = seen[i] ? (enum category)i : c;
	}
	if (!maps_whole(c) || kinds > 1) {
		for (int i = 0; i < CAT_COUNT; i++)
			poisoned[i] |= seen[i];
		return;
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
	struct smaps_walk m = { 0 };
	int r;

	if (!k->opts->pss)
		return report_missing(k->r, "ledger[].pss", "--pss", "not asked for");
	r = memsrc_text(k->m, "proc/smaps", 0, &t);
	if (r)
		return report_missing(k->r, "ledger[].pss", "", "smaps: %s", strerror(-r));
	m.next = t.p;
	m.last = t.p + t.n;
	while (smaps_next(&m, "Pss:"))
		post(k, &m, poisoned);
	for (int c = 0; c < CAT_COUNT; c++)
		if (poisoned[c])
			k->r->ledger.cat[c].has_pss = false;
	for (size_t i = 0; i < k->r->ledger.rows.n; i++)
		if (poisoned[k->r->ledger.rows.v[i].cat])
			k->r->ledger.rows.v[i].has_pss = false;
	return 0;
}
