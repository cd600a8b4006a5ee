/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/gccode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "goruntime/coderefs.h"

/* ---- structures */

/* Fields that the code of a cycle's end names, all of them, and those that its start names, some.
 */
struct shape {
	const enum go_field *end, *start, *beside; /* beside: not used, but neighbours */
	size_t nend, nstart, nbeside;
	unsigned int min;    /* of both together */
	unsigned int margin; /* over any other place */
};

static const enum go_field work_at_end[] = {
	GO_WORK_TSWEEPTERM, GO_WORK_TMARK,    GO_WORK_TMARKTERM, GO_WORK_TEND,
	GO_WORK_PAUSENS,    GO_WORK_HEAP0,    GO_WORK_HEAP1,	 GO_WORK_HEAP2,
	GO_WORK_USERFORCED, GO_WORK_STWPROCS, GO_WORK_MAXPROCS,	 GO_WORK_HEAPGOAL,
};
static const enum go_field work_at_start[] = {
	GO_WORK_MODE,	    GO_WORK_USERFORCED, GO_WORK_CYCLES,	  GO_WORK_HEAP0,
	GO_WORK_TSWEEPTERM, GO_WORK_STWPROCS,	GO_WORK_MAXPROCS, GO_WORK_PAUSENS,
};
static const enum go_field work_beside[] = {
	GO_WORK_MODE,	   GO_WORK_CYCLES,	    GO_WORK_PAUSESTART,
	GO_WORK_TOTALTIME, GO_WORK_INITIALHEAPLIVE, GO_WORK_CPUSTATS,
};
static const struct shape work_shape = {
	.beside = work_beside,
	.nbeside = ARRAY_LEN(work_beside),
	.end = work_at_end,
	.nend = ARRAY_LEN(work_at_end),
	.start = work_at_start,
	.nstart = ARRAY_LEN(work_at_start),
	.min = 14,
	.margin = 2,
};

static const enum go_field controller_at_end[] = {
	GO_GCC_ASSISTTIME,   GO_GCC_DEDICATEDTIME, GO_GCC_FRACTIONALTIME, GO_GCC_IDLETIME,
	GO_GCC_LASTHEAPGOAL, GO_GCC_GLOBALSSCAN,   GO_GCC_HEAPLIVE,
};
static const enum go_field memstats_at_end[] = { GO_MSTATS_NUMGC, GO_MSTATS_GC_CPU_FRACTION };
static const enum go_field memstats_beside[] = {
	GO_MSTATS_NUMFORCEDGC,	    GO_MSTATS_LAST_GC_UNIX,    GO_MSTATS_PAUSE_TOTAL_NS,
	GO_MSTATS_LAST_GC_NANOTIME, GO_MSTATS_LAST_HEAP_INUSE, GO_MSTATS_ENABLEGC,
};
/* 1.15 and 1.16 fill it in in gcStart; later releases call its methods there: see score(). */
static const enum go_field controller_at_start[] = { GO_GCC_MARKSTARTTIME, GO_GCC_HEAPLIVE };
static const enum go_field controller_beside[] = {
	GO_GCC_MARKSTARTTIME, GO_GCC_HEAPGOAL,	   GO_GCC_TRIGGERED,	 GO_GCC_HEAPSCAN,
	GO_GCC_HEAPMARKED,    GO_GCC_LASTHEAPSCAN, GO_GCC_LASTSTACKSCAN, GO_GCC_MAXSTACKSCAN,
	GO_GCC_STACKSCAN,     GO_GCC_LASTHEAPGOAL, GO_GCC_GLOBALSSCAN,
};
static const struct shape controller_shape = {
	.beside = controller_beside,
	.nbeside = ARRAY_LEN(controller_beside),
	.end = controller_at_end,
	.nend = ARRAY_LEN(controller_at_end),
	.start = controller_at_start,
	.nstart = ARRAY_LEN(controller_at_start),
	.min = 5,
	.margin = 1,
};

static unsigned int count(const struct code_refs *r, const struct go_layout *l,
			  const enum go_field *f, size_t n, uint64_t base)
{
	unsigned int hits = 0;

	for (size_t i = 0; i < n; i++)
		hits += go_has(l, f[i]) && code_refs_find(r, base + go_off(l, f[i]));
	return hits;
}

/*
 * Whether the code names every field that the release has, and none of them lies where another one
 * does, be it one of `beside`: so no offset of a layout is wrong by a field's size in silence.
 */
static bool names_all(const struct code_refs *r, const struct go_layout *l, const enum go_field *f,
		      size_t n, const enum go_field *beside, size_t nbeside, uint64_t base)
{
	for (size_t i = 0; i < n; i++) {
		if (!go_has(l, f[i]))
			continue;
		if (!code_refs_find(r, base + go_off(l, f[i])))
			return false;
		for (size_t k = 0; k < i; k++)
			if (go_off(l, f[k]) == go_off(l, f[i]))
				return false;
		for (size_t k = 0; k < nbeside; k++)
			if (f[i] != beside[k] && go_off(l, beside[k]) == go_off(l, f[i]))
				return false;
	}
	return true;
}

static unsigned int score(const struct code_refs *end, const struct code_refs *start,
			  const struct go_layout *l, const struct shape *s, uint64_t base)
{
	return count(end, l, s->end, s->nend, base) + count(start, l, s->start, s->nstart, base) +
	       !!code_refs_find(start, base);
}

