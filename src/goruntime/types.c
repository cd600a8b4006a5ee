/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums by size class as they come; of objects with a header, the headers are read many at once. */
#include "goruntime/types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "goruntime/rd.h"
#include "goruntime/typename.h"

enum {
	HEADER = 8,	     /* bytes: malloc.go, mallocHeaderSize */
	HEADERLESS = 512,    /* bytes: MinSizeForMallocHeader, inclusive */
	QUEUE = 1 << 14,     /* objects whose headers are read at once */
	TYPES_MAX = 1 << 16, /* different headers that are looked into */
	SLOTS = 2 * TYPES_MAX,
	CLASSES = 256, /* mspan.spanclass is a byte */
	TINY = 5,      /* tinySpanClass */
	POWERS = 64,
};

/* Objects with the same word in their header. */
struct header {
	uint64_t word;
	struct go_type type;
	bool known;
	struct go_type_sum one, several; /* of one element each, and of more */
};

/* An object whose header is still to be read; sum.objects is 0 or 1. */
struct waiting {
	uint64_t each; /* bytes of the slot */
	struct go_type_sum sum;
};

struct go_types {
	const struct go_runtime *rt;
	struct go_typenames names;
	bool headers;
	struct go_type_sum class[CLASSES];
	struct go_type_sum large[2][POWERS]; /* without a type, with pointers or without: by size */
	struct go_type_sum unknown, beyond;  /* beyond: more than TYPES_MAX */
	VEC(struct header) header;
	uint32_t *index; /* of these + 1, by word; open addressing */
	size_t last;	 /* the one that was met last */
	size_t n;
	uint64_t addr[QUEUE], word[QUEUE];
	bool bad[QUEUE];
	struct waiting waiting[QUEUE];
};

static void add_sum(struct go_type_sum *to, const struct go_type_sum *s)
{
	to->live += s->live;
	to->objects += s->objects;
	to->resident += s->resident;
	to->dead += s->dead;
}

static bool is_any(const struct go_type_sum *s)
{
	return s->live || s->objects || s->dead;
}

/* ---- headers */

/* Where the word is, or would go. */
static size_t slot_of(const struct go_types *t, uint64_t word)
{
	size_t i = word * 0x9e3779b97f4a7c15ULL >> 47; /* 17 bits */

	_Static_assert(SLOTS == 1 << 17, "slot_of");
	while (t->index[i] && t->header.v[t->index[i] - 1].word != word)
		i = (i + 1) % SLOTS;
	return i;
}

/* *out: NULL when there is no room for more. */
static int header_of(struct go_types *t, uint64_t word, struct header **out)
{
	struct header h = { .word = word };
	size_t slot;
	int r;

	*out = NULL;
	if (t->last < t->header.n && t->header.v[t->last].word == word) {
		*out = &t->header.v[t->last];
		return 0;
	}
	slot = slot_of(t, word);
	if (!t->index[slot]) {
		if (t->header.n == TYPES_MAX)
			return 0;
		r = go_type_read(&t->names, word, &h.type);
		if (r && r != -ENOENT)
			return r;
		h.known = !r;
		if (vec_push(&t->header, h))
			return -ENOMEM;
		t->index[slot] = t->header.n;
	}
	t->last = t->index[slot] - 1;
	*out = &t->header.v[t->last];
	return 0;
}

/* room: bytes that the object has for its elements. */
static int add_typed(struct go_types *t, uint64_t word, uint64_t room,
		     const struct go_type_sum *sum)
{
	struct header *h;
	int r = go_type_plausible(&t->names, word) ? header_of(t, word, &h) : -ENOENT;

	if (r && r != -ENOENT)
		return r;
	if (r)
		add_sum(&t->unknown, sum);
	else if (!h)
		add_sum(&t->beyond, sum);
	else
		add_sum(!h->known || room / 2 < h->type.size ? &h->one : &h->several, sum);
	return 0;
}

