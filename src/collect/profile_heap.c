/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap as runtime/pprof shows it: what sampled allocations stand for, by call stack. */
#include "collect/profile_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "collect/profile_saved.h"
#include "goruntime/profile.h"

enum { RATE_DEFAULT = 512 << 10 }; /* runtime/mprof.go, MemProfileRate: bytes */

struct heap {
	struct making *k;
	int (*add)(struct heap *h, const struct go_bucket *b, struct profile_sample *s);
	uint64_t rate;	   /* bytes between two samples */
	bool rate_assumed; /* it is not known: Go's default was taken */
	bool published;	   /* some bucket has something that is */
	bool outside;	   /* some is of code outside the runtime */
	bool early;	   /* none has: all that is counted is taken */
};

/* Sampled objects, and the bytes of all of them. */
struct amount {
	int64_t count, bytes;
};

/* runtime/pprof, scaleHeapSample: of objects of this size one in so many is sampled. */
static double weight(uint64_t rate, struct amount a)
{
	if (rate <= 1 || a.count <= 0 || a.bytes <= 0)
		return 1;
	return 1 / (1 - exp(-((double)a.bytes / (double)a.count) / (double)rate));
}

/* What only forged buckets stand for ends there. */
static int64_t bounded(double v)
{
	const double most = 0x1p62;

	return v > most ? (int64_t)most : v < -most ? -(int64_t)most : (int64_t)v;
}

static struct amount scale(uint64_t rate, struct amount a)
{
	double by = weight(rate, a);

	if (!a.count || !a.bytes)
		return (struct amount){ 0 };
	if (rate <= 1)
		return a;
	return (struct amount){ bounded((double)a.count * by), bounded((double)a.bytes * by) };
}

/* Of the estimated bytes: each object is there with a probability of its own (Horvitz and
 * Thompson's estimator). */
static double variance(uint64_t rate, struct amount a)
{
	double by = weight(rate, a), size = a.count ? (double)a.bytes / (double)a.count : 0;

	return (double)a.count * size * size * by * (by - 1);
}

void profile_scale(uint64_t rate, int64_t *count, int64_t *bytes, double *var)
{
	struct amount sampled = { *count, *bytes }, a = scale(rate, sampled);

	*var = variance(rate, sampled);
	*count = a.count;
	*bytes = a.bytes;
}

static struct amount allocated(const struct go_mem_count *c)
{
	return (struct amount){ c->allocs, c->alloc_bytes };
}

static struct amount freed(const struct go_mem_count *c)
{
	return (struct amount){ c->frees, c->free_bytes };
}

static struct amount less(struct amount a, struct amount b)
{
	return (struct amount){ a.count - b.count, a.bytes - b.bytes };
}

/* ---- what a bucket says: s->value and variance; 1: nothing */

static int put_estimate(struct heap *h, struct amount a, struct profile_sample *s)
{
	h->k->p->sampled += (uint64_t)a.count;
	s->variance = variance(h->rate, a);
	return 0;
}

static int add_heap(struct heap *h, const struct go_bucket *b, struct profile_sample *s)
{
	struct amount alloc = allocated(&b->published);
	struct amount inuse = less(alloc, freed(&b->published)), all = scale(h->rate, alloc);
	struct amount in = scale(h->rate, inuse);

	if (!alloc.count)
		return 1;
	memcpy(s->value, (int64_t[]){ in.bytes, in.count, all.bytes, all.count }, sizeof(s->value));
	return put_estimate(h, inuse, s);
}

static int add_allocs(struct heap *h, const struct go_bucket *b, struct profile_sample *s)
{
	struct amount alloc = allocated(&b->published);
	struct amount in = scale(h->rate, less(alloc, freed(&b->published)));
	struct amount all = scale(h->rate, alloc);

	if (!alloc.count)
		return 1;
	memcpy(s->value, (int64_t[]){ all.bytes, all.count, in.bytes, in.count }, sizeof(s->value));
	return put_estimate(h, alloc, s);
}

/* What the last mark found dead is counted as it is swept; what it found alive is all that was
 * there then without that; what came after it is new. */
static int add_dead(struct heap *h, const struct go_bucket *b, struct profile_sample *s)
{
	struct amount dead = freed(&b->next);
	struct amount was = less(allocated(&b->published), freed(&b->published));
	struct amount live = less(was, dead), new = less(allocated(&b->all), freed(&b->all));
	struct amount d = scale(h->rate, dead);

	live.count += b->next.allocs;
	live.bytes += b->next.alloc_bytes;
	new = less(new, live);
	if (!dead.count && !live.count && !new.count)
		return 1;
	memcpy(s->value,
	       (int64_t[]){ d.bytes, d.count, scale(h->rate, live).bytes,
			    scale(h->rate, new).bytes },
	       sizeof(s->value));
	return put_estimate(h, dead, s);
}

/* ---- buckets */

static bool is_runtime(struct making *k, uint64_t addr)
{
	const char *name = profile_function_at(k, addr);

	return !strncmp(name, "runtime.", 8) || !strncmp(name, "internal/runtime/", 17);
}

/* pprof.go, hideRuntime */
size_t profile_allocator(struct making *k, const uint64_t *pc, size_t n)
{
	size_t from = 0;

	while (from < n && is_runtime(k, pc[from]))
		from++;
	return from < n ? from : 0;
}

