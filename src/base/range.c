/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/range.h"

size_t range_lower(const struct range *r, size_t n, uint64_t addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

long range_find(const struct range *r, size_t n, uint64_t addr)
{
	size_t i = range_lower(r, n, addr);

	return i < n && r[i].start <= addr ? (long)i : -1;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void range_sort(struct range *r, size_t n)
{
	if (n > 1)
		qsort(r, n, sizeof(*r), by_start);
}

int range_append(range_vec *v, uint64_t start, uint64_t end, uint32_t flags)
{
	if (v->n && v->v[v->n - 1].end == start && v->v[v->n - 1].flags == flags) {
		v->v[v->n - 1].end = end;
		return 0;
	}
	return vec_push(v, (struct range){ start, end, flags });
}

void range_unite(range_vec *v)
{
	size_t k = 0;

	range_sort(v->v, v->n);
	for (size_t i = 0; i < v->n; i++) {
		if (k && v->v[i].start <= v->v[k - 1].end) {
			if (v->v[i].end > v->v[k - 1].end)
				v->v[k - 1].end = v->v[i].end;
			continue;
		}
		v->v[k++] = (struct range){ v->v[i].start, v->v[i].end, 0 };
	}
	v->n = k;
}
