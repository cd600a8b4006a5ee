/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/profile_impl.h"
#include "goruntime/profile.h"
#include "model/profile/top.h"

#define BYTES_MAX (1ULL << 47) /* of one stack: an address space */

/* ---- reading */

static void empty(struct held *h)
{
	h->pc.n = h->stacks.n = 0;
	h->rate_assumed = h->moved = false;
	h->rate = h->torn = h->left_out = h->sampled = h->bytes = 0;
}

static int keep_bucket(void *ctx, const struct go_bucket *b)
{
	struct held *h = ctx;
	uint64_t n = b->all.allocs - b->all.frees;
	int64_t count = (int64_t)n, bytes = (int64_t)(n * b->size);
	double variance;
	struct held_stack s = { h->pc.n, b->npc, b->size, n };

	if (!n || !b->size)
		return 0;
	if (b->size > BYTES_MAX || n > BYTES_MAX / b->size) {
		h->torn++;
		return 0;
	}
	profile_scale(h->rate, &count, &bytes, &variance);
	h->sampled += n;
	h->bytes += bytes;
	if (b->npc > HELD_PCS - h->pc.n) {
		h->left_out++;
		return 0;
	}
	if (vec_reserve(&h->pc, h->pc.n + b->npc) || vec_push(&h->stacks, s))
		return -ENOMEM;
	memcpy(h->pc.v + h->pc.n, b->pc, b->npc * sizeof(*b->pc));
	h->pc.n += b->npc;
	return 0;
}

int held_read(struct session *s, struct held *out, struct err *e)
{
	const struct session_go *g = session_main_go(s);
	struct go_profile_info info = { 0 };
	int r;

	empty(out);
	if (!g)
		return err_set(e, -EAGAIN, "%s", s->ngo ? s->go[0].why.text : "no Go program");
	memsrc_flush(s->m);
	r = profile_heap_rate(g, &out->rate, &out->rate_assumed, e);
	if (r)
		return r;
	r = go_profile_read(&g->rt, GO_PROFILE_MEMORY, keep_bucket, out, &info);
	out->moved = info.moved;
	out->torn = info.torn;
	if (r == -ENOENT)
		return err_set(e, r, "the table of the profiler's buckets was not found");
	return r ? err_set(e, r, "reading the profiler's buckets: %s", strerror(-r)) : 0;
}

void held_free(struct held *h)
{
	vec_free(&h->pc);
	vec_free(&h->stacks);
	*h = (struct held){ 0 };
}

/* ---- names */

static int add_stack(struct making *k, const struct held *h, const struct held_stack *s)
{
	const uint64_t *pc = h->pc.v + s->first;
	size_t from = profile_allocator(k, pc, s->n);
	struct profile_sample x = { .size = s->size };
	int r = profile_take_stack(k, ADDRESSES_LOGICAL, pc + from, s->n - from);

	x.value[0] = (int64_t)(s->sampled * s->size);
	x.value[1] = (int64_t)s->sampled;
	profile_scale(h->rate, &x.value[1], &x.value[0], &x.variance);
	x.n = k->n;
	return r ? r : profile_add(k->p, k->stack, &x);
}

int held_profile(struct session *s, const struct held *h, struct profile *out, struct err *e)
{
	_free_ struct making *k = calloc(1, sizeof(*k));
	int r = profile_init(out);

	if (r || !k)
		return err_set(e, -ENOMEM, "out of memory");
	if (!s->names)
		return err_set(e, -ENOENT, "its code has no names");
	*k = (struct making){ .s = s, .p = out, .names = s->names };
	out->type[0] = (struct profile_type){ "inuse_space", "bytes" };
	out->type[1] = (struct profile_type){ "inuse_objects", "count" };
	out->ntypes = 2;
	out->period_type = (struct profile_type){ "space", "bytes" };
	out->period = h->rate;
	out->sampled = h->sampled;
	for (size_t i = 0; i < h->stacks.n && !r; i++)
		r = add_stack(k, h, &h->stacks.v[i]);
	return r ? err_set(e, r, "naming the stacks: %s", strerror(-r)) : 0;
}

/* ---- sites */

static void interval(uint64_t bytes, uint64_t seen, double var, uint64_t *low, uint64_t *high)
{
	uint64_t by = (uint64_t)profile_margin(var);

	seen = seen < bytes ? seen : bytes;
	*low = by < bytes - seen ? bytes - by : seen; /* what was seen is there */
	*high = bytes + by;
}

struct site {
	const struct profile *p;
	uint32_t first; /* a sample with its stack; others follow in order */
	uint64_t bytes, objects, samples, seen;
	double var;
};

