/* SPDX-License-Identifier: BSD-2-Clause */
#include "in/json_histograms.h"

#include <errno.h>

enum { MAX_HISTOGRAMS = 64, MAX_BUCKETS = 4096 };

static void read_bucket(struct jget *g, const json_t *o, struct histogram *h)
{
	struct opt_u64 lower = jget_opt(g, o, "lower_ns"), upper = jget_opt(g, o, "upper_ns");
	struct histogram_bucket b = { .has_lower = lower.has,
				      .has_upper = upper.has,
				      .lower_ns = lower.v,
				      .upper_ns = upper.v,
				      .count = jget_need(g, o, "count") };

	if (!g->rc && vec_push(&h->buckets, b))
		jget_fail(g, -ENOMEM, "out of memory");
}

static void read_histogram(struct jget *g, const json_t *o, histogram_vec *out)
{
	struct histogram h = { .count = jget_need(g, o, "count") };
	const json_t *list = jget_array(g, o, "buckets"), *b;
	size_t mark, i;

	jget_copy(g, o, "name", h.name, sizeof(h.name));
	if (json_array_size(list) > MAX_BUCKETS)
		jget_fail(g, -EINVAL, "holds more than %d buckets", MAX_BUCKETS);
	json_array_foreach((json_t *)list, i, b)
	{
		if (g->rc)
			break;
		mark = jget_enter_index(g, i);
		read_bucket(g, b, &h);
		jget_leave(g, mark);
	}
	if (!g->rc && vec_push(out, h))
		jget_fail(g, -ENOMEM, "out of memory");
	if (g->rc)
		vec_free(&h.buckets);
}

void jget_histograms(struct jget *g, const json_t *o, histogram_vec *out)
{
	const json_t *list = jget_array(g, o, "histograms"), *h;
	size_t mark = jget_enter(g, "histograms"), i;

	if (json_array_size(list) > MAX_HISTOGRAMS)
		jget_fail(g, -EINVAL, "holds more than %d", MAX_HISTOGRAMS);
	json_array_foreach((json_t *)list, i, h)
	{
		size_t inner = jget_enter_index(g, i);

		if (!g->rc)
			read_histogram(g, h, out);
		jget_leave(g, inner);
	}
	jget_leave(g, mark);
}
