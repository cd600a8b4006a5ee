/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that change what is mapped and leave it where it is: protections and names. */
#include "model/timeline/timeline_impl.h"

static bool overlap(const struct tl_span *s, uint64_t enter, uint64_t exit)
{
	return enter < s->exit && s->enter < exit;
}

void tl_idle(struct timeline *t, uint64_t start, uint64_t end, uint64_t enter, uint64_t exit)
{
	size_t i;

	if (start >= end)
		return;
	i = t->nidle++ % TIMELINE_RECENT;
	t->idle[i].start = start;
	t->idle[i].end = end;
	t->idle[i].enter = enter;
	t->idle[i].exit = exit;
}

static void change(struct tl_piece *p, const struct tl_span *s, const struct tl_change *c)
{
	bool later = p->born > s->enter;

	/* a successor that was made at the same time: before the change, or after it */
	if (p->flags & TL_UNKNOWN || (later && p->enter >= s->exit))
		return;
	if (c->names) {
		p->name = later ? p->name : c->name;
		return;
	}
	if (later || c->open || p->changed > s->enter) {
		p->flags |= TL_PROT_OPEN;
		p->changed = p->changed > s->exit ? p->changed : s->exit;
		return;
	}
	p->flags = (p->flags & ~(c->clear | TL_PROT_OPEN)) | c->set;
	p->changed = s->exit;
}

int tl_change(struct timeline *t, const struct tl_span *s, const struct tl_change *c)
{
	size_t i = tl_lower(t, s->start), j;
	uint64_t at = s->start;
	int r = 0;

	t->next.n = 0;
	for (j = i; j < t->pieces.n && t->pieces.v[j].start < s->end && !r; j++) {
		const struct tl_piece p = t->pieces.v[j];
		struct tl_piece in = tl_part(&p, s->start, s->end);

		if (!c->names) /* what is to be changed there comes later, at the same time */
			tl_idle(t, at, in.start, s->enter, s->exit);
		at = in.end;
		r = tl_append(t, tl_part(&p, p.start, in.start));
		change(&in, s, c);
		if (!r)
			r = tl_append(t, in);
		if (!r)
			r = tl_append(t, tl_part(&p, in.end, p.end));
	}
	if (!c->names)
		tl_idle(t, at, s->end, s->enter, s->exit);
	return r ? r : tl_splice(t, i, j);
}

static int open_range(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end)
{
	struct tl_span in = { .start = start > s->start ? start : s->start,
			      .end = end < s->end ? end : s->end,
			      .enter = s->exit,
			      .exit = s->exit };
	const struct tl_change c = { .open = true };

	return in.start < in.end ? tl_change(t, &in, &c) : 0;
}

int tl_open(struct timeline *t, const struct tl_span *s)
{
	size_t n = t->nidle < TIMELINE_RECENT ? t->nidle : TIMELINE_RECENT;
	int r = 0;

	for (size_t i = 0; i < t->opened.n && !r; i++)
		r = open_range(t, s, t->opened.v[i].start, t->opened.v[i].end);
	t->opened.n = 0;
	for (size_t i = 0; i < n && !r; i++)
		if (overlap(s, t->idle[i].enter, t->idle[i].exit))
			r = open_range(t, s, t->idle[i].start, t->idle[i].end);
	return r;
}