static int flush(struct go_types *t)
{
	int r = memsrc_gather(t->rt->m, PASS_SPANS, t->addr, t->n, 8, t->word, t->bad);

	for (size_t i = 0; i < t->n && !r; i++) {
		const struct waiting *w = &t->waiting[i];

		if (t->bad[i])
			add_sum(&t->unknown, &w->sum);
		else
			r = add_typed(t, t->word[i], w->each - HEADER, &w->sum);
	}
	t->n = 0;
	return r;
}

static int wait_for_header(struct go_types *t, uint64_t addr, uint64_t each,
			   const struct go_type_sum *sum)
{
	int r = 0;

	if (t->n && t->addr[t->n - 1] == addr) { /* the piece before had its beginning */
		add_sum(&t->waiting[t->n - 1].sum, sum);
		return 0;
	}
	if (t->n == QUEUE)
		r = flush(t);
	t->addr[t->n] = addr;
	t->waiting[t->n++] = (struct waiting){ each, *sum };
	return r;
}

/* ---- spans */

static bool has_header(const struct go_types *t, const struct go_span *s)
{
	return t->headers && !(s->spanclass & 1) && s->spanclass && s->elemsize > HEADERLESS;
}

/* Slots that begin in [start, end), below the span's limit: first, and one behind the last. */
static void slots_begun(const struct go_types_piece *p, uint64_t end, uint64_t *from, uint64_t *to)
{
	const struct go_span *s = p->s;

	*from = (p->start - s->start + s->elemsize - 1) / s->elemsize;
	*to = (end - s->start + s->elemsize - 1) / s->elemsize;
}

static void sum_of_piece(const struct go_types_piece *p, uint64_t end, struct go_type_sum *sum)
{
	uint64_t from, to;

	*sum = (struct go_type_sum){ 0 };
	go_slots_divide(p->b, p->s, p->start, end, &sum->live, &sum->dead, NULL);
	slots_begun(p, end, &from, &to);
	sum->objects = from < to ? go_slots_count(p->b->live, from, to) : 0;
	sum->resident = p->resident ? sum->live : 0;
}

static int add_headers(struct go_types *t, const struct go_types_piece *p, uint64_t end)
{
	const struct go_span *s = p->s;
	uint64_t last = (end - 1 - s->start) / s->elemsize;
	int r = 0;

	for (uint64_t i = (p->start - s->start) / s->elemsize; i <= last && !r; i++) {
		uint64_t at = s->start + i * s->elemsize, bytes;
		bool live = go_slot_has(p->b->live, i);
		struct go_type_sum sum = { 0 };

		if (!go_slot_has(p->b->alloc, i))
			continue;
		bytes = go_slot_overlap(s, i, p->start, end);
		sum.objects = live && at >= p->start;
		sum.live = live ? bytes : 0;
		sum.resident = live && p->resident ? bytes : 0;
		sum.dead = live ? 0 : bytes;
		r = wait_for_header(t, at, s->elemsize, &sum);
	}
	return r;
}

static unsigned int power_of(uint64_t bytes)
{
	return bytes ? 63 - __builtin_clzll(bytes) : 0;
}

int go_types_add(struct go_types *t, const struct go_types_piece *p)
{
	uint64_t limit = go_span_limit(p->s), end = p->end < limit ? p->end : limit;
	uint8_t class = p->s->spanclass;
	struct go_type_sum sum;

	if (p->start < p->s->start || p->start >= end)
		return 0;
	if (has_header(t, p->s))
		return add_headers(t, p, end);
	sum_of_piece(p, end, &sum);
	if (!is_any(&sum))
		return 0;
	if (class == 0 && t->headers && p->large_type)
		return add_typed(t, p->large_type, p->s->elemsize, &sum);
	if (class == 0 && t->headers)
		add_sum(&t->unknown, &sum); /* it is being made */
	else if (class < 2)
		add_sum(&t->large[class][power_of(p->s->elemsize)], &sum);
	else
		add_sum(&t->class[class], &sum);
	return 0;
}

/* ---- what came of it */

