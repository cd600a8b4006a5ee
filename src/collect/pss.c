/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional size by category. The kernel gives it for whole mappings only, so a category gets
 * one only when each of its mappings belongs to it whole: files, libraries, the executable's
 * segments, shared memory, the main stack.
 */
#include "collect/pss.h"

#include <stdlib.h>
#include <string.h>

/* Not by sscanf, which takes the length of all that follows: smaps may be megabytes. */
bool smaps_mapping(const char *l, struct smaps_line *out)
{
	char *p;

	out->start = strtoull(l, &p, 16);
	if (p == l || *p != '-')
		return false;
	l = p + 1;
	out->end = strtoull(l, &p, 16);
	return p != l && *p == ' ' && out->start < out->end && p[1] && strchr("rwxsp-", p[1]);
}

/* The heap, its books and malloc's share mappings with others by nature. */
static bool maps_whole(enum category c)
{
	return c == CAT_BINARY_TEXT || c == CAT_BINARY_RODATA || c == CAT_NATIVE_STACKS ||
	       c == CAT_LIBS || c == CAT_FILES || c == CAT_SHM;
}

/* Adds a mapping's figure to the category that owns all its resident pages. Where several do,
 * each of those has none. */
static void post(struct look *k, const struct smaps_line *m, uint64_t pss, bool poisoned[CAT_COUNT])
{
	struct ledger *l = &k->r->ledger;
	uint32_t row = ledger_owner(&k->ledger, m->start);
	enum category c = l->rows.v[row].cat;
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
	struct smaps_line m = { 0 };
	int r;

	if (!k->opts->pss)
		return report_missing(k->r, "ledger[].pss", "--pss", "not asked for");
	r = memsrc_text(k->m, "proc/smaps", 0, &t);
	if (r)
		return report_missing(k->r, "ledger[].pss", "", "smaps: %s", strerror(-r));
	for (const char *l = t.p; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL) {
		struct smaps_line next;

		if (smaps_mapping(l, &next))
			m = next;
		else if (m.end && !strncmp(l, "Pss:", 4))
			post(k, &m, strtoull(l + 4, NULL, 10) * 1024, poisoned);
	}
	for (int c = 0; c < CAT_COUNT; c++)
		if (poisoned[c])
			k->r->ledger.cat[c].has_pss = false;
	for (size_t i = 0; i < k->r->ledger.rows.n; i++)
		if (poisoned[k->r->ledger.rows.v[i].cat])
			k->r->ledger.rows.v[i].has_pss = false;
	return 0;
}
