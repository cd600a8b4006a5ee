/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_profile.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/profile/top.h"

static const char *amount(const struct profile *p, const struct text_style *s, int64_t v,
			  char buf[32])
{
	const char *unit = p->type[p->most_wanted].unit, *sign = v < 0 ? "-" : "";
	uint64_t n = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char size[24];

	if (!strcmp(unit, "bytes") && !s->exact)
		snprintf(buf, 32, "%s%s", sign, text_bytes(size, sizeof(size), n));
	else if (!strcmp(unit, "nanoseconds") && !s->exact)
		snprintf(buf, 32, "%.2f s", (double)v / 1e9);
	else
		snprintf(buf, 32, "%" PRId64, v);
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

static int put_head(const struct profile *p, const char *kind, const struct text_style *s,
		    int64_t total, struct text *out)
{
	char sum[32], rate[32];
	double margin = profile_margin(profile_variance(p));
	int r = text_printf(out, "%s: %s %s", kind, amount(p, s, total, sum),
			    p->type[p->most_wanted].name);

	if (!r && margin > 0 && total)
		r = text_printf(out, " (±%.0f%%)", 100 * margin / fabs((double)total));
	if (!r)
		r = text_printf(out, ", %zu stacks", profile_stacks_with(p, p->most_wanted));
	if (!r && p->sampled)
		r = text_printf(out, ", %" PRIu64 " samples", p->sampled);
	if (!r && p->period_type.name && !strcmp(p->period_type.unit, "bytes"))
		r = text_printf(out, ", one every %s",
				text_size(rate, sizeof(rate), p->period, s->exact));
	if (!r)
		r = text_add(out, "\n", 1);
	for (size_t i = 0; i < p->notes.n && !r; i++)
		r = text_printf(out, "note: %s\n", profile_text(p, p->notes.v[i]));
	return r ? r
		 : text_printf(out, "\n%12s %6s %6s %12s %6s  %s\n", "flat", "flat%", "sum%", "cum",
			       "cum%", "function");
}

int text_profile_top(const struct profile *p, const char *kind, const struct text_style *s,
		     size_t rows, struct text *out)
{
	profile_sum_vec v = { 0 };
	int64_t total, so_far = 0;
	size_t n = 0, i;
	int r = profile_top(p, p->most_wanted, &v, &total);

	for (i = 0; i < v.n; i++) /* those that have something */
		if (v.v[i].flat || v.v[i].cum)
			v.v[n++] = v.v[i];
	if (!r)
		r = put_head(p, kind, s, total, out);
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
