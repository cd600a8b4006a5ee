/* SPDX-License-Identifier: BSD-2-Clause */
/* Go types of live objects, of the main runtime, from the bitmaps that the ledger is made by. Only
 * where all sites are asked for: the headers of large objects are read for it. */
#include <errno.h>
#include <string.h>

#include "collect/sites.h"
#include "goruntime/types.h"

struct type_site {
	char *name;
	uint64_t live, objects; /* live: bytes */
};

struct look_types {
	struct go_types *of; /* NULL: nothing was there, or it is over */
	VEC(struct type_site) v;
};

int look_types_begin(struct look *k)
{
	if (!look_has_sites(k) || !k->opts->all_sites || k->opts->objects)
		return 0;
	k->types = calloc(1, sizeof(*k->types));
	return k->types ? 0 : -ENOMEM;
}

int look_types_add(struct look *k, const struct collect_piece *c)
{
	struct look_types *t = k->types;
	const struct go_types_piece p = {
		.s = c->span,
		.b = c->slots,
		.large_type = go_heap_large_type(c->heap, c->span->start),
		.start = c->start,
		.end = c->end,
		.resident = c->resident,
	};
	int r = 0;

	if (c->go != k->go[0].s)
		return 0;
	if (!t->of)
		r = go_types_create(&c->go->rt, c->go->bin, &t->of);
	return r ? r : go_types_add(t->of, &p);
}

static int take(void *ctx, const char *name, enum go_type_how how, const struct go_type_sum *s)
{
	struct look_types *t = ctx;
	struct type_site x = { .live = s->live, .objects = s->objects };

	if (!s->live)
		return 0;
	x.name = strdup(name);
	if (x.name && !vec_push(&t->v, x))
		return 0;
	free(x.name);
	return -ENOMEM;
}

int look_types_end(struct look *k)
{
	struct look_types *t = k->types;
	int r = t && t->of ? go_types_end(t->of, take, t) : 0;

	if (t) {
		go_types_destroy(t->of);
		t->of = NULL;
	}
	return r;
}

void look_types_free(struct look *k)
{
	if (!k->types)
		return;
	go_types_destroy(k->types->of);
	for (size_t i = 0; i < k->types->v.n; i++)
		free(k->types->v.v[i].name);
	vec_free(&k->types->v);
	free(k->types);
	k->types = NULL;
}

static int by_live(const void *a, const void *b)
{
	const struct type_site *x = a, *y = b;

	if (x->live != y->live)
		return x->live < y->live ? 1 : -1;
	return strcmp(x->name, y->name);
}

int look_sites_types(struct look *k, struct report_profile *p, size_t most)
{
	struct look_types *t = k->types;
	uint64_t bytes = 0, objects = 0;
	int r = 0;

	if (!t || !t->v.n)
		return -ENOENT;
	qsort(t->v.v, t->v.n, sizeof(*t->v.v), by_live);
	for (size_t i = 0; i < t->v.n && !r; i++) {
		const struct type_site *x = &t->v.v[i];
		struct report_site s = { .bytes = OPT(x->live), .count = OPT(x->objects) };

		bytes += x->live;
		objects += x->objects;
		if (i >= most)
			continue;
		s.caller = -1;
		s.name = strdup(x->name);
		r = s.name ? site_put(p, &s) : -ENOMEM;
	}
	p->bytes = OPT(bytes);
	p->count = OPT(objects);
	return r;
}
