/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/histograms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "goruntime/rd.h"

/* ---- where they are */

struct place {
	enum go_field sched, mstats; /* offset in `sched`, in `memstats`; GO_FIELD_COUNT: never */
};

static const struct place places[GO_HIST_COUNT] = {
	/* 1.16 to 1.21 in mstats: pauses of the collector, from then on all that it stopped for */
	[GO_HIST_PAUSES_GC] = { GO_SCHED_STWTOTALGC, GO_MSTATS_GCPAUSEDIST },
	[GO_HIST_PAUSES_OTHER] = { GO_SCHED_STWTOTALOTHER, GO_FIELD_COUNT },
	[GO_HIST_STOPPING_GC] = { GO_SCHED_STWSTOPPINGGC, GO_FIELD_COUNT },
	[GO_HIST_STOPPING_OTHER] = { GO_SCHED_STWSTOPPINGOTHER, GO_FIELD_COUNT },
	[GO_HIST_LATENCIES] = { GO_SCHED_TIMETORUN, GO_FIELD_COUNT },
};

static bool has_field(const struct go_layout *l, enum go_field f)
{
	return f != GO_FIELD_COUNT && go_has(l, f);
}

static bool has(const struct go_layout *l, enum go_hist_id id)
{
	return has_field(l, places[id].sched) || has_field(l, places[id].mstats);
}

uint64_t go_histogram_place(const struct go_runtime *rt, enum go_hist_id id)
{
	const struct place *p = &places[id];

	if (has_field(rt->l, p->sched))
		return rt->g.sched ? rt->g.sched + go_off(rt->l, p->sched) : 0;
	if (has_field(rt->l, p->mstats))
		return rt->g.memstats ? rt->g.memstats + go_off(rt->l, p->mstats) : 0;
	return 0;
}

/* ---- buckets */

/* Exponential buckets, each divided into 1 << sub_bits linear ones. */
struct shape {
	uint64_t counts; /* how many there are in `counts` */
	unsigned int sub_bits;
	unsigned int
		low;   /* bits below the first sub-bucket's: nanoseconds of one unit, as a shift */
	bool overflow; /* it has a count of its own; else the last bucket has no end */
	size_t size, underflow_at, overflow_at;
};

/*
 * Up to 1.19 sub-buckets begin at 1 ns, and what is too long counts in the last; from 1.20 on the
 * first bucket is as wide as 2^(MinBucketBits − 1) ns. False: the layout contradicts itself.
 */
static bool get_shape(const struct go_layout *l, struct shape *s)
{
	const int64_t *f = l->f;
	int64_t buckets;

	if (!go_has(l, GO_SIZE_TIMEHIST) || f[GO_TIMEHIST_COUNTS] != 0 ||
	    f[GO_TIMEHIST_UNDERFLOW] != f[GO_TIMEHIST_COUNTS_WIDTH] ||
	    f[GO_CONST_TIMEHIST_SUBBUCKETBITS] < 1 || f[GO_CONST_TIMEHIST_SUBBUCKETBITS] > 8)
		return false;
	s->sub_bits = f[GO_CONST_TIMEHIST_SUBBUCKETBITS];
	s->overflow = go_has(l, GO_TIMEHIST_OVERFLOW);
	s->low = 0;
	if (go_has(l, GO_CONST_TIMEHIST_MINBUCKETBITS)) {
		int64_t min = f[GO_CONST_TIMEHIST_MINBUCKETBITS];

		buckets = f[GO_CONST_TIMEHIST_NUMBUCKETS];
		if (min <= s->sub_bits || min > 32 || !s->overflow ||
		    buckets != f[GO_CONST_TIMEHIST_MAXBUCKETBITS] - min + 1)
			return false;
		s->low = min - 1 - s->sub_bits;
	} else {
		buckets = f[GO_CONST_TIMEHIST_NUMSUPERBUCKETS];
	}
	if (buckets < 1 || s->low + s->sub_bits + buckets > 63)
		return false;
	s->counts = (uint64_t)buckets << s->sub_bits;
	s->underflow_at = s->counts * 8;
	s->overflow_at = s->underflow_at + 8;
	s->size = s->overflow_at + (s->overflow ? 8 : 0);
	return (uint64_t)f[GO_TIMEHIST_COUNTS_WIDTH] == s->underflow_at &&
	       (uint64_t)f[GO_SIZE_TIMEHIST] == s->size &&
	       (!s->overflow || (uint64_t)f[GO_TIMEHIST_OVERFLOW] == s->overflow_at);
}

