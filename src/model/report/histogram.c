/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/histogram.h"

#include <string.h>

void histograms_free(histogram_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		vec_free(&v->v[i].buckets);
	vec_free(v);
}

const struct histogram *histogram_find(const histogram_vec *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name))
			return &v->v[i];
	return NULL;
}

bool histogram_quantile(const struct histogram *h, unsigned int percent, uint64_t *upper_ns)
{
	/* in 128 bits, for counts come from anywhere */
	unsigned __int128 want = ((unsigned __int128)h->count * percent + 99) / 100, seen = 0;

	for (size_t i = 0; i < h->buckets.n; i++) {
		const struct histogram_bucket *b = &h->buckets.v[i];

		seen += b->count;
		if (seen < want || !seen)
			continue;
		*upper_ns = b->upper_ns;
		return b->has_upper;
	}
	return false;
}
