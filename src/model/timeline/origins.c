/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/timeline/origins.h"

#include <string.h>

#include "model/timeline/timeline_impl.h"

void origins_free(struct origins *o)
{
	for (size_t i = 0; i < o->v.n; i++)
		free(o->v.v[i].addr);
	vec_free(&o->v);
	memset(o->hash, 0, sizeof(o->hash));
}

static uint64_t hash_of(const uint64_t *addr, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++)
		h = (h ^ addr[i]) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29;
	return h;
}

/* The slot that holds it, or the empty one where it belongs. */
static uint32_t *slot(struct origins *o, uint64_t hash, const uint64_t *addr, size_t n)
{
	size_t at = hash % (2 * ORIGINS_MAX);

	for (;; at = (at + 1) % (2 * ORIGINS_MAX)) {
		const struct origin *x = o->hash[at] ? &o->v.v[o->hash[at] - 1] : NULL;

		if (!x ||
		    (x->hash == hash && x->n == n && !memcmp(x->addr, addr, n * sizeof(*addr))))
			return &o->hash[at];
	}
}

static void mark(void *ctx, uint32_t number)
{
	struct origins *o = ctx;

	if (number >= ORIGIN_FIRST && number - ORIGIN_FIRST < o->v.n)
		o->v.v[number - ORIGIN_FIRST].used = true;
}

static void give_up_unused(struct origins *o, const struct timeline *t)
{
	for (size_t i = 0; i < o->v.n; i++)
		o->v.v[i].used = false;
	timeline_each_origin(t, mark, o);
	memset(o->hash, 0, sizeof(o->hash));
	for (size_t i = 0; i < o->v.n; i++) {
		struct origin *x = &o->v.v[i];

		if (x->used) {
			*slot(o, x->hash, x->addr, x->n) = i + 1;
		} else {
			free(x->addr);
			x->addr = NULL;
		}
	}
}

static long free_number(struct origins *o, const struct timeline *t)
{
	if (o->v.n < ORIGINS_MAX)
		return vec_push(&o->v, (struct origin){ 0 }) ? -1 : (long)o->v.n - 1;
	for (int tries = 0; tries < 2; tries++) {
		for (size_t i = 0; i < o->v.n; i++)
			if (!o->v.v[i].addr)
				return i;
		/* Once in a while only, when hardly any become free. */
		if (!tries && o->refused % ORIGINS_MAX == 0)
			give_up_unused(o, t);
	}
	return -1;
}

uint32_t origins_intern(struct origins *o, struct timeline *t, const struct event_call *c)
{
	size_t n = event_call_depth(c);
	uint64_t hash = hash_of(c->stack, n), *addr;
	uint32_t *at;
	long i;

	if (!n)
		return ORIGIN_UNKNOWN;
	at = slot(o, hash, c->stack, n);
	if (*at)
		return *at - 1 + ORIGIN_FIRST;
	addr = malloc(n * sizeof(*addr));
	i = addr ? free_number(o, t) : -1;
	if (i < 0) {
		o->refused++;
		free(addr);
		return ORIGIN_UNKNOWN;
	}
	memcpy(addr, c->stack, n * sizeof(*addr));
	o->v.v[i] = (struct origin){ hash, addr, n, n > c->nstack ? n - c->nstack : 0, true };
	*slot(o, hash, addr, n) = i + 1; /* the table may be another one by now */
	return i + ORIGIN_FIRST;
}

const struct origin *origins_get(const struct origins *o, uint32_t number)
{
	if (number < ORIGIN_FIRST || number - ORIGIN_FIRST >= o->v.n ||
	    !o->v.v[number - ORIGIN_FIRST].addr)
		return NULL;
	return &o->v.v[number - ORIGIN_FIRST];
}
