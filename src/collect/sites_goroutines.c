/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines that stand at the same place and were made at the same: what their stacks take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "collect/sites.h"
#include "goruntime/stacks.h"

enum {
	SLOT_BITS = 14,
	GROUPS_MAX = 1 << (SLOT_BITS - 1), /* what comes after that many is in the sum alone */
	G_SYSCALL = 3,
};

struct group {
	uint64_t hash, gopc, count, bytes, used;
	size_t first, npc;	    /* in pcs */
	bool in_syscall, part_used; /* what some of them use is not known */
};

struct grouping {
	VEC(struct group) v;
	VEC(uint64_t) pcs;
	uint32_t slot[1 << SLOT_BITS]; /* index + 1 */
	uint64_t count, bytes;
};

static bool is_same(const struct grouping *g, const struct group *x, const struct go_stack *s,
		    uint64_t hash)
{
	return x->hash == hash && x->gopc == s->gopc && x->npc == s->npc &&
	       x->in_syscall == (s->status == G_SYSCALL) &&
	       (!x->npc || !memcmp(g->pcs.v + x->first, s->pc, s->npc * sizeof(*s->pc)));
}

/* The group of that stack, a new one where there is none. NULL: there are too many, or *r says
 * what failed. */
static struct group *find(struct grouping *g, const struct go_stack *s, int *r)
{
	uint64_t hash = hash_bytes(hash_bytes(HASH_START, s->pc, s->npc * sizeof(*s->pc)), &s->gopc,
				   sizeof(s->gopc));
	struct group new = { .hash = hash,
			     .gopc = s->gopc,
			     .first = g->pcs.n,
			     .npc = s->npc,
			     .in_syscall = s->status == G_SYSCALL };
	uint32_t *slot;

	for (size_t i = hash;; i++) {
		slot = &g->slot[i & ((1 << SLOT_BITS) - 1)];
		if (!*slot)
			break;
		if (is_same(g, &g->v.v[*slot - 1], s, hash))
			return &g->v.v[*slot - 1];
	}
	if (g->v.n == GROUPS_MAX)
		return NULL;
	*r = vec_push(&g->v, new);
	for (size_t i = 0; i < s->npc && !*r; i++)
		*r = vec_push(&g->pcs, s->pc[i]);
	if (*r)
		return NULL;
	*slot = g->v.n;
	return &g->v.v[g->v.n - 1];
}

static int add(void *ctx, const struct go_stack *s)
{
	struct grouping *g = ctx;
	struct group *x;
	int r = 0;

	g->count++;
	g->bytes += s->hi - s->lo;
	x = find(g, s, &r);
	if (x) {
		x->count++;
		x->bytes += s->hi - s->lo;
		x->used += s->sp ? s->hi - s->sp : 0;
		x->part_used |= !s->sp;
	}
	return r;
}

static int by_bytes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* What the functions below the program's own wait for; NULL: for nothing that is known here.
 * runtime/chan.go, select.go, sema.go, time.go, sync/runtime.go, internal/poll. */
static const char *waits_for(const report_frames *f, int caller, bool in_syscall)
{
	static const struct {
		const char *func, *what;
	} known[] = {
		{ "runtime.chansend", "a channel send" },
		{ "runtime.chanrecv", "a channel receive" },
		{ "runtime.selectgo", "a select" },
		{ "runtime.block", "a select without cases" },
		{ "internal/poll.runtime_pollWait", "network or file I/O" },
		{ "time.Sleep", "a sleep" },
		{ "sync.(*WaitGroup).Wait", "a WaitGroup" },
		{ "sync.(*Cond).Wait", "a condition variable" },
		{ "sync.(*Mutex).", "a mutex" },
		{ "internal/sync.(*Mutex).", "a mutex" },
		{ "sync.(*RWMutex).", "a mutex" },
		{ "runtime.cgocall", "a call into C" },
	};

	for (int i = 0; i < caller; i++)
		for (size_t j = 0; j < ARRAY_LEN(known) && f->v[i].func; j++)
			if (!strncmp(f->v[i].func, known[j].func, strlen(known[j].func)))
				return known[j].what;
	return in_syscall ? "a system call" : NULL;
}

/* Of a deep stack the function that made it so, if it is one that recurs; else the caller. */
static int deepest(const struct look *k, const report_frames *f, int caller)
{
	enum { MANY = 8 };
	int best = caller;
	size_t most = MANY - 1;

	for (size_t i = 0; i < f->n; i++) {
		size_t n = 0;

		if (!f->v[i].func || !report_is_own(f->v[i].func, k->r->target.module))
			continue;
		for (size_t j = i; j < f->n; j++)
			n += f->v[j].func && !strcmp(f->v[i].func, f->v[j].func);
		if (n > most) {
			most = n;
			best = i;
		}
	}
	return best;
}

static int describe(struct look *k, const struct grouping *g, const struct group *x,
		    struct report_site *s)
{
	const char *waits;
	struct frame made;
	int r = site_add_frames(k, g->pcs.v + x->first, x->npc, &s->stack);

	s->count = OPT(x->count);
	s->bytes = OPT(x->bytes);
	if (!x->part_used)
		s->used = OPT(x->used);
	s->caller = site_caller(k, &s->stack);
	waits = waits_for(&s->stack, s->caller, x->in_syscall);
	s->caller = deepest(k, &s->stack, s->caller);
	if (!r && waits && !(s->waits = strdup(waits)))
		r = -ENOMEM;
	if (x->gopc && !r) {
		symbolizer_frame(k->s->names, x->gopc, &made);
		if (made.func && !(s->creator = strdup(made.func)))
			r = -ENOMEM;
	}
	return r;
}

int look_sites_goroutines(struct look *k, struct report_profile *p, size_t most)
{
	const struct session_go *go = k->go[0].s;
	_free_ struct grouping *g = calloc(1, sizeof(*g));
	int r = g ? go_stacks_read(&go->rt, go->bin, false, add, g) : -ENOMEM;

	if (!r) {
		p->count = OPT(g->count);
		p->bytes = OPT(g->bytes);
		qsort(g->v.v, g->v.n, sizeof(*g->v.v), by_bytes);
	}
	for (size_t i = 0; !r && i < g->v.n && i < most; i++) {
		struct report_site s = { .caller = -1 };

		r = describe(k, g, &g->v.v[i], &s);
		if (r)
			report_site_free(&s);
		else
			r = site_put(p, &s);
	}
	if (g) {
		vec_free(&g->v);
		vec_free(&g->pcs);
	}
	return r;
}
