/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/book.h"

#include <stdlib.h>

#include "base/cleanup.h"

int book_live(struct mapbook *b, struct text *out)
{
	const struct timeline *t = &b->t;
	int r = timeline_flush(&b->t);

	for (size_t i = 0; i < t->pieces.n && !r; i++) {
		const struct tl_piece *p = &t->pieces.v[i];
		const char prot[] = { p->flags & TL_R ? 'r' : '-', p->flags & TL_W ? 'w' : '-',
				      p->flags & TL_X ? 'x' : '-', p->flags & TL_SHARED ? 's' : 'p',
				      0 };

		r = watch_json_mapping(memsrc_pid(b->m), p->start, p->end,
				       p->flags & TL_UNKNOWN	     ? "unknown"
				       : p->origin == ORIGIN_BEFORE  ? "before"
				       : p->origin == ORIGIN_UNKNOWN ? "lost"
								     : "seen",
				       p->flags & TL_PROT_OPEN ? "?" : prot, mapbook_name(b, p),
				       out);
	}
	return r;
}

static void tell_live(const struct mapbook *b, struct watch_mappings *m)
{
	VEC(bool) seen = { 0 }; /* by id */

	for (size_t i = 0; i < b->t.pieces.n; i++) {
		const struct tl_piece *p = &b->t.pieces.v[i];
		uint32_t id = mapbook_stack(b, p);

		if (!id)
			continue;
		m->ranges++;
		m->bytes += p->end - p->start;
		while (seen.n <= id && !vec_push(&seen, false))
			;
		if (seen.n <= id || seen.v[id])
			continue;
		seen.v[id] = true;
		m->stacks++;
	}
	vec_free(&seen);
}

/* What is left at the end, and how it compares with the kernel's word. */
int book_end(struct mapbook *b, struct watch_mappings *m)
{
	const struct timeline_counts *n = &b->t.n;
	const struct timeline_difference *off = &b->off;
	int r = 0;

	m->known = true;
	m->compared = !memsrc_alive(b->m) && !mapbook_settle(b, NULL);
	if (!m->compared)
		r = timeline_flush(&b->t);
	m->calls = n->calls;
	m->reordered = n->reordered;
	m->ambiguous = n->ambiguous;
	m->unseen = n->unseen;
	m->lost_regions = n->lost;
	m->overflows = n->overflows;
	m->settled = n->settled;
	m->same = off->both;
	m->only_here = off->here;
	m->only_there = off->there;
	m->unknown = off->unknown;
	m->grown = off->grown;
	m->kernel = off->kernel;
	m->protection = off->protection;
	m->protection_open = off->protection_open;
	tell_live(b, m);
	return r;
}
