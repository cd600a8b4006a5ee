/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/profile.h"

#include <errno.h>
#include <string.h>

#include "goruntime/gccode.h"
#include "goruntime/rd.h"
#include "goruntime/regions.h"

enum {
	WINDOW = 256 << 10, /* bytes read at once: more than any bucket */
	NPC_MAX = 4096,
	FUTURES = 3,
	TRIES = 4,
};
#define RATE_MAX (1ULL << 48)

struct reading {
	const struct go_runtime *rt;
	enum go_profile_kind kind;
	go_bucket_fn *fn;
	void *ctx;
	struct go_profile_info *info;
	uint64_t pc[NPC_MAX];
};

static int read_cycle(const struct go_runtime *rt, uint32_t *out)
{
	return rd_vars(rt, PASS_BOOKS, rt->g.memstats + rt->l->f[GO_MSTATS_NUMGC], out, 4);
}

/* memRecordCycle: {allocs, frees, alloc_bytes, free_bytes}, from 1.27 without the bytes, which are
 * the number times the bucket's size in any case. False: it is torn. */
static bool get_count(const struct go_layout *l, const uint8_t *p, uint64_t size,
		      struct go_mem_count *out)
{
	*out = (struct go_mem_count){ .allocs = load_u64(p), .frees = load_u64(p + 8) };
	out->alloc_bytes = out->allocs * size;
	out->free_bytes = out->frees * size;
	return l->f[GO_SIZE_MEMRECORDCYCLE] < 32 ||
	       (load_u64(p + 16) == out->alloc_bytes && load_u64(p + 24) == out->free_bytes);
}

static void add(struct go_mem_count *to, const struct go_mem_count *c)
{
	to->allocs += c->allocs;
	to->frees += c->frees;
	to->alloc_bytes += c->alloc_bytes;
	to->free_bytes += c->free_bytes;
}

/*
 * mprof.go: in cycle C allocations go to future[C + 2], what a sweep finds dead to future[C + 1];
 * future[C] is about to be published, or has been (mProf_Flush). C is the number of completed
 * cycles, which mProf_NextCycle counts as memstats.numgc does.
 */
static bool get_memory(const struct reading *r, const uint8_t *p, struct go_bucket *b)
{
	const struct go_layout *l = r->rt->l;
	bool good = get_count(l, p + l->f[GO_MEMRECORD_ACTIVE], b->size, &b->published);

	b->all = b->published;
	for (unsigned int i = 0; i < FUTURES; i++) {
		unsigned int at = (r->info->gc_cycle + i) % FUTURES;
		struct go_mem_count c;

		good &= get_count(l,
				  p + l->f[GO_MEMRECORD_FUTURE] + at * l->f[GO_SIZE_MEMRECORDCYCLE],
				  b->size, &c);
		add(&b->all, &c);
		if (i == 0)
			add(&b->published, &c);
		else if (i == 1)
			b->next = c;
	}
	return good && b->all.frees <= b->all.allocs;
}

/* blockRecord: {count, cycles}. The count is whole up to 1.16, then a float64. */
static bool get_contention(const struct reading *r, const uint8_t *p, struct go_bucket *b)
{
	int64_t cycles = (int64_t)load_u64(p + 8);

	b->cycles = (double)cycles;
	if (go_layout_minor(r->rt->l) < 17)
		b->count = (double)(int64_t)load_u64(p);
	else
		memcpy(&b->count, p, 8);
	return b->count >= 0 && b->count < 1e18 && cycles >= 0;
}

/* The bucket at p: fills *b. False when it is torn. */
static bool get_bucket(struct reading *r, const uint8_t *p, struct go_bucket *b)
{
	const struct go_layout *l = r->rt->l;
	size_t n = l->f[GO_SIZE_BUCKET];
	const uint8_t *record;

	*b = (struct go_bucket){ .kind = get_u64(l, GO_BUCKET_TYP, p, n),
				 .size = get_u64(l, GO_BUCKET_SIZE, p, n),
				 .npc = get_u64(l, GO_BUCKET_NSTK, p, n),
				 .pc = r->pc };
	memcpy(r->pc, p + n, b->npc * 8);
	record = p + n + b->npc * 8;
	if (b->kind == GO_PROFILE_MEMORY)
		return get_memory(r, record, b);
	return get_contention(r, record, b);
}

/* One that was read in the middle of a change is read again. */
static int take(struct reading *r, uint64_t addr, const uint8_t *p, size_t len)
{
	_free_ uint8_t *again = NULL;
	struct go_bucket b;
	bool good = get_bucket(r, p, &b);
	int rc = 0;

	for (unsigned int i = 0; !good && i < TRIES && !rc; i++) {
		again = again ? again : malloc(len);
		if (!again)
			return -ENOMEM;
		rd_again(r->rt, i);
		rc = rd(r->rt, PASS_BOOKS, addr, again, len);
		good = !rc && bucket_size(r->rt->l, again, len) == len && get_bucket(r, again, &b);
	}
	if (rc == -ESRCH || rc == -ENOMEM)
		return rc;
	r->info->buckets += good;
	r->info->torn += !good;
	return good ? r->fn(r->ctx, &b) : 0;
}

