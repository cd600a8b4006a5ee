/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_peak.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "out/text_origins.h"
#include "out/watch.h"

static const char *local_time(uint64_t unix_ns, char buf[64])
{
	time_t s = unix_ns / 1000000000;
	size_t n = 0;
	struct tm tm;

	if (localtime_r(&s, &tm))
		n = strftime(buf, 48, "%Y-%m-%d\1%H:%M:%S", &tm);
	snprintf(buf + n, 64 - n, ".%03u", (unsigned int)(unix_ns % 1000000000 / 1000000));
	return buf;
}

static void put_head(struct text_page *p, const struct report_peak *k)
{
	struct para a = { .p = p, .label = "heap peak" };
	char at[64], b[32], low[32], high[32];

	para_add(&a, "%s in use at %s", page_keep(p, b, k->heap.v), local_time(k->at_unix_ns, at));
	if (k->rss.has)
		para_add(&a, ", RSS %s", page_keep(p, b, k->rss.v));
	para_add(&a, "; %s allocated (95\1%% interval %s to %s, %" PRIu64 " samples), by",
		 page_keep(p, b, k->total.v), page_keep(p, low, k->low.v),
		 page_keep(p, high, k->high.v), k->samples.v);
	para_end(&a);
}

void page_peak(struct text_page *p, const struct report_peak *k, size_t most)
{
	char chain[ORIGIN_TEXT], b[32], clean[240];

	if (!k->heap.has)
		return;
	put_head(p, k);
	for (size_t i = 0; i < k->rows.n && i < most; i++) {
		const struct report_peak_row *s = &k->rows.v[i];
		struct para a = { .p = p, .label = "" };
		bool last = i + 1 == most && k->stacks.v > most;

		para_add(&a, "%s: %s (%.0f\1%%)%s", text_origin_chain(p, &s->site, true, chain),
			 page_keep(p, b, s->site.bytes),
			 k->total.v ? 100.0 * (double)s->site.bytes / (double)k->total.v : 0.0,
			 last ? "," : "");
		if (last)
			para_add(&a, "and %" PRIu64 " more", k->stacks.v - most);
		para_end(&a);
	}
	for (size_t i = 0; i < k->notes.n; i++) {
		struct para a = { .p = p, .label = "" };

		para_add(&a, "note: %s", page_clean(p, k->notes.v[i], 200, clean, sizeof(clean)));
		para_end(&a);
	}
}

int watch_text_peak(const struct text_style *s, const struct report_peak *k, struct text *out)
{
	enum { SITES = 5 };
	struct text_page p;

	page_begin(&p, s, out);
	page_peak(&p, k, SITES);
	return p.failed ? -ENOMEM : 0;
}
