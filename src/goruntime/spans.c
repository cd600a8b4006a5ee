/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The span table: runtime/mheap.go (mspan, allspans).
 *
 * mspans are cut from 16 KiB blocks, in the order in which allspans lists them: neighbours in the
 * table are neighbours in memory, mostly, and are read in runs. The table only grows, and an entry
 * stays the same mspan for good (recordspan), so a second reading is held against the first one
 * entry by entry, and only what moved is sorted.
 */
#include "goruntime/spans.h"

#include "base/sort.h"
#include "goruntime/rd.h"

enum {
	MAX_SPANS = 1 << 26,
	RUN_GAP = 16384,     /* mspans nearer than this are read in one go */
	RUN_MAX = 256 << 10, /* what is decoded is still in the CPU's cache */
	ADDR_BITS = 48,	     /* malloc.go, heapAddrBits */
	PAGE_BITS = 13,
	INDEX_BITS = 26,
	STATE_DEAD = 0,
	STATE_INUSE = 1,
	STATE_MANUAL = 2,
	NOWHERE = 0, /* go_span_key.kind of an mspan without a span; else a kind + 1 */
};

/* mheap.go, mspan.sweepgen: −2 needs sweeping, −1 is being swept, +1 was cached before the sweep
 * began and needs it; 0 and +3 (cached since) are swept. */
static bool is_unswept(uint32_t span, uint32_t heap)
{
	return span == heap - 2 || span == heap - 1 || span == heap + 1;
}

/* ---- one mspan */

enum shape { SHAPE_DEAD, SHAPE_BAD, SHAPE_SPAN };

/* Where it lies, of which kind it is, and what of it is allocated. */
static enum shape span_shape(const struct go_layout *l, const uint8_t *p, struct go_span *s)
{
	size_t n = l->f[GO_SIZE_MSPAN];
	uint8_t state = get_u8(l, GO_MSPAN_STATE, p, n);
	uint64_t pages = get_u64(l, GO_MSPAN_NPAGES, p, n);

	if (state == STATE_DEAD)
		return SHAPE_DEAD;
	*s = (struct go_span){
		.start = get_u64(l, GO_MSPAN_STARTADDR, p, n),
		.elemsize = get_u64(l, GO_MSPAN_ELEMSIZE, p, n),
		.npages = pages,
		.kind = GO_SPAN_OBJECTS,
	};
	if (state > STATE_MANUAL || !pages || pages >> 31 || !s->start || s->start % GO_PAGE_SIZE ||
	    s->start >> ADDR_BITS)
		return SHAPE_BAD;
	if (state == STATE_MANUAL) {
		s->kind = s->elemsize ? GO_SPAN_STACK : GO_SPAN_MANUAL;
		return SHAPE_SPAN;
	}
	memcpy(&s->alloccount, p + l->f[GO_MSPAN_ALLOCCOUNT], 2);
	if (go_has(l, GO_MSPAN_USERARENA) && get_u8(l, GO_MSPAN_USERARENA, p, n))
		s->kind = GO_SPAN_USERARENA;
	return SHAPE_SPAN;
}

/* The rest of a span of objects. False when it makes no sense. */
static bool span_objects(const struct go_layout *l, const uint8_t *p, uint32_t sweepgen,
			 struct go_span *s)
{
	size_t n = l->f[GO_SIZE_MSPAN];
	uint64_t count = get_uint(l, GO_MSPAN_NELEMS, GO_MSPAN_NELEMS_WIDTH, p, n);

	s->nelems = count;
	s->freeindex = get_uint(l, GO_MSPAN_FREEINDEX, GO_MSPAN_FREEINDEX_WIDTH, p, n);
	s->spanclass = get_u8(l, GO_MSPAN_SPANCLASS, p, n);
	if (s->kind == GO_SPAN_USERARENA)
		return s->npages == GO_USER_ARENA_PAGES;
	if (!count || count > UINT16_MAX || !s->elemsize ||
	    s->elemsize > (uint64_t)s->npages * GO_PAGE_SIZE / count || s->freeindex > count ||
	    s->alloccount > count) {
		s->nelems = 0; /* all of it counts as in use */
		return false;
	}
	s->allocbits = get_u64(l, GO_MSPAN_ALLOCBITS, p, n);
	s->markbits = get_u64(l, GO_MSPAN_GCMARKBITS, p, n);
	s->unswept = is_unswept(get_u32(l, GO_MSPAN_SWEEPGEN, p, n), sweepgen);
	return true;
}