/* Buckets that follow each other. */
static int read_region(struct reading *r, uint64_t start, uint64_t end, uint8_t *buf)
{
	const struct go_layout *l = r->rt->l;
	size_t head = l->f[GO_SIZE_BUCKET], len;

	while (start < end) {
		size_t have = end - start < WINDOW ? end - start : WINDOW, at = 0;
		int rc = rd(r->rt, PASS_BOOKS, start, buf, have);

		if (rc)
			return rc;
		for (; have - at >= head; at += len) {
			len = bucket_size(l, buf + at, head);
			if (!len)
				return -ERANGE; /* it was one */
			if (len > have - at)
				break;
			if (get_u64(l, GO_BUCKET_TYP, buf + at, head) == r->kind)
				rc = take(r, start + at, buf + at, len);
			if (rc)
				return rc;
		}
		if (!at)
			return -ERANGE;
		start += at;
	}
	return 0;
}

static int read_all(struct reading *r, const go_region_vec *v)
{
	_free_ uint8_t *buf = malloc(WINDOW);
	uint32_t cycle = 0;
	int rc = buf ? 0 : -ENOMEM;

	for (size_t i = 0; i < v->n && !rc; i++)
		if (v->v[i].kind == GO_REGION_BUCKET)
			rc = read_region(r, v->v[i].start, v->v[i].end, buf);
	if (!rc)
		rc = read_cycle(r->rt, &cycle);
	r->info->moved = cycle != r->info->gc_cycle;
	return rc;
}

int go_profile_read(const struct go_runtime *rt, enum go_profile_kind kind, go_bucket_fn *fn,
		    void *ctx, struct go_profile_info *info)
{
	_free_ struct reading *r = malloc(sizeof(*r));
	go_region_vec v = { 0 };
	uint64_t moment;
	int rc = rt->g.buckhash ? 0 : -ENOENT;

	*info = (struct go_profile_info){ 0 };
	if (!r)
		return -ENOMEM;
	*r = (struct reading){ .rt = rt, .kind = kind, .fn = fn, .ctx = ctx, .info = info };
	if (!rc)
		rc = buckets_read(rt, &v, &moment);
	if (rc == -ERANGE || rc == -ENODATA) /* what is there is there */
		rc = 0;
	if (!rc)
		rc = read_cycle(rt, &info->gc_cycle);
	if (!rc)
		rc = read_all(r, &v);
	vec_free(&v);
	return rc;
}

static bool is_rate(void *ctx, uint64_t addr)
{
	const struct go_runtime *rt = ctx;
	uint64_t rate;

	return !rd_vars(rt, PASS_BOOKS, addr + rt->bias, &rate, 8) && rate <= RATE_MAX;
}

/* Link-time bounds of where that rate is: the two that are off by default are zeros in the file. */
static int rate_bounds(const struct go_runtime *rt, enum go_profile_kind kind, uint64_t *lo,
		       uint64_t *hi)
{
	const struct go_globals *g = &rt->g;
	uint64_t bss[2] = { g->noptrdata, g->end };
	int r = 0;

	if (kind != GO_PROFILE_MEMORY)
		r = rd(rt, PASS_BOOKS, g->moduledata + rt->l->f[GO_MODULEDATA_NOPTRBSS], bss,
		       sizeof(bss));
	*lo = bss[0] - rt->bias;
	*hi = bss[1] - rt->bias;
	return r;
}

int go_profile_rate(const struct go_runtime *rt, struct bin *b, enum go_profile_kind kind,
		    uint64_t *out)
{
	static const struct go_rate_code codes[] = {
		[GO_PROFILE_MEMORY] = { "runtime.MemProfileRate",
					{ "runtime.profilealloc" },
					{ "runtime.allocmcache", "runtime.nextSample" } },
		[GO_PROFILE_BLOCK] = { "runtime.blockprofilerate",
				       { "runtime.blockevent", "runtime.blocksampled" },
				       { "runtime.semacquire1", "runtime.chanrecv",
					 "runtime.selectgo" } },
		[GO_PROFILE_MUTEX] = { "runtime.mutexprofilerate",
				       { "runtime.mutexevent", "sync.event" }, /* its linkname */
				       { "runtime.semacquire1" } },
	};
	uint64_t addr, size, lo, hi;
	bool named = !bin_symbol_addr(b, codes[kind].symbol, &addr, &size);
	int r = named ? 0 : rate_bounds(rt, kind, &lo, &hi);

	if (!named && !r)
		r = go_profile_rate_code(b, &codes[kind], rt->g.text - rt->bias, lo, hi, is_rate,
					 (void *)(uintptr_t)rt, &addr);
	return r ? r : rd_vars(rt, PASS_BOOKS, addr + rt->bias, out, 8);
}
