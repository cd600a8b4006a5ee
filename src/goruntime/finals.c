/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/finals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "goruntime/rd.h"
#include "goruntime/stacks.h"

enum {
	MAX_BLOCKS = 1 << 20,
	MAX_PS = 1 << 16,
	TRIES = 8,
	FINALIZER_WORDS = 5, /* mfinal.go, finalizer */
	CLEANUP_WORDS = 1,   /* at least: a func (1.25), {call, fn, arg} (1.27) */
};

/* ---- blocks */

/* Both kinds: a list of all blocks, each of which says how many of it are in use. */
struct blocks {
	int64_t link, count, size; /* offsets, bytes */
	uint64_t most;		   /* of one block */
};

/* No field lies anywhere else than the sizes of those before it say. */
static bool get_finblocks(const struct go_layout *l, struct blocks *b)
{
	int64_t fin = l->f[GO_FINBLOCK_FIN], each = FINALIZER_WORDS * 8;

	if (!go_has(l, GO_SIZE_FINBLOCK) || !go_has(l, GO_CONST_FINBLOCKSIZE) ||
	    l->f[GO_FINBLOCK_ALLLINK] != 0 || l->f[GO_FINBLOCK_NEXT] != 8 ||
	    l->f[GO_FINBLOCK_CNT] != 16 || fin != 24)
		return false;
	b->link = l->f[GO_FINBLOCK_ALLLINK];
	b->count = l->f[GO_FINBLOCK_CNT];
	b->size = l->f[GO_CONST_FINBLOCKSIZE];
	b->most = (b->size - fin) / each;
	return l->f[GO_SIZE_FINBLOCK] == fin + (int64_t)b->most * each;
}

/* {lfnode of two words; alllink; n} */
static bool get_cleanupblocks(const struct go_layout *l, struct blocks *b)
{
	if (!go_has(l, GO_SIZE_CLEANUPBLOCK) || l->f[GO_CLEANUPBLOCK_ALLLINK] != 16 ||
	    l->f[GO_CLEANUPBLOCK_N] != 24 ||
	    l->f[GO_SIZE_CLEANUPBLOCK] != l->f[GO_CONST_CLEANUPBLOCKSIZE])
		return false;
	b->link = l->f[GO_CLEANUPBLOCK_ALLLINK];
	b->count = l->f[GO_CLEANUPBLOCK_N];
	b->size = l->f[GO_SIZE_CLEANUPBLOCK];
	b->most = (b->size - 32) / (CLEANUP_WORDS * 8);
	return true;
}

/* What waits in all blocks of the list at `head`. A list that leads back into itself is none. */
static int count_blocks(const struct go_runtime *rt, uint64_t head, const struct blocks *b,
			uint64_t *out)
{
	uint64_t at = 0, n = 0, mark, steps, limit = 2, sum = 0;
	int r = rd_vars(rt, PASS_BOOKS, head, &at, 8);

	for (mark = at, steps = 0; !r && at; n++) {
		uint32_t count = 0;

		if (at % 8 || n == MAX_BLOCKS)
			return -EINVAL;
		r = rd(rt, PASS_BOOKS, at + b->count, &count, 4);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, at + b->link, &at);
		if (r || count > b->most || (at && at == mark))
			return r ? r : -EINVAL;
		sum += count;
		if (++steps == limit) { /* Brent: where it was, after 2, 4, 8 steps */
			mark = at;
			steps = 0;
			limit *= 2;
		}
	}
	*out = sum;
	return r;
}

/* ---- finalizers */

static bool read_fin_counts(const struct go_runtime *rt, struct go_queue *q)
{
	return rt->g.finqueued && rt->g.finexecuted &&
	       !rd_vars(rt, PASS_BOOKS, rt->g.finexecuted, &q->executed, 8) &&
	       !rd_vars(rt, PASS_BOOKS, rt->g.finqueued, &q->queued, 8) && q->executed <= q->queued;
}

/* A block's are executed when all of it is: until then some may be done and count as waiting. */
static bool do_fins_agree(const struct go_queue *q, const struct blocks *b)
{
	uint64_t left = q->queued - q->executed;

	return left >= q->waiting && left - q->waiting < b->most;
}

static int read_finalizers(const struct go_runtime *rt, bool walk, struct go_queue *q)
{
	struct blocks b;
	bool fits = get_finblocks(rt->l, &b);
	int r = 0;

	q->wanted = true;
	q->wants_counts = go_has(rt->l, GO_SIZE_CLEANUPQUEUE); /* both came with 1.25 */
	for (unsigned int i = 0; i < TRIES; i++) {
		if (i)
			rd_again(rt, i);
		q->has_counts = q->wants_counts && read_fin_counts(rt, q);
		q->has_waiting = walk && fits && rt->g.allfin;
		if (q->has_waiting)
			r = count_blocks(rt, rt->g.allfin, &b, &q->waiting);
		if (r == -ESRCH)
			return r;
		q->has_waiting &= !r;
		if (q->has_waiting && (!q->wants_counts || !q->has_counts || do_fins_agree(q, &b)))
			return 0;
		if (!walk || !fits || !rt->g.allfin)
			break;
	}
	if (walk) { /* nothing that it could be held against: only a symbol table is believed then
		     */
		q->has_counts &= !rt->g.allfin && rt->symbols;
		q->has_waiting = false;
	}
	return 0;
}

/* ---- cleanups */

static uint64_t read_field(const struct go_runtime *rt, uint64_t at, enum go_field f, bool *bad)
{
	uint64_t v = 0;

	if (rd_vars(rt, PASS_BOOKS, at + go_off(rt->l, f), &v, 8))
		*bad = true;
	return v;
}

