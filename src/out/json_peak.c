/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Go heap held when it was largest. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/report/figures.h"
#include "out/json_build.h"
#include "out/watch.h"

static void put_row(struct jbuild *b, json_t *list, const struct report_peak_row *s)
{
	json_t *o = jadd_object(b, list);

	jput_size(b, o, "bytes", s->site.bytes);
	jput_size(b, o, "low", s->low);
	jput_size(b, o, "high", s->high);
	jput_size(b, o, "objects", s->site.count);
	jput_u64(b, o, "samples", s->samples);
	json_put_stack(b, o, s->site.caller, &s->site.stack);
}

static void put_peak(struct jbuild *b, json_t *o, const struct report *r)
{
	const struct report_peak *k = &r->peak;
	json_t *list;

	jput_time(b, o, "at", k->at_unix_ns);
	jput_figures(b, o, r, "peak");
	jput(b, o, "by_growth", json_boolean(k->by_growth));
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
	if (figures_any(r, "peak"))
		put_peak(b, jput_object(b, top, "peak"), r);
}

int watch_json_peak(uint32_t pid, const struct report_peak *k, const char *why, struct text *out)
{
	const struct report r = { .peak = *k }; /* borrowed */
	struct jbuild b = { 0 };
	json_t *o = json_object();
	_free_ char *s = NULL;
	int rc = -ENOMEM;

	jput_text(&b, o, "type", "peak");
	jput_u64(&b, o, "pid", pid);
	if (k->heap.has)
		put_peak(&b, o, &r);
	else
		jput_text(&b, o, "reason", why);
	if (!b.failed)
		s = json_dumps(o, JSON_COMPACT);
	if (s)
		rc = text_printf(out, "%s\n", s);
	json_decref(o);
	return rc;
}