static int by_stack(const void *a, const void *b)
{
	const struct site *x = a, *y = b;
	const struct profile_sample *s = &x->p->samples.v[x->first];
	const struct profile_sample *t = &y->p->samples.v[y->first];

	if (s->n != t->n)
		return s->n < t->n ? -1 : 1;
	return s->n ? memcmp(x->p->stacks.v + s->first, x->p->stacks.v + t->first,
			     s->n * sizeof(uint32_t))
		    : 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

/* Joins those of one stack. How many are left, the largest first. */
static size_t join(struct site *v, size_t n)
{
	size_t k = 0;

	qsort(v, n, sizeof(*v), by_stack);
	for (size_t i = 0; i < n; i++) {
		if (!k || by_stack(&v[k - 1], &v[i])) {
			v[k++] = v[i];
			continue;
		}
		v[k - 1].bytes += v[i].bytes;
		v[k - 1].objects += v[i].objects;
		v[k - 1].samples += v[i].samples;
		v[k - 1].seen += v[i].seen;
		v[k - 1].var += v[i].var;
	}
	qsort(v, k, sizeof(*v), by_bytes);
	return k;
}

static int copy_text(const struct profile *p, uint32_t string, char **out)
{
	const char *s = profile_text(p, string);

	*out = *s ? strdup(s) : NULL;
	return *s && !*out ? -ENOMEM : 0;
}

static int add_frame(const struct profile *p, const struct profile_location *l, uint32_t i,
		     struct report_origin *out)
{
	struct report_frame f = { .addr = l->addr };
	int r = 0;

	if (i < l->n) {
		const struct profile_line *x = &p->lines.v[l->first + i];

		f.line = x->line;
		r = copy_text(p, p->functions.v[x->function].name, &f.func);
		if (!r)
			r = copy_text(p, p->functions.v[x->function].file, &f.file);
	}
	if (!r && l->mapping)
		r = copy_text(p, p->mappings.v[l->mapping - 1].file, &f.module);
	/* without memory for it the frames that are there are the caller's to free */
	if (!r && !vec_push(&out->stack, f))
		return 0;
	free(f.func);
	free(f.file);
	free(f.module);
	return -ENOMEM;
}

static int copy_stack(const struct profile *p, const struct profile_sample *s,
		      struct report_origin *out)
{
	enum { FRAMES = EVENT_STACK_MAX };
	struct frame f[FRAMES];
	int r = 0;

	for (size_t k = 0; k < s->n && !r; k++) {
		const struct profile_location *l = &p->locations.v[p->stacks.v[s->first + k]];

		for (uint32_t i = 0; i < (l->n ? l->n : 1) && out->stack.n < FRAMES && !r; i++)
			r = add_frame(p, l, i, out);
	}
	for (size_t i = 0; i < out->stack.n; i++) {
		const struct report_frame *x = &out->stack.v[i];

		f[i] = (struct frame){ .func = x->func, .module = x->module, .go = x->file };
	}
	out->caller = event_caller(f, out->stack.n);
	return r;
}

static int add_row(const struct site *s, struct report_peak *out)
{
	struct report_peak_row row = {
		.site = { .cat = CAT_GO_HEAP, .bytes = s->bytes, .count = s->objects },
		.samples = s->samples
	};
	int r = copy_stack(s->p, &s->p->samples.v[s->first], &row.site);

	interval(s->bytes, s->seen, s->var, &row.low, &row.high);
	if (!r)
		r = vec_push(&out->rows, row);
	if (r)
		report_origin_free(&row.site);
	return r;
}

int held_rows(const struct held *h, const struct profile *p, size_t rows, struct report_peak *out)
{
	_free_ struct site *v = calloc(p->samples.n + 1, sizeof(*v));
	uint64_t seen = 0, total = 0, samples = 0, low, high;
	double var = 0;
	size_t n;
	int r = v ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->samples.n && v; i++) {
		const struct held_stack *s = &h->stacks.v[i];

		v[i] = (struct site){ .p = p,
				      .first = i,
				      .bytes = p->samples.v[i].value[0],
				      .objects = p->samples.v[i].value[1],
				      .samples = s->sampled,
				      .seen = s->sampled * s->size,
				      .var = p->samples.v[i].variance };
		total += v[i].bytes;
		samples += s->sampled;
		seen += v[i].seen;
		var += v[i].var;
	}
	interval(total, seen, var, &low, &high);
	out->period = OPT(h->rate);
	out->total = OPT(total);
	out->samples = OPT(samples);
	out->low = OPT(low);
	out->high = OPT(high);
	n = v ? join(v, p->samples.n) : 0;
	out->stacks = OPT(n);
	for (size_t i = 0; i < n && i < rows && !r; i++)
		r = add_row(&v[i], out);
	return r;
}
