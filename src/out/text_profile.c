/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/profile/top.h"

static bool is_bytes(const struct profile *p)
{
	return !strcmp(p->type[p->most_wanted].unit, "bytes");
}

static const char *amount(const struct profile *p, const struct text_style *s, int64_t v,
			  char buf[32])
{
	if (!is_bytes(p) || s->exact || v < 0)
		snprintf(buf, 32, "%" PRId64, v);
	else
		text_bytes(buf, 32, v);
	return buf;
}

static double percent(int64_t v, int64_t total)
{
	return total ? 100.0 * (double)v / (double)total : 0;
}

static int put_row(const struct profile *p, const struct text_style *s, const struct profile_sum *x,
		   int64_t total, int64_t so_far, struct text *out)
{
	char flat[32], cum[32];
	int r = text_printf(out, "%12s %5.1f%% %5.1f%% %12s %5.1f%%  ", amount(p, s, x->flat, flat),
			    percent(x->flat, total), percent(so_far, total),
			    amount(p, s, x->cum, cum), percent(x->cum, total));

	if (!r)
		r = utf8_clean(profile_text(p, x->name), out);
	return r ? r : text_add(out, "\n", 1);
}

static int put_head(const struct profile *p, const struct text_profile *h,
		    const struct text_style *s, int64_t total, struct text *out)
{
	char sum[32], rate[32];
	int r = text_printf(out, "%s: %s %s, %" PRIu64 " stacks, %" PRIu64 " samples", h->type,
			    amount(p, s, total, sum), p->type[p->most_wanted].name, h->stacks,
			    h->samples);

	if (!r && p->period)
		r = text_printf(out, ", one every %s",
				text_size(rate, sizeof(rate), p->period, s->exact));
	if (!r)
		r = text_add(out, "\n", 1);
	for (size_t i = 0; i < h->nnotes && !r; i++)
		r = text_printf(out, "note: %s\n", h->notes[i]);
	return r ? r
		 : text_printf(out, "\n%12s %6s %6s %12s %6s  %s\n", "flat", "flat%", "sum%", "cum",
			       "cum%", "function");
}

int text_profile_top(const struct profile *p, const struct text_profile *h,
		     const struct text_style *s, size_t rows, struct text *out)
{
	profile_sum_vec v = { 0 };
	int64_t total, so_far = 0;
	size_t n = 0, i;
	int r = profile_top(p, p->most_wanted, &v, &total);

	while (n < v.n && (v.v[n].flat || v.v[n].cum))
		n++;
	if (!r)
		r = put_head(p, h, s, total, out);
	for (i = 0; i < n && i < rows && !r; i++) {
		so_far += v.v[i].flat;
		r = put_row(p, s, &v.v[i], total, so_far, out);
	}
	if (!r && n > i)
		r = text_printf(out, "%zu more functions: --top %zu\n", n - i, n);
	vec_free(&v);
	return r;
}

static int put_name(void *ctx, const char *name, bool first)
{
	struct text *out = ctx;
	int r = first ? 0 : text_add(out, ";", 1);

	return r ? r : utf8_clean(*name ? name : "[unknown]", out);
}

int text_profile_folded(const struct profile *p, struct text *out)
{
	int r = 0;

	for (size_t i = 0; i < p->samples.n && !r; i++) {
		const struct profile_sample *x = &p->samples.v[i];

		if (!x->value[p->most_wanted])
			continue;
		r = profile_stack_names(p, x, put_name, out);
		if (!r)
			r = text_printf(out, " %" PRId64 "\n", x->value[p->most_wanted]);
	}
	return r;
}
