/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation sites, from the heap profile; what the profiler's buckets are of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "collect/profile.h"
#include "collect/sites.h"
#include "goruntime/profile.h"

/* ---- objects, by the function that a person would name */

/* Which profile explains a category, and by which of its columns: bytes are their sum. */
struct columns {
	const char *kind, *bytes[2], *objects;
};

static const struct columns live_columns = { "heap", { "inuse_space" }, "inuse_objects" };
static const struct columns dead_columns = { "dead", { "dead_space", "new_space" }, "" };

static int64_t column(const struct profile *p, const struct profile_sample *s, const char *name)
{
	for (size_t i = 0; name && i < p->ntypes; i++)
		if (!strcmp(p->type[i].name, name))
			return s->value[i];
	return 0;
}

struct by_caller {
	uint32_t function; /* index */
	int64_t bytes, objects, largest;
	const struct profile_sample *sample; /* the largest */
};

static const char *name_of(const struct profile *p, uint32_t function)
{
	return profile_text(p, p->functions.v[function].name);
}

/* The first function of a stack for which own is true, else the innermost; −1: there is none. */
static int64_t caller_of(const struct profile *p, const struct profile_sample *s, const bool *own)
{
	int64_t innermost = -1;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct profile_location *l = &p->locations.v[p->stacks.v[s->first + i]];

		for (uint32_t j = 0; j < l->n; j++) {
			uint32_t f = p->lines.v[l->first + j].function;

			if (own[f])
				return f;
			innermost = innermost < 0 ? f : innermost;
		}
	}
	return innermost;
}

static int copy_stack(const struct profile *p, const struct profile_sample *s, report_frames *out)
{
	int r = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct profile_location *l = &p->locations.v[p->stacks.v[s->first + i]];

		for (uint32_t j = 0; j < l->n && !r && out->n < SITE_FRAMES_MAX; j++) {
			const struct profile_line *x = &p->lines.v[l->first + j];
			const struct profile_function *f = &p->functions.v[x->function];

			r = site_add_frame(out, profile_text(p, f->name), profile_text(p, f->file),
					   x->line);
		}
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct by_caller *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->function < y->function ? -1 : x->function > y->function;
}

static int put_callers(struct look *k, const struct profile *p, const struct by_caller *v, size_t n,
		       struct report_profile *out)
{
	int r = 0;

	for (size_t i = 0; i < n && !r && v[i].bytes > 0; i++) {
		struct report_site s = { .bytes = OPT(v[i].bytes) };

		if (out->count.has)
			s.count = OPT(v[i].objects);

		r = copy_stack(p, v[i].sample, &s.stack);
		s.caller = site_caller(k, &s.stack);
		if (r)
			report_site_free(&s);
		else
			r = site_put(out, &s);
	}
	return r;
}

/* runtime/sizeclasses.go of Go 1.16–1.27, for objects up to 1 KiB: above it the bounds are an
 * eighth apart. */
static uint64_t class_below(uint64_t size)
{
	static const uint16_t sizes[] = { 0,   8,   16,	 24,  32,  48,	64,  80,  96,  112, 128,
					  144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
					  384, 416, 448, 480, 512, 576, 640, 704, 768, 896 };

	for (size_t i = ARRAY_LEN(sizes); i-- > 0;)
		if (sizes[i] < size && size <= 1024)
			return sizes[i];
	return size - size / 8;
}

/* Of the free slots' category: only objects of the size class that holds most of these. */
static bool is_meant(const struct look *k, const struct report_profile *p,
		     const struct profile_sample *s)
{
	const struct opt_u64 size = k->r->go.sparse.size;

	return p->cat != CAT_GO_HEAP_UNUSED ||
	       (size.has && s->size <= size.v && s->size > class_below(size.v));
}

static int add_up(struct look *k, const struct profile *p, const struct columns *c,
		  struct report_profile *out, size_t most)
{
	_free_ struct by_caller *v = calloc(p->functions.n + 1, sizeof(*v));
	_free_ bool *own = calloc(p->functions.n + 1, sizeof(*own));
	uint64_t bytes = 0, objects = 0;