static struct go_span_key key_of(const struct go_span *s)
{
	return (struct go_span_key){ s->start, s->npages, s->kind + 1 };
}

/* ---- the table */

static bool is_zero(const uint64_t *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, (n - 1) * 8));
}

int spans_table(const struct go_runtime *rt, enum memsrc_pass pass, const struct go_slice *all,
		uint64_t **ptr, size_t *n)
{
	enum { STEP = 1 << 16 };
	uint64_t *p = NULL;

	*n = 0;
	if (all->len > MAX_SPANS)
		return -EINVAL;
	for (size_t at = 0; at < all->len || !p; at += STEP) {
		size_t k = all->len - at < STEP ? all->len - at : STEP;
		uint64_t *more = realloc(p, (at + k) * 8 + 8);
		int r;

		if (!more) {
			free(p);
			return -ENOMEM;
		}
		p = more;
		r = k ? rd(rt, pass, all->ptr + at * 8, p + at, k * 8) : 0;
		if (r && r != -ENODATA) {
			free(p);
			return r;
		}
		if (k == STEP && is_zero(p + at, k))
			break;
		*n = at + k;
	}
	*ptr = p;
	return 0;
}

static int table_read(const struct go_runtime *rt, enum memsrc_pass pass, uint64_t **ptr, size_t *n)
{
	struct go_slice all;
	int r = rd_slice(rt, pass, rt->g.mheap + rt->l->f[GO_MHEAP_ALLSPANS], &all);

	return r ? r : spans_table(rt, pass, &all, ptr, n);
}

struct walk {
	const struct go_runtime *rt;
	enum memsrc_pass pass;
	const uint64_t *ptr;
	size_t n;
	struct go_heap *h;
	int (*one)(struct walk *w, size_t i, const uint8_t *mspan); /* mspan NULL: unreadable */
	/* of the first reading */
	uint32_t sweepgen;
	/* of the second */
	const struct go_heap *first;
	VEC(struct go_span_key) gone, come;
	uint64_t used;
};

/* The mspans at ptr[i..j) as one read. */
static int run_read(struct walk *w, size_t i, size_t j, uint8_t *buf)
{
	size_t size = w->rt->l->f[GO_SIZE_MSPAN];
	int r = rd(w->rt, w->pass, w->ptr[i], buf, w->ptr[j - 1] + size - w->ptr[i]);
	bool lost = r == -EFAULT;

	if (r && r != -ENODATA && !lost)
		return r;
	for (size_t k = i; k < j; k++) {
		r = w->one(w, k, lost ? NULL : buf + (w->ptr[k] - w->ptr[i]));
		if (r)
			return r;
	}
	return 0;
}

static int walk(struct walk *w)
{
	_free_ uint8_t *buf = malloc(RUN_MAX + w->rt->l->f[GO_SIZE_MSPAN]);
	const uint64_t *ptr = w->ptr;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0, j; i < w->n; i = j) {
		int r;

		for (j = i + 1; ptr[i] && j < w->n && ptr[j] > ptr[j - 1] &&
				ptr[j] - ptr[j - 1] <= RUN_GAP && ptr[j] - ptr[i] < RUN_MAX;)
			j++;
		r = ptr[i] ? run_read(w, i, j, buf) : w->one(w, i, NULL);
		if (r)
			return r;
	}
	return 0;
}

/* ---- the first reading */

/* mspan.largeType is that of objects above all size classes, which have a span each; the class's
 * lowest bit is set where there are no pointers (mheap.go, spanClass). */