/* Where the i-th of counts[] begins, ns; for i == counts: where the last one ends. */
static uint64_t bound(const struct shape *s, uint64_t i)
{
	uint64_t bucket = i >> s->sub_bits, sub = i & ((1ULL << s->sub_bits) - 1);

	if (!bucket)
		return sub << s->low;
	return ((1ULL << s->sub_bits) | sub) << (s->low + bucket - 1);
}

static int put(struct go_histogram *h, struct go_hist_bucket b)
{
	if (!b.count)
		return 0;
	h->count = h->count > UINT64_MAX - b.count ? UINT64_MAX : h->count + b.count;
	return vec_push(&h->v, b);
}

static int fill(struct go_histogram *h, const struct shape *s, const uint8_t *p)
{
	int r = put(h, (struct go_hist_bucket){ .below = true,
						.count = load_u64(p + s->underflow_at) });

	for (uint64_t i = 0; i < s->counts && !r; i++)
		r = put(h, (struct go_hist_bucket){ .from_ns = bound(s, i),
						    .to_ns = bound(s, i + 1),
						    .count = load_u64(p + i * 8),
						    .beyond = !s->overflow && i + 1 == s->counts });
	if (!r && s->overflow)
		r = put(h, (struct go_hist_bucket){ .from_ns = bound(s, s->counts),
						    .count = load_u64(p + s->overflow_at),
						    .beyond = true });
	return r;
}

/* ---- reading */

static void absent(struct go_histograms *out, const char *name)
{
	size_t n = strlen(out->absent);

	snprintf(out->absent + n, sizeof(out->absent) - n, "%s%s", n ? ", " : "", name);
}

/* The code must name the place that the layout leads to: nothing else about counts is certain. */
static int read_one(const struct go_runtime *rt, enum go_hist_id id, const char *name,
		    const struct shape *s, struct go_histograms *out)
{
	uint64_t at = go_histogram_place(rt, id);
	_free_ uint8_t *p = NULL;
	int r = 0;

	if (!s || !at || rt->g.hist[id] != at) {
		absent(out, name);
		return 0;
	}
	p = calloc(1, s->size);
	if (!p)
		return -ENOMEM;
	r = rd_vars(rt, PASS_BOOKS, at, p, s->size);
	if (r == -ESRCH)
		return r;
	if (r) {
		absent(out, name);
		return 0;
	}
	out->h[out->n].name = name;
	return fill(&out->h[out->n++], s, p);
}

int go_histograms_read(const struct go_runtime *rt, struct go_histograms *out)
{
	static const struct {
		const char *name;
		enum go_hist_id id;
		bool split; /* only where the runtime tells the collector's stops from others */
	} names[GO_HIST_NAMES] = {
		{ "/gc/pauses:seconds", GO_HIST_PAUSES_GC, false },
		{ "/sched/latencies:seconds", GO_HIST_LATENCIES, false },
		{ "/sched/pauses/stopping/gc:seconds", GO_HIST_STOPPING_GC, true },
		{ "/sched/pauses/stopping/other:seconds", GO_HIST_STOPPING_OTHER, true },
		{ "/sched/pauses/total/gc:seconds", GO_HIST_PAUSES_GC, true },
		{ "/sched/pauses/total/other:seconds", GO_HIST_PAUSES_OTHER, true },
	};
	struct shape shape;
	bool ok = get_shape(rt->l, &shape);
	int r = 0;

	*out = (struct go_histograms){ 0 };
	for (size_t i = 0; i < GO_HIST_NAMES && !r; i++)
		if (has(rt->l, names[i].id) &&
		    (!names[i].split || go_has(rt->l, GO_SCHED_STWTOTALGC)))
			r = read_one(rt, names[i].id, names[i].name, ok ? &shape : NULL, out);
	if (r)
		go_histograms_free(out);
	return r;
}

void go_histograms_free(struct go_histograms *h)
{
	for (size_t i = 0; i < h->n; i++)
		vec_free(&h->h[i].v);
	*h = (struct go_histograms){ 0 };
}