	if (!v || !own)
		return -ENOMEM;
	for (size_t i = 0; i < p->functions.n; i++) {
		own[i] = report_is_own(name_of(p, i), k->r->target.module);
		v[i].function = i;
	}
	for (size_t i = 0; i < p->samples.n; i++) {
		const struct profile_sample *s = &p->samples.v[i];
		int64_t size = column(p, s, c->bytes[0]) + column(p, s, c->bytes[1]);
		int64_t f = caller_of(p, s, own);

		if (f < 0 || size <= 0 || !is_meant(k, out, s))
			continue;
		bytes += size;
		objects += column(p, s, c->objects);
		v[f].bytes += size;
		v[f].objects += column(p, s, c->objects);
		if (size > v[f].largest) {
			v[f].largest = size;
			v[f].sample = s;
		}
	}
	out->bytes = OPT(bytes);
	if (*c->objects)
		out->count = OPT(objects);
	qsort(v, p->functions.n, sizeof(*v), compare);
	return put_callers(k, p, v, p->functions.n < most ? p->functions.n : most, out);
}

int look_sites_heap(struct look *k, struct report_profile *p, size_t most)
{
	const struct columns *c = p->cat == CAT_GO_HEAP_DEAD ? &dead_columns : &live_columns;
	const struct profile_kind *kind = profile_kind_find(c->kind);
	struct profile heap = { 0 };
	struct err e = { 0 };
	int r = kind ? collect_profile(k->s, kind, &heap, &e) : -ENOTSUP;

	if (!r) {
		r = add_up(k, &heap, c, p, most);
		p->samples = OPT(heap.sampled);
	}
	profile_free(&heap);
	return r == -ENOTSUP ? -ENOENT : r;
}

/* ---- buckets: the function that makes the stacks so many */

enum { FUNC_BITS = 14, FUNCS_MAX = 1 << (FUNC_BITS - 1), PC_BITS = 14 };

struct func {
	const char *name;		/* borrowed from the symbolizer */
	uint64_t frames, buckets, last; /* last: the bucket that it was seen in, from 1 */
};

struct counting {
	struct look *k;
	struct func func[FUNCS_MAX];
	size_t n;
	uint32_t slot[1 << FUNC_BITS]; /* by name: index + 1 */
	struct {
		uint64_t pc;
		uint32_t func; /* index + 1; 0: not one of the program's own */
	} seen[1 << PC_BITS];  /* what was asked last */
	uint64_t buckets;
};

static uint32_t find_func(struct counting *c, const char *name)
{
	for (size_t i = hash_bytes(HASH_START, name, strlen(name));; i++) {
		uint32_t *slot = &c->slot[i & ((1 << FUNC_BITS) - 1)];

		if (*slot && !strcmp(c->func[*slot - 1].name, name))
			return *slot;
		if (*slot)
			continue;
		if (c->n == FUNCS_MAX)
			return 0;
		c->func[c->n++].name = name;
		return *slot = c->n;
	}
}

static uint32_t func_at(struct counting *c, uint64_t pc)
{
	size_t i = pc * 0x9e3779b97f4a7c15ULL >> (64 - PC_BITS);
	struct frame f;

	if (c->seen[i].pc == pc)
		return c->seen[i].func;
	symbolizer_frame(c->k->s->names, pc, &f);
	c->seen[i].pc = pc;
	c->seen[i].func =
		f.func && report_is_own(f.func, c->k->r->target.module) ? find_func(c, f.func) : 0;
	return c->seen[i].func;
}

static int count_bucket(void *ctx, const struct go_bucket *b)
{
	struct counting *c = ctx;

	c->buckets++;
	for (size_t i = 0; i < b->npc; i++) {
		uint32_t at = func_at(c, b->pc[i]);
		struct func *f = at ? &c->func[at - 1] : NULL;

		if (!f)
			continue;
		f->frames++;
		f->buckets += f->last != c->buckets;
		f->last = c->buckets;
	}
	return 0;
}

/* One that recurs makes ever new stacks: it stands in them more often than it is in. */
static int by_frames(const void *a, const void *b)
{
	const struct func *x = a, *y = b;

	if (x->frames != y->frames)
		return x->frames < y->frames ? 1 : -1;
	return strcmp(x->name, y->name);
}

int look_sites_buckets(struct look *k, struct report_profile *p, size_t most)
{
	_free_ struct counting *c = calloc(1, sizeof(*c));
	struct go_profile_info info;
	int r = -ENOMEM;

	if (!c)
		return r;
	c->k = k;
	r = go_profile_read(&k->go[0].s->rt, GO_PROFILE_MEMORY, count_bucket, c, &info);
	p->count = OPT(c->buckets);
	qsort(c->func, c->n, sizeof(*c->func), by_frames);
	for (size_t i = 0; !r && i < c->n && i < most; i++) {
		struct report_site s = { .count = OPT(c->func[i].buckets) };

		r = site_add_frame(&s.stack, c->func[i].name, NULL, 0);
		if (r)
			report_site_free(&s);
		else
			r = site_put(p, &s);
	}
	return r;
}
