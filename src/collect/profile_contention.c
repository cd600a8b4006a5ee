/* SPDX-License-Identifier: BSD-2-Clause */
/* What goroutines waited for, and which mutexes they held up, as runtime/pprof shows it: for
 * programs that have switched it on. */
#include "collect/profile_saved.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "goruntime/profile.h"
#include "goruntime/ticks.h"

struct contention {
	struct making *k;
	enum go_profile_kind kind;
	enum addresses stacks;
	double ns_per_tick;
	double scale; /* events that one stands for */
};

static int add(void *ctx, const struct go_bucket *b)
{
	struct contention *c = ctx;
	int64_t count = (int64_t)(b->count * c->scale);
	struct profile_sample s = { 0 };
	size_t begin = b->npc && b->pc[0] == UINT64_MAX; /* mprof.go, logicalStackSentinel */
	int r;

	/* mprof.go, blockProfileInternal: scaling must not make it 0 */
	if (!count && c->kind == GO_PROFILE_BLOCK)
		count = 1;
	s.value[0] = (int64_t)(b->cycles * c->scale * c->ns_per_tick);
	s.value[1] = count;
	r = profile_take_stack(c->k, c->stacks, b->pc + begin, b->npc - begin);
	return r ? r : profile_put(c->k, &s);
}

/* Whether there is any, or why not. */
static int say(struct contention *c, const struct go_profile_info *info, const uint64_t *rate,
	       struct err *e)
{
	static const char *const what[] = {
		[GO_PROFILE_BLOCK] = "runtime.SetBlockProfileRate",
		[GO_PROFILE_MUTEX] = "runtime.SetMutexProfileFraction",
	};
	struct profile *p = c->k->p;
	int r = 0;

	if (!info->buckets && rate && !*rate)
		return err_set(e, -ENOTSUP,
			       "the program does not record it: it has not called %s, which is "
			       "off by default",
			       what[c->kind]);
	if (!info->buckets && rate)
		r = profile_say(p, "it is switched on, and nothing has been recorded so far");
	else if (!info->buckets)
		r = profile_say(p,
				"nothing has been recorded: the program has probably not called %s",
				what[c->kind]);
	else if (rate && !*rate)
		r = profile_say(p, "the program has switched it off: this was recorded before");
	if (!r && info->torn)
		r = profile_say(p,
				"%" PRIu64 " stacks changed while they were read, and are left out",
				info->torn);
	return r;
}

/* Events of mutexes are scaled where they are shown up to Go 1.19, then where they are counted. */
static int set_scale(struct contention *c, const uint64_t *rate)
{
	c->scale = 1;
	if (c->kind != GO_PROFILE_MUTEX || go_layout_minor(c->k->g->rt.l) >= 20)
		return 0;
	if (rate && *rate)
		c->scale = (double)*rate;
	return rate ? 0
		    : profile_say(c->k->p, "the sampling fraction was not found: figures are of "
					   "the sampled events alone");
}

static int read_rate(struct making *k, enum go_profile_kind kind, uint64_t *rate)
{
	const struct session_go *g = k->g;
	int r = -ENOENT;

	if (memsrc_kind(g->rt.m) != MEMSRC_CAPTURE)
		r = go_profile_rate(&g->rt, g->bin, kind, rate);
	return profile_saved_fact(
		k, kind == GO_PROFILE_BLOCK ? "profile_rate_block" : "profile_rate_mutex", r, rate);
}

static int make(struct making *k, enum go_profile_kind kind, struct err *e)
{
	/* unwound by frame pointers from 1.23 on: mprof.go, fpTracebackPartialExpand */
	const bool mixed = go_layout_minor(k->g->rt.l) >= 23;
	struct contention c = { .k = k,
				.kind = kind,
				.stacks = mixed ? ADDRESSES_MIXED : ADDRESSES_LOGICAL };
	struct go_profile_info info;
	uint64_t rate;
	bool known = !read_rate(k, kind, &rate);
	double per_second;
	int from = go_ticks_per_second(&k->g->rt, k->g->bin, &per_second), r = 0;

	if (from < 0)
		return err_set(e, -ENOTSUP,
			       "how long a tick of the runtime's clock is was not "
			       "found: delays can't be told");
	c.ns_per_tick = 1e9 / per_second;
	k->p->period_type = (struct profile_type){ "contentions", "count" };
	k->p->period = 1;
	if (from == GO_TICKS_MEASURED)
		r = profile_say(k->p, "delays are scaled by a clock that was measured just now, "
				      "to some parts in 100,000");
	if (!r)
		r = set_scale(&c, known ? &rate : NULL);
	if (!r)
		r = profile_saved_begin(k);
	memsrc_flush(k->g->rt.m);
	if (!r)
		r = go_profile_read(&k->g->rt, kind, add, &c, &info);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the table of the profiler's buckets was not found");
	if (r)
		return err_set(e, r, "reading the profiler's buckets: %s", strerror(-r));
	return say(&c, &info, known ? &rate : NULL, e);
}

int profile_make_block(struct making *k, struct err *e)
{
	return make(k, GO_PROFILE_BLOCK, e);
}

int profile_make_mutex(struct making *k, struct err *e)
{
	return make(k, GO_PROFILE_MUTEX, e);
}