static int take_large(struct walk *w, const struct go_span *s, const uint8_t *mspan)
{
	const struct go_layout *l = w->rt->l;
	struct go_large large = { s->start,
				  get_u64(l, GO_MSPAN_LARGETYPE, mspan, l->f[GO_SIZE_MSPAN]) };

	if (s->kind != GO_SPAN_OBJECTS || s->spanclass || !large.type)
		return 0;
	return vec_push(&w->h->large, large);
}

static int by_large_start(const void *a, const void *b)
{
	const struct go_large *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

uint64_t go_heap_large_type(const struct go_heap *h, uint64_t start)
{
	struct go_large key = { .start = start }, *found;

	found = h->large.n ? bsearch(&key, h->large.v, h->large.n, sizeof(key), by_large_start)
			   : NULL;
	return found ? found->type : 0;
}

static int take(struct walk *w, size_t i, const uint8_t *mspan)
{
	struct go_heap *h = w->h;
	struct go_span *s = h->spans.v + h->spans.n; /* there is room for all */
	enum shape shape;

	h->keys.v[i] = (struct go_span_key){ .kind = NOWHERE };
	h->nspans += !!w->ptr[i];
	if (!mspan) {
		h->bad += !!w->ptr[i];
		return 0;
	}
	shape = span_shape(w->rt->l, mspan, s);
	h->bad += shape == SHAPE_BAD;
	if (shape != SHAPE_SPAN)
		return 0;
	if (s->kind == GO_SPAN_OBJECTS || s->kind == GO_SPAN_USERARENA)
		h->bad += !span_objects(w->rt->l, mspan, w->sweepgen, s);
	h->keys.v[i] = key_of(s);
	h->spans.n++;
	return take_large(w, s, mspan);
}

/* In place, by cycles: v[k] becomes what v[from[k] & mask] was. Destroys from[]. */
static void permute(struct go_span *v, uint64_t *from, size_t n, uint64_t mask)
{
	for (size_t i = 0; i < n; i++) {
		struct go_span first = v[i];
		size_t k = i;

		while ((from[k] & mask) != i) {
			size_t next = from[k] & mask;

			v[k] = v[next];
			from[k] = k;
			k = next;
		}
		v[k] = first;
		from[k] = k;
	}
}

/* By start address: a heap of 4 GiB can have half a million spans. */
static int spans_sort(struct go_heap *h)
{
	uint64_t min = UINT64_MAX, max = 0, *sorted;
	const struct go_span *s = h->spans.v;
	_free_ uint64_t *keys = NULL;
	size_t n = h->spans.n;
	bool done = true;

	_Static_assert(MAX_SPANS <= 1 << INDEX_BITS && GO_PAGE_SIZE == 1 << PAGE_BITS &&
			       ADDR_BITS - PAGE_BITS + INDEX_BITS <= 64,
		       "a page and an index fit a key");
	for (size_t i = 0; i < n; i++) {
		min = s[i].start < min ? s[i].start : min;
		max = s[i].start > max ? s[i].start : max;
		done &= !i || s[i - 1].start <= s[i].start;
	}
	if (done)
		return 0;
	keys = malloc(2 * n * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = (s[i].start - min) >> PAGE_BITS << INDEX_BITS | i;
	sorted = sort_keys(keys, keys + n, n, INDEX_BITS, (max - min) >> PAGE_BITS);
	permute(h->spans.v, sorted, n, (1 << INDEX_BITS) - 1);
	return 0;
}

/* Spans never overlap at rest; of a torn pair the later in address order loses. */
static void spans_separate(struct go_heap *h)
{
	size_t k = 0;

	for (size_t i = 0; i < h->spans.n; i++) {
		if (k && h->spans.v[i].start < span_end(&h->spans.v[k - 1]))
			h->bad++;
		else if (k++ != i)
			h->spans.v[k - 1] = h->spans.v[i];
	}
	h->spans.n = k;
}

int spans_read(const struct go_runtime *rt, enum memsrc_pass pass, struct go_heap *h)
{
	struct walk w = { .rt = rt, .pass = pass, .h = h, .one = take };
	_free_ uint64_t *ptr = NULL;
	int r = table_read(rt, pass, &ptr, &w.n);

	w.ptr = ptr;
	if (!r)
		r = vec_reserve(&h->keys, w.n);
	if (!r)
		r = vec_reserve(&h->spans, w.n);
	if (!r)
		r = rd(rt, pass, rt->g.mheap + rt->l->f[GO_MHEAP_SWEEPGEN], &w.sweepgen, 4);
	h->keys.n = r ? 0 : w.n;
	if (!r)
		r = walk(&w);
	free(ptr); /* sorting needs as much again */
	ptr = NULL;
	if (!r && h->large.n)
		qsort(h->large.v, h->large.n, sizeof(*h->large.v), by_large_start);
	if (!r)
		r = spans_sort(h);
	if (!r)
		spans_separate(h);
	return r;
}

/* ---- the second reading */

static int compare(struct walk *w, size_t i, const uint8_t *mspan)
{
	struct go_span_key was = { .kind = NOWHERE }, now = { .kind = NOWHERE };
	struct go_span s;

	if (i < w->first->keys.n)
		was = w->first->keys.v[i];
	if (mspan && span_shape(w->rt->l, mspan, &s) == SHAPE_SPAN) {
		now = key_of(&s);
		w->used += s.alloccount * s.elemsize;
	}
	if (was.start == now.start && was.npages == now.npages && was.kind == now.kind)
		return 0;
	if (was.kind != NOWHERE && vec_push(&w->gone, was))
		return -ENOMEM;
	return now.kind != NOWHERE ? vec_push(&w->come, now) : 0;
}

static int by_start(const void *a, const void *b)
{
	const struct go_span_key *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The first reading's spans without those that are gone, with those that have come. */
static int spans_merge(struct walk *w)
{
	const struct go_heap *f = w->first;
	size_t i = 0, g = 0, c = 0;

	if (w->gone.n)
		qsort(w->gone.v, w->gone.n, sizeof(*w->gone.v), by_start);
	if (w->come.n)
		qsort(w->come.v, w->come.n, sizeof(*w->come.v), by_start);
	if (vec_reserve(&w->h->spans, f->spans.n + w->come.n))
		return -ENOMEM;
	while (i < f->spans.n || c < w->come.n) {
		const struct go_span *s = i < f->spans.n ? &f->spans.v[i] : NULL;
		const struct go_span_key *k = c < w->come.n ? &w->come.v[c] : NULL;
		struct go_span x;

		while (s && g < w->gone.n && w->gone.v[g].start < s->start)
			g++;
		if (s && g < w->gone.n && w->gone.v[g].start == s->start) {
			i++;
			continue;
		}
		if (s && (!k || s->start <= k->start)) {
			x = (struct go_span){ .start = s->start,
					      .npages = s->npages,
					      .kind = s->kind };
			i++;
		} else {
			x = (struct go_span){ .start = k->start,
					      .npages = k->npages,
					      .kind = k->kind - 1 };
			c++;
		}
		w->h->spans.v[w->h->spans.n++] = x;
	}
	spans_separate(w->h);
	return 0;
}

int spans_again(const struct go_runtime *rt, enum memsrc_pass pass, const struct go_heap *first,
		struct go_heap *h, bool *moved, uint64_t *used)
{
	struct walk w = { .rt = rt, .pass = pass, .h = h, .one = compare, .first = first };
	_free_ uint64_t *ptr = NULL;
	int r = table_read(rt, pass, &ptr, &w.n);

	w.ptr = ptr;
	if (!r && w.n < first->keys.n)
		r = -EINVAL; /* it never shrinks */
	if (!r)
		r = walk(&w);
	*moved = w.gone.n || w.come.n;
	*used = w.used;
	if (!r && *moved)
		r = spans_merge(&w);
	vec_free(&w.gone);
	vec_free(&w.come);
	return r;
}
