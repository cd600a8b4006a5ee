/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Go runtime's books say, as claims; and how sure that is. */
#include "collect/look.h"

#include <stdio.h>

#include "goruntime/objects.h"

static enum category region_category(enum go_region_kind kind)
{
	switch (kind) {
	case GO_REGION_GCBITS:
	case GO_REGION_MARK_QUEUE:
		return CAT_GO_GC;
	case GO_REGION_BUCKHASH:
	case GO_REGION_BUCKET:
		return CAT_GO_PROFILER;
	case GO_REGION_PERSISTENT:
	case GO_REGION_GETRANDOM:
		return CAT_GO_RUNTIME;
	case GO_REGION_ARENA:
		return CAT_GO_HEAP_RELEASED;
	default:
		return CAT_GO_ALLOCATOR;
	}
}

static enum claim_level region_level(enum go_region_kind kind)
{
	return kind == GO_REGION_ARENA	 ? LEVEL_OBJECT
	       : kind >= GO_REGION_MSPAN ? LEVEL_PAGES
					 : LEVEL_REGION;
}

static int claim_regions(struct look *k, const struct look_go *g)
{
	struct ledger_builder *b = &k->ledger;

	for (size_t i = 0; i < g->regions.n; i++) {
		const struct go_region *x = &g->regions.v[i];
		uint32_t row;
		int r = ledger_row(b, region_category(x->kind), ROW_TYPE, go_region_name(x->kind),
				   &row);

		if (!r)
			r = ledger_claim(b, region_level(x->kind), x->start, x->end, row,
					 METHOD_MEASURED, 0);
		if (r)
			return r;
	}
	return 0;
}

static int claim_free_pages(struct look *k, struct look_go *g)
{
	struct ledger_builder *b = &k->ledger;
	uint32_t free_row, cached_row;

	if (ledger_row(b, CAT_GO_HEAP_FREE, ROW_TYPE, "free spans", &free_row) ||
	    ledger_row(b, CAT_GO_HEAP_FREE, ROW_TYPE, "page caches", &cached_row) ||
	    ledger_row(b, CAT_GO_HEAP_RELEASED, ROW_TYPE, "returned to the kernel",
		       &g->released_row))
		return -ENOMEM;
	for (size_t i = 0; i < g->heap.pages.n; i++) {
		const struct range *p = &g->heap.pages.v[i];
		uint32_t row = p->flags & GO_PAGES_RELEASED ? g->released_row
			       : p->flags & GO_PAGES_CACHED ? cached_row
							    : free_row;

		if (ledger_claim(b, LEVEL_PAGES, p->start, p->end, row, METHOD_MEASURED, 0))
			return -ENOMEM;
	}
	return 0;
}

static int claim_spans(struct look *k, struct look_go *g)
{
	struct ledger_builder *b = &k->ledger;
	uint32_t unused, stacks, manual, arena;

	if (ledger_row(b, CAT_GO_HEAP_LIVE, ROW_TYPE, "objects", &g->live_row) ||
	    ledger_row(b, CAT_GO_HEAP_DEAD, ROW_TYPE, "objects", &g->dead_row) ||
	    ledger_row(b, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "objects", &g->objects_row) ||
	    ledger_row(b, CAT_GO_HEAP_OBJECTS, ROW_TYPE, "user arenas", &arena) ||
	    ledger_row(b, CAT_GO_HEAP_UNUSED, ROW_TYPE, "free slots and tails", &unused) ||
	    ledger_row(b, CAT_GO_STACKS, ROW_TYPE, "goroutine and system stacks", &stacks) ||
	    ledger_row(b, CAT_GO_GC, ROW_TYPE, "work buffers", &manual) ||
	    vec_reserve(&b->claims[LEVEL_FINE], b->claims[LEVEL_FINE].n + g->heap.spans.n))
		return -ENOMEM;
	for (size_t i = 0; i < g->heap.spans.n; i++) {
		const struct go_span *s = &g->heap.spans.v[i];
		uint64_t end = s->start + (uint64_t)s->npages * GO_PAGE_SIZE;
		uint32_t row = unused, splitter = 0;

		if (s->kind == GO_SPAN_STACK)
			row = stacks;
		else if (s->kind == GO_SPAN_MANUAL)
			row = manual;
		else if (s->kind == GO_SPAN_USERARENA)
			row = arena;
		else if (!s->nelems)
			row = g->objects_row; /* torn: all of it counts as in use */
		else
			splitter = g->first_splitter + i + 1;
		if (ledger_claim(b, LEVEL_FINE, s->start, end, row, METHOD_MEASURED, splitter))
			return -ENOMEM;
	}
	return 0;
}