static int add_bucket(void *ctx, const struct go_bucket *b)
{
	struct heap *h = ctx;
	struct making *k = h->k;
	struct profile_sample s = { .size = b->size };
	struct go_bucket x = *b;
	size_t from;
	int r;

	h->published |= b->published.allocs || b->published.frees;
	if (h->early)
		x.published = b->all;
	r = h->add(h, &x, &s);
	if (r)
		return r < 0 ? r : 0;
	from = profile_allocator(k, b->pc, b->npc);
	h->outside |= b->npc && !is_runtime(k, b->pc[from]);
	r = profile_take_stack(k, ADDRESSES_LOGICAL, b->pc + from, b->npc - from);
	return r ? r : profile_put(k, &s);
}

/* Of one GC cycle: where one ends in the middle, once more. */
static int read_cycle(struct heap *h, struct go_profile_info *info)
{
	enum { TRIES = 4 };
	struct profile *p = h->k->p;
	int r = 0;

	*info = (struct go_profile_info){ .moved = true };
	h->published = false;
	for (unsigned int i = 0; i < TRIES && info->moved && !r; i++) {
		memsrc_flush(h->k->g->rt.m);
		p->samples.n = p->stacks.n = p->sampled = 0;
		r = go_profile_read(&h->k->g->rt, GO_PROFILE_MEMORY, add_bucket, h, info);
	}
	return r;
}

/* As long as nothing is published, before the second GC cycle has ended, all that is counted
 * stands for it, as runtime.MemProfile does (mprof.go, "Absolutely no data"). */
static int read_buckets(struct heap *h, struct go_profile_info *info)
{
	int r = profile_saved_begin(h->k);

	h->early = false;
	if (!r)
		r = read_cycle(h, info);
	if (!r && !h->published && h->add != add_dead) {
		h->early = true;
		r = read_cycle(h, info);
	}
	return r;
}

static int say(struct heap *h, const struct go_profile_info *info)
{
	enum { FEW = 100 };
	struct profile *p = h->k->p;
	char rate[32];
	int r = 0;

	text_bytes(rate, sizeof(rate), h->rate);
	if (h->rate_assumed)
		r = profile_say(p,
				"the program's sampling rate (MemProfileRate) was not found; Go's "
				"default, %s, is assumed",
				rate);
	if (!r && !h->rate)
		r = profile_say(p,
				"MemProfileRate is 0 now: earlier samples are not scaled, because "
				"their rate is unknown");
	if (!r && h->rate && p->sampled < FEW)
		r = profile_say(
			p, "only %" PRIu64 " sampled objects (one every %s): a coarse estimate",
			p->sampled, rate);
	if (!r && h->early)
		r = profile_say(p, "fewer than two GC cycles have ended: what became garbage since "
				   "the start may be counted as in use");
	if (!r && info->moved)
		r = profile_say(p,
				"GC cycles ended while it was read: figures of several are mixed");
	if (!r && info->torn)
		r = profile_say(p,
				"%" PRIu64 " stacks changed while they were read, and are left out",
				info->torn);
	return r;
}

static int no_profile(struct err *e)
{
	return err_set(e, -ENOTSUP,
		       "there is no memory profile: MemProfileRate is 0, which the program has "
		       "set, or Go, where nothing in the program refers to the profiler");
}

int profile_heap_rate(const struct session_go *g, uint64_t *rate, bool *assumed, struct err *e)
{
	*assumed = go_profile_rate(&g->rt, g->bin, GO_PROFILE_MEMORY, rate) != 0;
	*rate = *assumed ? RATE_DEFAULT : *rate;
	return *rate ? 0 : no_profile(e);
}

static int read_rate(struct heap *h)
{
	const struct session_go *g = h->k->g;
	int r = -ENOENT;

	if (memsrc_kind(g->rt.m) != MEMSRC_CAPTURE)
		r = go_profile_rate(&g->rt, g->bin, GO_PROFILE_MEMORY, &h->rate);
	return profile_saved_fact(h->k, "profile_rate_memory", r, &h->rate);
}

static int make(struct heap *h, struct err *e)
{
	struct go_profile_info info;
	int r;

	h->rate_assumed = read_rate(h) != 0;
	h->rate = h->rate_assumed ? RATE_DEFAULT : h->rate;
	h->k->p->period_type = (struct profile_type){ "space", "bytes" };
	h->k->p->period = h->rate;
	r = read_buckets(h, &info);
	if (!h->rate && (r == -ENOENT || (!r && !h->outside)))
		return no_profile(e);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the table of the profiler's buckets was not found");
	r = r ? r : say(h, &info);
	return r ? err_set(e, r, "reading the profiler's buckets: %s", strerror(-r)) : 0;
}

int profile_make_heap(struct making *k, struct err *e)
{
	return make(&(struct heap){ .k = k, .add = add_heap }, e);
}

int profile_make_allocs(struct making *k, struct err *e)
{
	return make(&(struct heap){ .k = k, .add = add_allocs }, e);
}

int profile_make_dead(struct making *k, struct err *e)
{
	return make(&(struct heap){ .k = k, .add = add_dead }, e);
}

/* What is over can't be read. */
int profile_make_peak(struct making *k, struct err *e)
{
	return err_set(e, -ENOTSUP,
		       "what the heap held at its peak has to be read at that time: `rsscope watch "
		       "%d --peak-profile FILE` (or `rsscope run`) does, from now on",
		       memsrc_pid(k->s->m));
}
