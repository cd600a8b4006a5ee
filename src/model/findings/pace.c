/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/pace.h"

#include <string.h>

void pace_add(struct pace *p, uint64_t ns, uint64_t v)
{
	if (p->n == PACE_POINTS) {
		memmove(&p->p[0], &p->p[1], sizeof(p->p[0]) * (PACE_POINTS - 1));
		p->n--;
	}
	p->p[p->n].ns = ns;
	p->p[p->n].v = v;
	p->n++;
}

struct opt_u64 pace_rise(const struct pace *p)
{
	unsigned int last = p->n - 1;
	double rate;

	if (p->n < 2 || p->p[last].v <= p->p[0].v || p->p[last].ns <= p->p[0].ns)
		return (struct opt_u64){ 0 };
	rate = (double)(p->p[last].v - p->p[0].v) * 1e9 / (p->p[last].ns - p->p[0].ns);
	return rate >= 1 && rate < 1e18 ? OPT(rate) : (struct opt_u64){ 0 };
}

struct opt_u64 pace_until(const struct pace *p, uint64_t limit)
{
	struct opt_u64 rate = pace_rise(p);
	uint64_t now = p->n ? p->p[p->n - 1].v : 0;

	if (!rate.has)
		return rate;
	return OPT(limit > now ? (limit - now) / rate.v : 0);
}
