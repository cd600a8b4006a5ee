/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/ticks.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "goruntime/coderefs.h"
#include "goruntime/rd.h"

enum { MEASURE_NS = 10000000, SETTLED_NS = 5000000 };

/* ---- the clocks, as nanotime and cputicks of the runtime read them */

struct moment {
	uint64_t ns, ticks;
};

#if defined(__x86_64__)
static bool read_ticks(uint64_t *out)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	*out = (uint64_t)hi << 32 | lo;
	return true;
}
#elif defined(__aarch64__)
static bool read_ticks(uint64_t *out)
{
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(*out)::"memory");
	return true;
}
#else
static bool read_ticks(uint64_t *out)
{
	return false;
}
#endif

/* The closest of some pairs: between the two readings of a pair this thread may wait. */
static bool read_moment(struct moment *out)
{
	enum { PAIRS = 8 };
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < PAIRS; i++) {
		uint64_t before = mono_ns(), ticks, after;

		if (!read_ticks(&ticks))
			return false;
		after = mono_ns();
		if (after - before >= best)
			continue;
		best = after - before;
		*out = (struct moment){ before + best / 2, ticks };
	}
	return true;
}

static double rate(const struct moment *from, const struct moment *to)
{
	return (double)(to->ticks - from->ticks) * 1e9 / (double)(to->ns - from->ns);
}

static bool measure(struct moment *now, double *out)
{
	struct moment first;

	if (!read_moment(&first))
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = MEASURE_NS }, NULL);
	if (!read_moment(now) || now->ns <= first.ns || now->ticks <= first.ticks)
		return false;
	*out = rate(&first, now);
	return *out > 0;
}

/* ---- the runtime's */

static bool is_near(double x, double measured, unsigned int part)
{
	return fabs(x - measured) <= measured / part;
}

/*
 * Up to 1.21 the function names the lock and the number that it keeps, which is near the measured
 * one: not very much so where a busy machine has let it wait between two readings. 0: nobody has
 * asked for it yet.
 */
static uint64_t find_kept(const struct go_runtime *rt, const struct code_refs *refs,
			  double measured)
{
	unsigned int part = go_has(rt->l, GO_TICKS_STARTTIME) ? 1000 : 8;
	uint64_t found = 0, v;

	for (size_t i = 0; i < refs->v.n; i++) {
		uint64_t at = refs->v.v[i].addr + rt->bias;

		if (at % 8 || rd_vars(rt, PASS_BOOKS, at, &v, 8) || v >> 48 ||
		    !is_near(v, measured, part))
			continue;
		if (found && found != v)
			return 0;
		found = v;
	}
	return found;
}

/* From 1.22 on it keeps when the program began, by both clocks: these give the measured rate. The
 * address of that structure, and the rate from then to now; 0: not found. */
static uint64_t find_start(const struct go_runtime *rt, const struct code_refs *refs,
			   const struct moment *now, double measured, uint64_t *ticks)
{
	const struct go_layout *l = rt->l;
	struct moment start;

	if (!go_has(l, GO_TICKS_STARTTICKS) || !go_has(l, GO_TICKS_STARTTIME))
		return 0;
	for (size_t i = 0; i < refs->v.n; i++) {
		uint64_t base = refs->v.v[i].addr + rt->bias - go_off(l, GO_TICKS_STARTTICKS);

		if (base % 8 ||
		    rd_vars(rt, PASS_BOOKS, base + go_off(l, GO_TICKS_STARTTICKS), &start.ticks,
			    8) ||
		    rd_vars(rt, PASS_BOOKS, base + go_off(l, GO_TICKS_STARTTIME), &start.ns, 8) ||
		    !start.ns || start.ns + SETTLED_NS > now->ns || start.ticks >= now->ticks ||
		    !is_near(rate(&start, now), measured, 1000))
			continue;
		*ticks = rate(&start, now);
		return base;
	}
	return 0;
}

static int read_refs(const struct go_runtime *rt, struct bin *b, struct code_refs *refs)
{
	static const char *const names[] = {
		"runtime.ticksPerSecond", "runtime.tickspersecond",
		"runtime.schedinit", /* where the first is not linked in: its start alone */
	};
	size_t n = ARRAY_LEN(names) - !go_has(rt->l, GO_TICKS_STARTTIME);
	int r = -ENOENT;

	for (size_t i = 0; i < n && r == -ENOENT; i++)
		r = code_refs_read(b, rt->g.text - rt->bias, names[i], refs);
	return r == -ENOMEM ? r : 0;
}

static enum go_ticks_from take(const struct go_runtime *rt, const struct code_refs *refs,
			       const struct moment *now, double measured, uint64_t *ticks)
{
	uint64_t kept = 0, base = find_start(rt, refs, now, measured, ticks);

	if (base)
		rd_vars(rt, PASS_BOOKS, base + go_off(rt->l, GO_TICKS_VAL), &kept, 8);
	else
		kept = find_kept(rt, refs, measured);
	/* computed soon after the start and in need of a CPU it is far off, and still what counts
	 */
	if (kept && is_near(kept, measured, base ? 1 : 8)) {
		*ticks = kept;
		return GO_TICKS_RUNTIME;
	}
	if (base)
		return GO_TICKS_STARTED;
	*ticks = measured;
	return GO_TICKS_MEASURED;
}

static int find(const struct go_runtime *rt, struct bin *b, uint64_t *ticks)
{
	struct code_refs refs = { .lo = rt->g.noptrdata - rt->bias, .hi = rt->g.end - rt->bias };
	struct moment now;
	double measured;
	int r, how = 0;

	if (!measure(&now, &measured))
		return -ENOTSUP;
	r = read_refs(rt, b, &refs);
	if (!r)
		how = take(rt, &refs, &now, measured, ticks);
	vec_free(&refs.v);
	return r ? r : how;
}

int go_ticks_per_second(const struct go_runtime *rt, struct bin *b, double *out)
{
	bool live = memsrc_kind(rt->m) == MEMSRC_LIVE;
	uint64_t ticks = 0, how = 0;
	char note[64];
	int r;

	r = live ? find(rt, b, &ticks) : 0;
	if (r < 0)
		return r;
	how = r;
	if (memsrc_kind(rt->m) == MEMSRC_CORE)
		return -ENOENT;
	snprintf(note, sizeof(note), "ticks per second of %" PRIx64, rt->bias);
	if (memsrc_note(rt->m, note, &ticks))
		return -ENOENT;
	snprintf(note, sizeof(note), "ticks from of %" PRIx64, rt->bias);
	if (memsrc_note(rt->m, note, &how) || how > GO_TICKS_MEASURED || !ticks || ticks >> 48)
		return -ENOENT;
	*out = ticks;
	return how;
}
