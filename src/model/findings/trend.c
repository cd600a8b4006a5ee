/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/trend.h"

enum { KNOWN = 6 };

/* Every second one goes. */
static void thin(struct trend *t)
{
	for (unsigned int i = 0; i < TREND_POINTS / 2; i++)
		t->p[i] = t->p[2 * i];
	t->n = TREND_POINTS / 2;
	t->every = t->every ? t->every * 2 : 2;
}

void trend_add(struct trend *t, uint64_t ns, uint64_t v)
{
	if (t->n && ns <= t->p[t->n - 1].ns)
		return;
	if (t->every && ++t->skipped < t->every)
		return;
	t->skipped = 0;
	if (t->n == TREND_POINTS)
		thin(t);
	t->p[t->n].ns = ns;
	t->p[t->n].v = v;
	t->n++;
}

/* The least figure of each third of the time, or of the figures; false when a third has none. */
static bool thirds(const struct trend *t, bool by_time, uint64_t least[3])
{
	bool has[3] = { false };
	double whole;

	if (t->n < KNOWN)
		return false;
	whole = by_time ? t->p[t->n - 1].ns - t->p[0].ns : t->n;
	for (unsigned int i = 0; i < t->n; i++) {
		unsigned int k = (by_time ? t->p[i].ns - t->p[0].ns : i) / whole * 3;

		k = k > 2 ? 2 : k;
		if (!has[k] || t->p[i].v < least[k])
			least[k] = t->p[i].v;
		has[k] = true;
	}
	return has[0] && has[1] && has[2];
}

static bool rests(const struct trend *t, bool by_time)
{
	uint64_t least[3];

	if (!thirds(t, by_time, least))
		return false;
	return least[2] <= least[0] || least[2] <= least[1] ||
	       least[2] - least[1] < (least[2] - least[0]) / 6;
}

bool trend_rests(const struct trend *t)
{
	return rests(t, false) || rests(t, true);
}
