/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap as runtime/pprof shows it: what sampled allocations stand for, by call stack. */
#include "collect/profile_impl.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "goruntime/profile.h"

enum { RATE_DEFAULT = 512 << 10 }; /* runtime/mprof.go, MemProfileRate: bytes */

/* runtime/pprof, scaleHeapSample: of objects of this size one in so many is sampled. */
static void scale(uint64_t rate, int64_t *count, int64_t *bytes)
{
	double by;

	if (!*count || !*bytes) {
		*count = *bytes = 0;
		return;
	}
	if (rate <= 1)
		return;
	by = 1 / (1 - exp(-((double)*bytes / (double)*count) / (double)rate));
	*count = (int64_t)((double)*count * by);
	*bytes = (int64_t)((double)*bytes * by);
}

static bool is_runtime(struct making *k, uint64_t addr)
{
	const char *name = profile_function_at(k, addr);

	return !strncmp(name, "runtime.", 8) || !strncmp(name, "internal/runtime/", 17);
}

static int add_bucket(void *ctx, const struct go_bucket *b)
{
	struct making *k = ctx;
	const struct go_mem_count *c = &b->published;
	int64_t alloc = c->allocs, alloc_bytes = c->alloc_bytes;
	int64_t inuse = alloc - c->frees, inuse_bytes = alloc_bytes - c->free_bytes;
	size_t from = 0;
	int r;

	if (!c->allocs)
		return 0;
	k->note->samples += k->kind == PROFILE_HEAP ? (uint64_t)inuse : c->allocs;
	k->note->stacks += k->kind == PROFILE_HEAP ? inuse != 0 : 1;
	/* without the allocator itself, but where there is nothing else (pprof.go, hideRuntime) */
	while (from < b->npc && is_runtime(k, b->pc[from]))
		from++;
	from = from < b->npc ? from : 0;
	r = profile_take_stack(k, ADDRESSES_LOGICAL, b->pc + from, b->npc - from);
	if (r)
		return r;
	scale(k->rate, &alloc, &alloc_bytes);
	scale(k->rate, &inuse, &inuse_bytes);
	return profile_add(k->p, k->stack, k->n, b->size,
			   k->kind == PROFILE_HEAP
				   ? (const int64_t[]){ inuse_bytes, inuse, alloc_bytes, alloc }
				   : (const int64_t[]){ alloc_bytes, alloc, inuse_bytes, inuse });
}

/* Of one GC cycle: where one ends in the middle, once more. */
static int read_buckets(struct making *k, const struct go_runtime *rt)
{
	enum { TRIES = 4 };
	const bool assumed = k->note->rate_assumed;
	struct go_profile_info info = { .moved = true };
	int r = 0;

	for (unsigned int i = 0; i < TRIES && info.moved && !r; i++) {
		memsrc_flush(rt->m);
		k->p->samples.n = k->p->stacks.n = 0;
		*k->note = (struct profile_note){ .rate_assumed = assumed };
		r = go_profile_read(rt, GO_PROFILE_MEMORY, add_bucket, k, &info);
	}
	k->note->torn = info.torn;
	k->note->moved = info.moved;
	return r;
}

int profile_make_heap(struct making *k, const struct session_go *g, struct err *e)
{
	int r;

	k->note->rate_assumed = go_profile_rate(&g->rt, g->bin, &k->rate) != 0;
	k->rate = k->note->rate_assumed ? RATE_DEFAULT : k->rate;
	if (!k->rate)
		return err_set(
			e, -ENOTSUP,
			"there is no memory profile: MemProfileRate is 0, which the program has "
			"set, or Go, where nothing in the program refers to the profiler");
	k->p->period_type = (struct profile_type){ "space", "bytes" };
	k->p->period = k->rate;
	r = read_buckets(k, &g->rt);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the table of the profiler's buckets was not found");
	return r ? err_set(e, r, "reading the profiler's buckets: %s", strerror(-r)) : 0;
}