static int tell_class(struct go_types *t, unsigned int class, go_types_fn *fn, void *ctx)
{
	const struct go_layout *l = t->rt->l;
	uint32_t bytes = class / 2 < l->nclasses ? l->class_size[class / 2] : 0;
	enum go_type_how how = class & 1			   ? GO_TYPE_NOSCAN
			       : t->headers || bytes <= HEADERLESS ? GO_TYPE_SMALL
								   : GO_TYPE_SCAN;
	static const char *const word[] = {
		[GO_TYPE_NOSCAN] = "noscan", [GO_TYPE_SMALL] = "small", [GO_TYPE_SCAN] = "scan"
	};
	char name[64];

	if (!is_any(&t->class[class]))
		return 0;
	snprintf(name, sizeof(name), "%s %" PRIu32 " B%s", word[how], bytes,
		 class == TINY ? " (and tiny)" : "");
	return fn(ctx, name, how, &t->class[class]);
}

static const char *power_name(unsigned int power, char buf[24])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	snprintf(buf, 24, "%u %s", 1U << power % 10, unit[power / 10]);
	return buf;
}

static int tell_large(struct go_types *t, bool noscan, unsigned int power, go_types_fn *fn,
		      void *ctx)
{
	char from[24], to[24], name[80];

	if (!is_any(&t->large[noscan][power]))
		return 0;
	snprintf(name, sizeof(name), "%s large, %s to %s", noscan ? "noscan" : "scan",
		 power_name(power, from), power < POWERS - 1 ? power_name(power + 1, to) : "more");
	return fn(ctx, name, noscan ? GO_TYPE_NOSCAN : GO_TYPE_SCAN, &t->large[noscan][power]);
}

static int tell_header(struct go_types *t, const struct header *h, go_types_fn *fn, void *ctx)
{
	_text_ struct text name = { 0 };
	int r;

	if (!h->known) {
		add_sum(&t->unknown, &h->one);
		return 0;
	}
	r = text_printf(&name, "[]");
	if (!r)
		r = go_type_name(&t->names, &h->type, &name);
	if (r == -ENOENT) {
		add_sum(&t->unknown, &h->one);
		add_sum(&t->unknown, &h->several);
		return 0;
	}
	if (!r && is_any(&h->one))
		r = fn(ctx, name.p + 2, GO_TYPE_EXACT, &h->one);
	if (!r && is_any(&h->several))
		r = fn(ctx, name.p, GO_TYPE_EXACT, &h->several);
	return r;
}

int go_types_end(struct go_types *t, go_types_fn *fn, void *ctx)
{
	int r = flush(t);

	for (size_t i = 0; i < t->header.n && !r; i++)
		r = tell_header(t, &t->header.v[i], fn, ctx);
	for (unsigned int i = 2; i < CLASSES && !r; i++)
		r = tell_class(t, i, fn, ctx);
	for (unsigned int i = 0; i < 2 * POWERS && !r; i++)
		r = tell_large(t, i / POWERS, i % POWERS, fn, ctx);
	if (!r && is_any(&t->unknown))
		r = fn(ctx, "unknown type", GO_TYPE_UNKNOWN, &t->unknown);
	if (!r && is_any(&t->beyond))
		r = fn(ctx, "types beyond the first 65536", GO_TYPE_UNKNOWN, &t->beyond);
	return r;
}

int go_types_cycles(const struct go_runtime *rt, uint32_t *out)
{
	memsrc_flush(rt->m);
	return rd_vars(rt, PASS_SPANS, rt->g.memstats + rt->l->f[GO_MSTATS_NUMGC], out, 4);
}

/* ---- life */

int go_types_create(const struct go_runtime *rt, const struct bin *b, struct go_types **out)
{
	struct go_types *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->rt = rt;
	t->index = calloc(SLOTS, sizeof(*t->index));
	/* without the experiment the first word of an object is the program's own */
	t->headers =
		go_has(rt->l, GO_MSPAN_LARGETYPE) && !strstr(rt->l->releases, "+noallocheaders");
	r = t->index ? go_typenames_init(&t->names, rt, b) : -ENOMEM;
	if (r && r != -ENOENT) {
		go_types_destroy(t);
		return r;
	}
	*out = t;
	return 0;
}

void go_types_destroy(struct go_types *t)
{
	if (!t)
		return;
	vec_free(&t->header);
	free(t->index);
	free(t);
}

bool go_types_has_headers(const struct go_types *t)
{
	return t->headers;
}
