/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/profile/top.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The string that names a line's function; where a location has none, its file. */
static uint32_t name_of(const struct profile *p, const struct profile_location *l, size_t i)
{
	if (i < l->n)
		return p->functions.v[p->lines.v[l->first + i].function].name;
	return l->mapping ? p->mappings.v[l->mapping - 1].file : 0;
}

static size_t names_in(const struct profile_location *l)
{
	return l->n ? l->n : 1;
}

struct adding {
	const struct profile *p;
	profile_sum_vec sums;
	uint32_t *index; /* by string: + 1; 0 none */
	uint32_t *seen;	 /* by string: the sample it was in last, + 1 */
};

static struct profile_sum *sum_of(struct adding *a, uint32_t name)
{
	if (!a->index[name]) {
		if (vec_push(&a->sums, (struct profile_sum){ .name = name }))
			return NULL;
		a->index[name] = a->sums.n;
	}
	return &a->sums.v[a->index[name] - 1];
}

static int add(struct adding *a, size_t i, int64_t value)
{
	const struct profile_sample *s = &a->p->samples.v[i];
	bool flat = true;

	for (size_t k = 0; k < s->n; k++) {
		const struct profile_location *l = &a->p->locations.v[a->p->stacks.v[s->first + k]];

		for (size_t j = 0; j < names_in(l); j++, flat = false) {
			uint32_t name = name_of(a->p, l, j);
			struct profile_sum *sum = sum_of(a, name);

			if (!sum)
				return -ENOMEM;
			sum->flat += flat ? value : 0;
			sum->variance += flat ? s->variance : 0;
			sum->cum += a->seen[name] != i + 1 ? value : 0; /* once, if it recurses */
			a->seen[name] = i + 1;
		}
	}
	return 0;
}

/* Of a difference, what shrank counts as much as what grew. */
static uint64_t size_of(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static int by_flat(const void *a, const void *b)
{
	const struct profile_sum *x = a, *y = b;

	if (size_of(x->flat) != size_of(y->flat))
		return size_of(x->flat) < size_of(y->flat) ? 1 : -1;
	if (size_of(x->cum) != size_of(y->cum))
		return size_of(x->cum) < size_of(y->cum) ? 1 : -1;
	return (x->name > y->name) - (x->name < y->name);
}

int profile_top(const struct profile *p, unsigned int column, profile_sum_vec *out, int64_t *total)
{
	struct adding a = { .p = p,
			    .index = calloc(p->strings.n + 1, sizeof(*a.index)),
			    .seen = calloc(p->strings.n + 1, sizeof(*a.seen)) };
	int r = a.index && a.seen ? 0 : -ENOMEM;

	*total = 0;
	for (size_t i = 0; i < p->samples.n && !r; i++) {
		*total += p->samples.v[i].value[column];
		r = add(&a, i, p->samples.v[i].value[column]);
	}
	free(a.index);
	free(a.seen);
	if (a.sums.n)
		qsort(a.sums.v, a.sums.n, sizeof(*a.sums.v), by_flat);
	out->v = a.sums.v;
	out->n = a.sums.n;
	out->cap = a.sums.cap;
	return r;
}

double profile_margin(double variance)
{
	return 1.96 * sqrt(variance);
}

double profile_variance(const struct profile *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->samples.n; i++)
		sum += p->samples.v[i].variance;
	return sum;
}

size_t profile_stacks_with(const struct profile *p, unsigned int column)
{
	size_t n = 0;

	for (size_t i = 0; i < p->samples.n; i++)
		n += p->samples.v[i].value[column] != 0;
	return n;
}

int profile_stack_names(const struct profile *p, const struct profile_sample *s,
			profile_name_fn *fn, void *ctx)
{
	bool first = true;
	int r = 0;

	for (size_t k = s->n; k-- && !r;) {
		const struct profile_location *l = &p->locations.v[p->stacks.v[s->first + k]];

		for (size_t j = names_in(l); j-- && !r; first = false)
			r = fn(ctx, profile_text(p, name_of(p, l, j)), first);
	}
	return r;
}
