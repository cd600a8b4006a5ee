/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/outlook.h"

#include <stdio.h>
#include <string.h>

/* Beyond this a goal is no goal: GOGC=off makes it 2^64 - 1. */
#define NO_GOAL (1ULL << 62)

static uint64_t resident(const struct report *r, enum category from, enum category to)
{
	uint64_t sum = 0;

	for (int i = from; i <= (int)to; i++)
		sum += r->ledger.cat[i].resident;
	return sum;
}

static void look_at_heap(const struct report *r, struct outlook *o)
{
	const struct ledger_cat *c = r->ledger.cat;
	uint64_t apart = c[CAT_GO_HEAP_LIVE].resident + c[CAT_GO_HEAP_DEAD].resident;

	o->in_go = resident(r, CAT_GO_HEAP, CAT_GO_RUNTIME) - c[CAT_GO_THREAD_STACKS].resident;
	o->heap = resident(r, CAT_GO_HEAP, CAT_GO_HEAP_RELEASED);
	o->has_heap = r->go.known && !c[CAT_GO_HEAP].resident && o->heap;
	o->kept = c[CAT_GO_HEAP_FREE].resident;
	o->used = apart + c[CAT_GO_HEAP_OBJECTS].resident;
	if (!o->has_heap || !r->go.cycles.has || !r->go.cycles.v)
		return;
	/* objects that can't be told apart may all be alive */
	if (apart)
		o->live = OPT(c[CAT_GO_HEAP_LIVE].resident + c[CAT_GO_HEAP_OBJECTS].resident);
	else if (r->go.live.has)
		o->live = OPT(r->go.live.v < o->used ? r->go.live.v : o->used);
}

static void look_at_goal(const struct report *r, struct outlook *o)
{
	const struct named_u64 *objects =
		named_find(&r->go.metrics, "/memory/classes/heap/objects:bytes");
	uint64_t need;

	o->unbounded = r->go.has_gogc && r->go.gogc < 0 && !r->go.memory_limit.has;
	if (r->go.goal.has && r->go.goal.v < NO_GOAL)
		o->goal = r->go.goal;
	if (objects && objects->v < NO_GOAL)
		o->objects = OPT(objects->v);
	if (!o->goal.has || !o->objects.has || o->unbounded)
		return;
	o->to_goal = OPT(o->goal.v > objects->v ? o->goal.v - objects->v : 0);
	if (!o->has_heap)
		return;
	need = o->used + o->to_goal.v;
	o->growth = OPT(need > o->heap ? need - o->heap : 0);
	o->idle = OPT(need < o->heap ? o->heap - need : 0);
	o->rss_at_goal = OPT(r->rss.scanned + o->growth.v);
}

static bool row(const struct report_cgroup *c, const char *name, uint64_t *sum)
{
	for (size_t i = 0; i < c->rows.n; i++) {
		if (strcmp(c->rows.v[i].name, name))
			continue;
		*sum += c->rows.v[i].bytes < NO_GOAL ? c->rows.v[i].bytes : NO_GOAL;
		return true;
	}
	return false;
}

static void look_at_cgroup(const struct report *r, struct outlook *o)
{
	uint64_t drop = 0, slab = 0;

	o->limit = r->cgroup.effective_limit;
	o->usage = r->cgroup.usage;
	/* both versions of cgroups have these two; v1 does not know of slab */
	if (!o->usage.has || !row(&r->cgroup, "inactive_file", &drop) ||
	    !row(&r->cgroup, "active_file", &drop))
		return;
	row(&r->cgroup, "slab_reclaimable", &slab);
	drop += slab;
	o->reclaimable = OPT(drop < o->usage.v ? drop : o->usage.v);
	o->firm = OPT(o->usage.v - o->reclaimable.v);
	if (o->growth.has)
		o->charge_at_goal = OPT(o->firm.v + o->growth.v);
	if (o->live.has) {
		uint64_t free_able = o->heap - o->live.v;

		o->floor = OPT(o->firm.v > free_able ? o->firm.v - free_able : 0);
	}
}

void outlook_of(const struct report *r, struct outlook *out)
{
	*out = (struct outlook){ 0 };
	look_at_heap(r, out);
	look_at_goal(r, out);
	look_at_cgroup(r, out);
}

int outlook_go_minor(const char *version)
{
	const char *go = strstr(version, "go1.");
	unsigned int minor;

	if (!go || sscanf(go, "go1.%3u", &minor) != 1)
		return -1;
	return minor;
}