/* Each P counts those that it has queued; of Ps that are gone the queue does. */
static bool read_cleanup_counts(const struct go_runtime *rt, struct go_queue *q)
{
	struct go_slice all;
	bool bad = !rt->g.cleanups || !rt->g.allp || rd_slice(rt, PASS_BOOKS, rt->g.allp, &all) ||
		   all.len > MAX_PS;
	uint64_t p;

	if (bad)
		return false;
	q->executed = read_field(rt, rt->g.cleanups, GO_CLEANUPQUEUE_EXECUTED, &bad);
	q->queued = read_field(rt, rt->g.cleanups, GO_CLEANUPQUEUE_QUEUED, &bad);
	for (uint64_t i = 0; i < all.len && !bad; i++) {
		bad = rd_u64(rt, PASS_BOOKS, all.ptr + 8 * i, &p);
		if (!bad)
			q->queued += read_field(rt, p, GO_P_CLEANUPSQUEUED, &bad);
	}
	return !bad && q->executed <= q->queued;
}

/* What waits is the difference of the two, at every moment between two blocks. */
static int read_cleanups(const struct go_runtime *rt, bool walk, struct go_queue *q)
{
	struct blocks b;
	bool fits = get_cleanupblocks(rt->l, &b) && rt->g.cleanups;
	int r;

	q->wanted = q->wants_counts = go_has(rt->l, GO_SIZE_CLEANUPQUEUE);
	for (unsigned int i = 0; i < TRIES && q->wanted && fits; i++) {
		if (i)
			rd_again(rt, i);
		q->has_counts = read_cleanup_counts(rt, q);
		if (!walk)
			return 0;
		r = count_blocks(rt, rt->g.cleanups + go_off(rt->l, GO_CLEANUPQUEUE_ALL), &b,
				 &q->waiting);
		if (r == -ESRCH)
			return r;
		q->has_waiting = !r && q->has_counts && q->queued - q->executed == q->waiting;
		if (q->has_waiting)
			return 0;
	}
	q->has_counts = q->has_waiting = false;
	return 0;
}

int go_finals_read(const struct go_runtime *rt, bool walk, struct go_finals *out)
{
	int r;

	*out = (struct go_finals){ 0 };
	r = read_finalizers(rt, walk, &out->finalizers);
	return r ? r : read_cleanups(rt, walk, &out->cleanups);
}

/* ---- who runs them */

struct runners {
	const struct go_runtime *rt;
	struct bin *b;
	uint64_t entry; /* of the function that their goroutines begin with, run-time */
	const uint64_t *ptr;
	VEC(uint64_t) g;
	bool failed;
	go_final_fn *fn;
	void *ctx;
};

static void take_startpc(void *ctx, size_t i, const uint8_t *startpc)
{
	struct runners *s = ctx;

	if (load_u64(startpc) == s->entry && vec_push(&s->g, s->ptr[i]))
		s->failed = true;
}

static int find_runners(struct runners *s)
{
	enum { MAX_GS = 1 << 22 };
	const struct go_runtime *rt = s->rt;
	_free_ uint64_t *ptr = NULL;
	struct go_slice all;
	int r;

	if (!rt->g.allgs || rd_slice(rt, PASS_BOOKS, rt->g.allgs, &all) || all.len > MAX_GS)
		return -ENOENT;
	ptr = calloc(all.len + 1, 8);
	if (!ptr)
		return -ENOMEM;
	r = rd(rt, PASS_BOOKS, all.ptr, ptr, all.len * 8);
	s->ptr = ptr;
	if (!r || r == -ENODATA)
		r = rd_each(rt, PASS_BOOKS, ptr, all.len, rt->l->f[GO_G_STARTPC], 8, take_startpc,
			    s);
	return r ? r : s->failed ? -ENOMEM : 0;
}

/* The outermost function that is not the runtime's own: it was called as a finalizer. None: the
 * goroutine waits for some. */
static int take_stack(void *ctx, const struct go_stack *stack)
{
	struct runners *s = ctx;
	uint64_t text = s->rt->g.text - s->rt->bias;
	struct bin_func f;

	if (!stack->npc)
		return s->fn(s->ctx, 0);
	for (size_t i = stack->npc; i--;) {
		if (bin_go_func(s->b, text, stack->pc[i] - 1 - s->rt->bias, &f) ||
		    !strncmp(f.name, "runtime.", strlen("runtime.")))
			continue;
		return s->fn(s->ctx, stack->pc[i] - 1 - s->rt->bias);
	}
	return 0;
}

int go_finals_running(const struct go_runtime *rt, struct bin *b, enum go_final_kind kind,
		      go_final_fn *fn, void *ctx)
{
	static const char *const names[][2] = {
		[GO_FINAL_FINALIZER] = { "runtime.runFinalizers", "runtime.runfinq" },
		[GO_FINAL_CLEANUP] = { "runtime.runCleanups", NULL },
	};
	struct runners s = { .rt = rt, .b = b, .fn = fn, .ctx = ctx };
	struct bin_func f;
	int r = -ENOENT;

	for (size_t i = 0; i < 2 && names[kind][i] && r == -ENOENT; i++)
		r = bin_go_lookup(b, rt->g.text - rt->bias, names[kind][i], &f);
	if (!r) {
		s.entry = f.entry + rt->bias;
		r = find_runners(&s);
	}
	if (!r && s.g.n)
		r = go_stacks_of(rt, b, s.g.v, s.g.n, take_stack, &s);
	vec_free(&s.g);
	return r;
}
