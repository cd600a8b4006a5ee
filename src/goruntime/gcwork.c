/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/gcwork.h"

#include <errno.h>

#include "goruntime/rd.h"

enum {
	SCAN_CHUNK = 1 << 18,
	SCAN_MAX = 512 << 20, /* bytes of data and bss that are searched at most */
	MIN_MARKED = 4096,    /* a smaller value is found in too many places */
};

struct search {
	const struct go_runtime *rt;
	uint64_t marked; /* gcController.heapMarked */
	uint32_t numgc;
	uint64_t found;
	unsigned int n;
};

static int read_numgc(const struct go_runtime *rt, uint32_t *out)
{
	return rd_vars(rt, PASS_DISCOVER, rt->g.memstats + go_off(rt->l, GO_MSTATS_NUMGC), out,
		       sizeof(*out));
}

static int read_marked(const struct go_runtime *rt, uint64_t *out)
{
	const struct go_layout *l = rt->l;

	if (rt->g.gccontroller && go_has(l, GO_GCC_HEAPMARKED))
		return rd_u64(rt, PASS_DISCOVER, rt->g.gccontroller + go_off(l, GO_GCC_HEAPMARKED),
			      out);
	if (go_has(l, GO_MSTATS_HEAP_MARKED))
		return rd_u64(rt, PASS_DISCOVER, rt->g.memstats + go_off(l, GO_MSTATS_HEAP_MARKED),
			      out);
	return -ENOENT;
}

static uint64_t field(const struct search *s, uint64_t work, enum go_field f)
{
	uint64_t v = 0;

	if (!go_has(s->rt->l, f) || rd_u64(s->rt, PASS_DISCOVER, work + go_off(s->rt->l, f), &v))
		return 0;
	return v;
}

static bool is_work(const struct search *s, uint64_t work)
{
	uint64_t sweep = field(s, work, GO_WORK_TSWEEPTERM), mark = field(s, work, GO_WORK_TMARK);
	uint64_t term = field(s, work, GO_WORK_TMARKTERM), end = field(s, work, GO_WORK_TEND);
	uint32_t cycles = field(s, work, GO_WORK_CYCLES);

	if (!s->numgc)
		return cycles <= 1 && !end;
	/* While a cycle runs its first times are new and the last two are the one before's. */
	if (!sweep || !term || term > end || end - term > 3600000000000ULL)
		return false;
	if (cycles == s->numgc)
		return sweep <= mark && mark <= term;
	return cycles == s->numgc + 1 && (sweep >= end || sweep <= mark);
}

static void look(struct search *s, uint64_t at, const uint64_t *w, uint64_t n)
{
	int64_t off = go_off(s->rt->l, GO_WORK_HEAP2);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t work = at + i * 8 - off;

		if (w[i] == s->marked && work >= s->rt->g.noptrdata && is_work(s, work)) {
			s->found = work;
			s->n++;
		}
	}
}

int go_work_find(const struct go_runtime *rt, uint64_t known, uint64_t *out)
{
	struct search s = { .rt = rt };
	uint64_t lo = (rt->g.noptrdata + 7) & ~7ULL, hi = rt->g.end;
	_free_ uint64_t *buf = malloc(known ? 8 : SCAN_CHUNK);
	uint32_t numgc = 0;

	if (!buf)
		return -ENOMEM;
	if (!rt->g.memstats || !go_has(rt->l, GO_WORK_HEAP2) || !go_has(rt->l, GO_MSTATS_NUMGC))
		return -ENOENT;
	memsrc_flush(rt->m);
	if (read_numgc(rt, &s.numgc) || read_marked(rt, &s.marked) || !s.numgc ||
	    s.marked < MIN_MARKED)
		return -ENOENT;
	if (hi - lo > SCAN_MAX)
		hi = lo + SCAN_MAX;
	if (known) {
		lo = known + go_off(rt->l, GO_WORK_HEAP2);
		hi = lo + 8;
	}
	for (uint64_t at = lo, n; at + 8 <= hi; at += n) {
		int r;

		n = hi - at < SCAN_CHUNK ? (hi - at) & ~7ULL : SCAN_CHUNK;
		r = memsrc_read(rt->m, PASS_DISCOVER, at, buf, n);
		if (r && r != -ENODATA)
			return r;
		look(&s, at, buf, n / 8);
	}
	memsrc_flush(rt->m);
	if (read_numgc(rt, &numgc) || numgc != s.numgc || s.n > 1)
		return -EAGAIN;
	if (!s.n)
		return -ENOENT;
	*out = s.found;
	return 0;
}

bool go_work_fits(const struct go_runtime *rt, uint64_t work)
{
	struct search s = { .rt = rt };

	memsrc_flush(rt->m);
	return rt->g.memstats && go_has(rt->l, GO_MSTATS_NUMGC) && !read_numgc(rt, &s.numgc) &&
	       is_work(&s, work);
}

bool go_controller_fits(const struct go_runtime *rt, uint64_t work, uint64_t controller)
{
	static const enum go_field times[] = { GO_GCC_ASSISTTIME, GO_GCC_DEDICATEDTIME,
					       GO_GCC_FRACTIONALTIME, GO_GCC_IDLETIME };
	struct search s = { .rt = rt };

	memsrc_flush(rt->m);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (field(&s, controller, times[i]) > INT64_MAX / 2)
			return false;
	return field(&s, controller, GO_GCC_MARKSTARTTIME) == field(&s, work, GO_WORK_TSWEEPTERM);
}
