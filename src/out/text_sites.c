/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where it fits into the columns. */
static int put_if_room(struct text *out, unsigned int columns, const char *before, const char *s)
{
	return out->n + strlen(before) + strlen(s) <= columns ? text_printf(out, "%s%s", before, s)
							      : 0;
}

static int put_line(const struct report_frame *f, unsigned int columns, struct text *out)
{
	const char *base = strrchr(f->file, '/');
	char place[64];

	snprintf(place, sizeof(place), "%.40s:%" PRIu32, base ? base + 1 : f->file, f->line);
	return put_if_room(out, columns, " ", place);
}

int site_text(const struct report_profile *p, const struct report_site *s, unsigned int columns,
	      struct text *out)
{
	const struct report_frame *f = s->caller >= 0 ? &s->stack.v[s->caller] : NULL;
	const char *what = !strcmp(p->type, "goroutine") ? ""
			   : !strcmp(p->type, "buckets") ? " stacks"
			   : s->count.v == 1		 ? " object"
							 : " objects";
	int r = 0;

	if (s->name)
		return text_printf(out, "%" PRIu64 " %s", s->count.v, s->name);
	if (s->count.has)
		r = text_printf(out, "%" PRIu64 "%s in ", s->count.v, what);
	if (!r)
		r = text_printf(out, "%s", f && f->func ? f->func : "?");
	if (!r && s->waits)
		r = put_if_room(out, columns, ", ", s->waits);
	if (!r && s->creator)
		r = put_if_room(out, columns, ", from ", s->creator);
	return !r && f && f->file && f->line ? put_line(f, columns, out) : r;
}

unsigned int sites_lines(const struct report *r)
{
	unsigned int n = 0;

	for (size_t i = 0; i < r->profiles.n; i++)
		n += r->profiles.v[i].sites.n < SITES_USUAL ? r->profiles.v[i].sites.n
							    : SITES_USUAL;
	return n;
}