/* ---- one reading of the heap as a list of owners */

enum owner { OWNER_NONE, OWNER_FREE, OWNER_RELEASED, OWNER_SPAN };

/* Spans and free pages of one reading as one sorted list; flags = owner. */
static int flatten(const struct go_heap *h, range_vec *out)
{
	size_t i = 0, j = 0;
	uint64_t at = 0;

	while (i < h->spans.n || j < h->pages.n) {
		const struct go_span *s = i < h->spans.n ? &h->spans.v[i] : NULL;
		const struct range *p = j < h->pages.n ? &h->pages.v[j] : NULL;
		uint64_t a, z;
		uint32_t f;

		if (s && (!p || s->start <= p->start)) {
			a = s->start;
			z = a + (uint64_t)s->npages * GO_PAGE_SIZE;
			f = OWNER_SPAN + s->kind;
			i++;
		} else {
			a = p->start;
			z = p->end;
			f = p->flags & GO_PAGES_RELEASED ? OWNER_RELEASED : OWNER_FREE;
			j++;
		}
		a = a > at ? a : at;
		if (a < z && range_append(out, a, z, f))
			return -ENOMEM;
		at = z > at ? z : at;
	}
	return 0;
}

static int claim_bits_again(struct look *k, const struct look_go *g)
{
	struct ledger_builder *b = &k->ledger;
	uint32_t row;

	if (ledger_row(b, CAT_GO_GC, ROW_TYPE, go_region_name(GO_REGION_GCBITS), &row))
		return -ENOMEM;
	for (size_t i = 0; i < g->bits.n; i++)
		if (ledger_claim(b, LEVEL_AGAIN, g->bits.v[i].start, g->bits.v[i].end, row,
				 METHOD_MEASURED, 0))
			return -ENOMEM;
	return 0;
}

/* What the second reading says, for the bytes that the first one left open: the heap went on
 * while it was read. All of that is uncertain, and counted so. */
int look_claim_again(struct look *k, const struct look_go *g)
{
	static const enum category span_cat[] = {
		[GO_SPAN_OBJECTS] = CAT_GO_HEAP_OBJECTS,
		[GO_SPAN_USERARENA] = CAT_GO_HEAP_OBJECTS,
		[GO_SPAN_STACK] = CAT_GO_STACKS,
		[GO_SPAN_MANUAL] = CAT_GO_GC,
	};
	struct ledger_builder *b = &k->ledger;
	range_vec all = { 0 };
	int r = g->again.same ? 0 : flatten(&g->again, &all);

	for (size_t i = 0; i < all.n && !r; i++) {
		uint32_t f = all.v[i].flags, row;
		enum category c = f == OWNER_FREE	? CAT_GO_HEAP_FREE
				  : f == OWNER_RELEASED ? CAT_GO_HEAP_RELEASED
							: span_cat[f - OWNER_SPAN];

		r = ledger_row(b, c, ROW_TYPE, "owner changed during the snapshot", &row);
		if (!r)
			r = ledger_claim(b, LEVEL_AGAIN, all.v[i].start, all.v[i].end, row,
					 METHOD_MEASURED, 0);
	}
	vec_free(&all);
	return r ? r : claim_bits_again(k, g);
}

/* Pages that the page allocator manages and nothing below explains stay unknown, by name. */
static int claim_heap_ranges(struct look *k, const struct look_go *g)
{
	struct ledger_builder *b = &k->ledger;
	uint32_t row;

	if (ledger_row(b, CAT_UNKNOWN, ROW_TYPE, "Go heap pages without a span", &row))
		return -ENOMEM;
	for (size_t i = 0; i < g->heap.inuse.n; i++)
		if (ledger_claim(b, LEVEL_REGION, g->heap.inuse.v[i].start, g->heap.inuse.v[i].end,
				 row, METHOD_MEASURED, 0))
			return -ENOMEM;
	return 0;
}

int look_claim_go(struct look *k, struct look_go *g)
{
	int r = claim_heap_ranges(k, g);

	if (!r)
		r = claim_regions(k, g);
	if (!r)
		r = claim_free_pages(k, g);
	return r ? r : claim_spans(k, g);
}

