/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/gccode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/vec.h"

enum { MAX_CODE = 1 << 17, MAX_REFS = 1 << 15 };

struct ref {
	uint64_t addr;
	bool store; /* of 8 bytes */
};
struct refs {
	VEC(struct ref) v;
	uint64_t lo, hi;
};

static int ref_add(struct refs *r, uint64_t addr, bool store)
{
	if (addr < r->lo || addr >= r->hi || r->v.n >= MAX_REFS)
		return 0;
	return vec_push(&r->v, ((struct ref){ addr, store }));
}

static int compare(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return y->store - x->store;
}

static const struct ref *find(const struct refs *r, uint64_t addr)
{
	size_t lo = 0, hi = r->v.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v.v[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->v.n && r->v.v[lo].addr == addr ? &r->v.v[lo] : NULL;
}

/* RIP-relative operands that end their instruction, or stand before a byte that is compared or
 * stored (80, 83, C6). */
static int refs_amd64(const uint8_t *p, size_t n, uint64_t at, struct refs *r)
{
	int rc = 0;

	for (size_t i = 2; i + 6 <= n && !rc; i++) {
		uint8_t op = p[i - 1];

		if ((p[i] & 0xc7) == 5)
			rc = ref_add(r,
				     at + i + 5 + (op == 0x80 || op == 0x83 || op == 0xc6) +
					     (int32_t)load_u32(p + i + 1),
				     op == 0x89 && (p[i - 2] & 0xf8) == 0x48);
	}
	return rc;
}

/* adrp, then add or a load or store with the rest of the address; after add, a store. */
static int refs_arm64(const uint8_t *p, size_t n, uint64_t at, struct refs *r)
{
	int rc = 0;

	for (size_t i = 0; i + 12 <= n && !rc; i += 4) {
		uint32_t x = load_u32(p + i), y = load_u32(p + i + 4), z = load_u32(p + i + 8);
		int64_t pages = (x >> 29 & 3) | (x >> 5 & 0x7ffff) << 2;
		uint64_t page, imm = y >> 10 & 0xfff;

		if ((x & 0x9f000000) != 0x90000000 || (y >> 5 & 31) != (x & 31))
			continue;
		pages = (pages ^ 1 << 20) - (1 << 20); /* 21 bits, signed */
		page = ((at + i) & ~0xfffULL) + (uint64_t)pages * 4096;
		if ((y & 0xffc00000) == 0x91000000) /* str Xt, [rd, #imm * 8] */
			rc = ref_add(r,
				     page + imm +
					     ((z & 0xffc00000) == 0xf9000000 ? (z >> 10 & 0xfff) * 8
									     : 0),
				     (z & 0xffc00000) == 0xf9000000 && (z >> 5 & 31) == (y & 31));
		else if ((y & 0x3b000000) == 0x39000000) /* of integers and floats */
			rc = ref_add(r, page + (imm << (y >> 30)), (y & 0xffc00000) == 0xf9000000);
	}
	return rc;
}

/* What a function's code names of [lo, hi), sorted. */
static int refs_of(struct bin *b, uint64_t text, const char *name, struct refs *r)
{
	struct bin_func fn;
	_free_ uint8_t *code = NULL;
	size_t n;
	int rc = bin_go_lookup(b, text, name, &fn);

	if (rc)
		return rc;
	if (fn.end <= fn.entry || fn.end - fn.entry > MAX_CODE)
		return -ENOENT;
	n = fn.end - fn.entry;
	code = malloc(n);
	if (!code)
		return -ENOMEM;
	rc = bin_read(b, fn.entry, code, n);
	if (rc)
		return rc == -EFAULT ? -ENOENT : rc;
	switch (bin_arch(b)) {
	case BIN_ARCH_AMD64:
		rc = refs_amd64(code, n, fn.entry, r);
		break;
	case BIN_ARCH_ARM64:
		rc = refs_arm64(code, n, fn.entry, r);
		break;
	default:
		return -ENOENT;
	}
	if (r->v.n)
		qsort(r->v.v, r->v.n, sizeof(*r->v.v), compare);
	return rc;
}

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

static unsigned int count(const struct refs *r, const struct go_layout *l, const enum go_field *f,
			  size_t n, uint64_t base)
{
	unsigned int hits = 0;

	for (size_t i = 0; i < n; i++)
		hits += go_has(l, f[i]) && find(r, base + go_off(l, f[i]));
	return hits;
}

/*
 * Whether the code names every field that the release has, and none of them lies where another one
 * does, be it one of `beside`: so no offset of a layout is wrong by a field's size in silence.
 */
static bool names_all(const struct refs *r, const struct go_layout *l, const enum go_field *f,
		      size_t n, const enum go_field *beside, size_t nbeside, uint64_t base)
{
	for (size_t i = 0; i < n; i++) {
		if (!go_has(l, f[i]))
			continue;
		if (!find(r, base + go_off(l, f[i])))
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

static unsigned int score(const struct refs *end, const struct refs *start,
			  const struct go_layout *l, const struct shape *s, uint64_t base)
{
	return count(end, l, s->end, s->nend, base) + count(start, l, s->start, s->nstart, base) +
	       !!find(start, base);
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
static uint64_t fit(const struct refs *end, const struct refs *start, const struct go_layout *l,
		    const struct shape *s, uint64_t not, int64_t n)
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

static uint64_t init_time(const struct refs *end, const struct refs *init,
			  const struct go_layout *l, const struct go_gc_code *c)
{
	uint64_t found = 0;

	for (size_t i = 0; i < init->v.n; i++) {
		const struct ref *w = &init->v.v[i];

		if (!w->store || w->addr % 8 || w->addr == found || !find(end, w->addr) ||
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
	struct refs end = { .lo = lo, .hi = hi }, start = end, init = end;
	int r;

	*out = (struct go_gc_code){ .stack_scan = GO_FIELD_COUNT };
	r = refs_of(b, text, "runtime.gcMarkTermination", &end);
	if (!r)
		r = refs_of(b, text, "runtime.gcStart", &start);
	if (!r)
		r = refs_of(b, text, "runtime.main", &init);
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

int go_profile_rate_code(struct bin *b, const struct go_rate_code *c, uint64_t text, uint64_t lo,
			 uint64_t hi, go_place_fn *fn, void *ctx, uint64_t *out)
{
	struct refs take = { .lo = lo, .hi = hi }, draw = take;
	int r = refs_of(b, text, c->takes, &take);

	*out = 0;
	for (size_t i = 0; i < ARRAY_LEN(c->decide) && c->decide[i] && !r; i++) {
		r = refs_of(b, text, c->decide[i], &draw);
		r = r == -ENOENT ? 0 : r;
	}
	for (size_t i = 0; i < take.v.n && !r; i++) {
		uint64_t at = take.v.v[i].addr;

		if (at % 8 || at == *out || !find(&draw, at) || !fn(ctx, at))
			continue;
		if (*out)
			r = -ENOENT;
		*out = at;
	}
	vec_free(&take.v);
	vec_free(&draw.v);
	return r ? r : *out ? 0 : -ENOENT;
}