static bool inside(uint64_t addr, uint64_t start, int64_t size)
{
	return start && addr >= start && addr - start < (uint64_t)size;
}

/*
 * Where the structure begins whose fields the code names; 0 when there are too few, or when another
 * place comes close. Neighbouring fields make a base that is off by one almost as good: then those
 * of the cycle's start don't fit. Outside [not, not + n).
 */
static uint64_t fit(const struct code_refs *end, const struct code_refs *start,
		    const struct go_layout *l, const struct shape *s, uint64_t not, int64_t n)
{
	unsigned int most = s->min - 1, second = 0;
	uint64_t best = 0;

	for (size_t i = 0; i < end->v.n; i++)
		for (size_t k = 0; k < s->nend; k++) {
			uint64_t base = end->v.v[i].addr - go_off(l, s->end[k]);
			unsigned int hits;

			if (!go_has(l, s->end[k]) || base % 8 || base == best || base < end->lo ||
			    base >= end->hi || inside(end->v.v[i].addr, not, n))
				continue;
			hits = score(end, start, l, s, base);
			if (hits > most) {
				second = best ? most : second;
				most = hits;
				best = base;
			} else if (hits > second) {
				second = hits;
			}
		}
	return best && most >= second + s->margin &&
			       names_all(end, l, s->end, s->nend, s->beside, s->nbeside, best)
		       ? best
		       : 0;
}

static uint64_t init_time(const struct code_refs *end, const struct code_refs *init,
			  const struct go_layout *l, const struct go_gc_code *c)
{
	uint64_t found = 0;

	for (size_t i = 0; i < init->v.n; i++) {
		const struct code_ref *w = &init->v.v[i];

		if (!w->store || w->addr % 8 || w->addr == found || !code_refs_find(end, w->addr) ||
		    inside(w->addr, c->work, go_off(l, GO_SIZE_WORK)) ||
		    inside(w->addr, c->controller, go_off(l, GO_SIZE_GCCONTROLLER)))
			continue;
		if (found)
			return 0;
		found = w->addr;
	}
	return found;
}

/* Which of the sizes of stacks gctrace prints: 1.18, 1.19, later. */
static enum go_field stack_field(const struct go_layout *l)
{
	if (go_has(l, GO_GCC_STACKSCAN))
		return GO_GCC_STACKSCAN;
	return go_has(l, GO_WORK_CPUSTATS) ? GO_GCC_LASTSTACKSCAN : GO_GCC_MAXSTACKSCAN;
}

int go_gc_code(struct bin *b, const struct go_layout *l, uint64_t text, uint64_t lo, uint64_t hi,
	       uint64_t memstats, struct go_gc_code *out)
{
	enum go_field stack = stack_field(l);
	struct code_refs end = { .lo = lo, .hi = hi }, start = end, init = end;
	int r;

	*out = (struct go_gc_code){ .stack_scan = GO_FIELD_COUNT };
	r = code_refs_read(b, text, "runtime.gcMarkTermination", &end);
	if (!r)
		r = code_refs_read(b, text, "runtime.gcStart", &start);
	if (!r)
		r = code_refs_read(b, text, "runtime.main", &init);
	if (!r && go_has(l, GO_SIZE_WORK) && go_has(l, GO_SIZE_GCCONTROLLER)) {
		out->work = fit(&end, &start, l, &work_shape, 0, 0);
		if (out->work)
			out->controller = fit(&end, &start, l, &controller_shape, out->work,
					      go_off(l, GO_SIZE_WORK));
		if (out->controller && go_has(l, stack) &&
		    names_all(&end, l, &stack, 1, controller_beside, ARRAY_LEN(controller_beside),
			      out->controller))
			out->stack_scan = stack;
		out->memstats = names_all(&end, l, memstats_at_end, ARRAY_LEN(memstats_at_end),
					  memstats_beside, ARRAY_LEN(memstats_beside), memstats);
		out->init_time = init_time(&end, &init, l, out);
	}
	vec_free(&end.v);
	vec_free(&start.v);
	vec_free(&init.v);
	return r;
}

/* ---- the profiler */

/* The references of those of the functions that there are. */
static int refs_of_any(struct bin *b, uint64_t text, const char *const *name, size_t n,
		       struct code_refs *out)
{
	int r = 0;

	for (size_t i = 0; i < n && name[i] && !r; i++) {
		r = code_refs_read(b, text, name[i], out);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

int go_profile_rate_code(struct bin *b, const struct go_rate_code *c, uint64_t text, uint64_t lo,
			 uint64_t hi, go_place_fn *fn, void *ctx, uint64_t *out)
{
	struct code_refs take = { .lo = lo, .hi = hi }, draw = take;
	int r = refs_of_any(b, text, c->takes, ARRAY_LEN(c->takes), &take);

	*out = 0;
	if (!r)
		r = refs_of_any(b, text, c->decide, ARRAY_LEN(c->decide), &draw);
	for (size_t i = 0; i < take.v.n && !r; i++) {
		uint64_t at = take.v.v[i].addr;

		/* CMPQ $0, x: a byte follows the displacement, which counts from behind it */
		if (at % 8 || at == *out ||
		    !(code_refs_find(&draw, at) || code_refs_find(&draw, at - 1)) || !fn(ctx, at))
			continue;
		if (*out)
			r = -ENOENT;
		*out = at;
	}
	vec_free(&take.v);
	vec_free(&draw.v);
	return r ? r : *out ? 0 : -ENOENT;
}