void look_split_span(void *ctx, const struct claim *c, uint64_t start, uint64_t end, uint32_t flags,
		     ledger_post_fn *post, void *arg)
{
	struct look *k = ctx;
	struct look_go *g = k->go;
	const struct collect_objects *o = k->opts->objects;
	const struct go_span *s;
	uint64_t live, dead;
	struct go_slots b;
	bool odd, known;

	while (c->splitter - 1 - g->first_splitter >= g->heap.spans.n)
		g++;
	s = &g->heap.spans.v[c->splitter - 1 - g->first_splitter];
	if (start >= go_span_limit(s))
		return;
	known = go_slots_read(&g->s->rt, s, &b);
	go_slots_divide(known ? &b : NULL, s, start, end, &live, &dead, &odd);
	g->unread_bits += !known;
	g->odd_spans += odd && s->kind == GO_SPAN_OBJECTS;
	post(arg, g->live_row, live);
	post(arg, known ? g->dead_row : g->objects_row, dead);
	if (known && (o || k->types) && !k->objects_failed) {
		const struct collect_piece p = { g->s, &g->heap,	   s, &b, start,
						 end,  flags & LR_RESIDENT };

		k->objects_failed = o ? o->piece(o->ctx, &p) : look_types_add(k, &p);
	}
}

/* ---- uncertainty: where two readings differ */

static uint32_t owner_at(const range_vec *v, size_t *i, uint64_t at, uint64_t *next)
{
	while (*i < v->n && v->v[*i].end <= at)
		(*i)++;
	if (*i == v->n)
		return OWNER_NONE;
	if (v->v[*i].start > at) {
		*next = v->v[*i].start < *next ? v->v[*i].start : *next;
		return OWNER_NONE;
	}
	*next = v->v[*i].end < *next ? v->v[*i].end : *next;
	return v->v[*i].flags;
}

/* Ranges in which two lists differ, appended to *out. */
static int differences(const range_vec *a, const range_vec *b, range_vec *out)
{
	size_t i = 0, j = 0;
	uint64_t at = 0;

	while (at != UINT64_MAX) {
		uint64_t next = UINT64_MAX;
		uint32_t x = owner_at(a, &i, at, &next), y = owner_at(b, &j, at, &next);

		if (x != y && range_append(out, at, next, 0))
			return -ENOMEM;
		at = next;
	}
	return 0;
}

static int flatten_maps(const struct maps *m, range_vec *out)
{
	for (size_t i = 0; i < m->vma.n; i++) {
		const struct vma *v = &m->vma.v[i];
		/* identity: the file, or anonymous */
		uint32_t id = 1 + (uint32_t)(v->inode * 31 + v->dev_major * 7 + v->dev_minor);

		if (range_append(out, v->start, v->end, id))
			return -ENOMEM;
	}
	return 0;
}

/* Posts the resident bytes inside diff to the uncertainty of whoever owns them in the ledger. */
static void post_uncertain(struct look *k, const range_vec *diff)
{
	struct ledger *l = &k->r->ledger;
	uint64_t page = memsrc_page_size(k->m);

	for (size_t i = 0; i < diff->n; i++) {
		const struct range *d = &diff->v[i];

		for (size_t p = range_lower(k->pages.v, k->pages.n, d->start);
		     p < k->pages.n && k->pages.v[p].start < d->end; p++) {
			const struct range *g = &k->pages.v[p];
			uint64_t a = g->start > d->start ? g->start : d->start;
			uint64_t z = g->end < d->end ? g->end : d->end;

			if (!(g->flags & PAGE_PRESENT) || (g->flags & PAGE_ZERO))
				continue;
			for (uint64_t end; a < z; a = end) {
				uint32_t row = ledger_owner_to(&k->ledger, a, &end);

				/* a page is its first byte's; all of it, where another begins in it
				 */
				end = end < z ? a + (end - a + page - 1) / page * page : z;
				end = end < z ? end : z;
				l->cat[l->rows.v[row].cat].uncertainty += end - a;
				l->uncertainty += end - a;
			}
		}
	}
}

/* Where the two readings of a runtime's heap differ. */
static int heap_differences(const struct look_go *g, range_vec *diff)
{
	range_vec a = { 0 }, b = { 0 };
	int r = g->again.same ? 0 : flatten(&g->heap, &a);

	if (!r && !g->again.same)
		r = flatten(&g->again, &b);
	if (!r)
		r = differences(&a, &b, diff);
	vec_free(&a);
	vec_free(&b);
	return r;
}

int look_uncertainty(struct look *k, const struct maps *maps_again)
{
	range_vec a = { 0 }, b = { 0 }, diff = { 0 };
	int r = flatten_maps(&k->maps, &a);

	if (!r)
		r = flatten_maps(maps_again, &b);
	if (!r)
		r = differences(&a, &b, &diff);
	for (size_t i = 0; i < k->ngo && !r; i++)
		r = heap_differences(&k->go[i], &diff);
	if (!r) {
		range_unite(&diff);
		post_uncertain(k, &diff);
	}
	vec_free(&a);
	vec_free(&b);
	vec_free(&diff);
	return r;
}
