/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Go heap held when it was largest. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "out/json_build.h"
#include "out/watch.h"

static void put_row(struct jbuild *b, json_t *list, const struct report_site *s)
{
	json_t *o = jadd_object(b, list);

	jput_size(b, o, "bytes", s->site.bytes);
	jput_size(b, o, "low", s->low);
	jput_size(b, o, "high", s->high);
	jput_size(b, o, "objects", s->site.count);
	jput_u64(b, o, "samples", s->samples);
	json_put_stack(b, o, &s->site);
}

static void put_peak(struct jbuild *b, json_t *o, const struct report_peak *k)
{
	json_t *list;

	jput_time(b, o, "at", k->at_unix_ns);
	jput_size(b, o, "heap_bytes", k->heap);
	jput_opt(b, o, "rss", k->rss);
	jput_size(b, o, "highest_heap_bytes", k->highest);
	jput_size(b, o, "total", k->total);
	jput_size(b, o, "low", k->low);
	jput_size(b, o, "high", k->high);
	jput_u64(b, o, "samples", k->samples);
	jput_u64(b, o, "period", k->period);
	jput_u64(b, o, "stacks", k->stacks);
	jput(b, o, "by_growth", json_boolean(k->by_growth));
	jput_u64(b, o, "readings", k->readings);
	list = jput_array(b, o, "rows");
	for (size_t i = 0; i < k->rows.n; i++)
		put_row(b, list, &k->rows.v[i]);
	list = jput_array(b, o, "notes");
	for (size_t i = 0; i < k->notes.n; i++)
		if (json_array_append_new(list, json_string(k->notes.v[i])))
			b->failed = true;
}

void json_put_peak(struct jbuild *b, json_t *top, const struct report *r)
{
	if (r->peak.known)
		put_peak(b, jput_object(b, top, "peak"), &r->peak);
}

int watch_json_peak(uint32_t pid, const struct report_peak *k, const char *why, struct text *out)
{
	struct jbuild b = { 0 };
	json_t *o = json_object();
	_free_ char *s = NULL;
	int r = -ENOMEM;

	jput_text(&b, o, "type", "peak");
	jput_u64(&b, o, "pid", pid);
	if (k->known)
		put_peak(&b, o, k);
	else
		jput_text(&b, o, "reason", why);
	if (!b.failed)
		s = json_dumps(o, JSON_COMPACT);
	if (s)
		r = text_printf(out, "%s\n", s);
	json_decref(o);
	return r;
}
