/* SPDX-License-Identifier: BSD-2-Clause */
/* The timeline's ranges: giving up and taking addresses; see timeline.h for the rule. */
#include "model/timeline/timeline_impl.h"

#include <string.h>

/* A ghost that waits longer than this is a call that was lost: ns. */
#define GHOST_AGE 30000000000ULL

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

size_t tl_lower(const struct timeline *t, uint64_t addr)
{
	size_t lo = 0, hi = t->pieces.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->pieces.v[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

int tl_append(struct timeline *t, struct tl_piece p)
{
	struct tl_piece *last = t->next.n ? &t->next.v[t->next.n - 1] : NULL;

	if (p.start >= p.end)
		return 0;
	if (last && last->end == p.start && last->origin == p.origin && last->flags == p.flags &&
	    last->born == p.born && last->enter == p.enter && last->changed == p.changed &&
	    last->name == p.name && last->segment == p.segment) {
		last->end = p.end;
		return 0;
	}
	return vec_push(&t->next, p);
}

bool tl_is_later(const struct timeline *t, const struct tl_piece *p, uint64_t enter)
{
	return !p->born && enter <= t->read_ns;
}

struct tl_piece tl_part(const struct tl_piece *p, uint64_t start, uint64_t end)
{
	struct tl_piece r = *p;

	r.start = max(p->start, start);
	r.end = min(p->end, end);
	return r;
}

/* pieces[i, j) give way to t->next. */
int tl_splice(struct timeline *t, size_t i, size_t j)
{
	size_t n = t->pieces.n - (j - i) + t->next.n;

	if (vec_reserve(&t->pieces, n))
		return -ENOMEM;
	memmove(&t->pieces.v[i + t->next.n], &t->pieces.v[j],
		(t->pieces.n - j) * sizeof(*t->pieces.v));
	if (t->next.n)
		memcpy(&t->pieces.v[i], t->next.v, t->next.n * sizeof(*t->next.v));
	t->pieces.n = n;
	return 0;
}

/* ---- doubts */

int tl_doubt(struct timeline *t, uint64_t start, uint64_t end)
{
	if (t->doubt_all || start >= end)
		return 0;
	if (t->doubts.n == TIMELINE_DOUBTS) {
		range_unite(&t->doubts);
		/* Uniting that gains little would soon be done for each. */
		if (t->doubts.n > TIMELINE_DOUBTS / 2) {
			t->doubt_all = true;
			t->doubts.n = 0;
			return 0;
		}
	}
	return vec_push(&t->doubts, (struct range){ start, end, 0 });
}

static void remember(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end,
		     bool idle)
{
	size_t i = t->nrecent++ % TIMELINE_RECENT;

	t->recent[i].start = start;
	t->recent[i].end = end;
	t->recent[i].enter = s->enter;
	t->recent[i].exit = s->exit;
	t->recent[i].idle = idle;
}

/* A mapping at the same time as an unmapping that found nothing there may have come first; so may
 * one over whatever is there, where nothing lives now. */
static int doubt_recent(struct timeline *t, const struct tl_span *s, enum tl_place how,
			uint64_t start, uint64_t end, bool *any)
{
	size_t n = min(t->nrecent, TIMELINE_RECENT);

	if (how == PLACE_QUIET || start >= end)
		return 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t a = max(t->recent[i].start, start), z = min(t->recent[i].end, end);

		if (a >= z || t->recent[i].exit <= s->enter || t->recent[i].enter >= s->exit ||
		    (how == PLACE_FREE && !t->recent[i].idle))
			continue;
		*any = true;
		if (tl_doubt(t, a, z))
			return -ENOMEM;
	}
	return 0;
}

/* ---- ghosts */

static void drop_ghost(struct timeline *t, size_t i)
{
	t->ghosts.n--;
	memmove(&t->ghosts.v[i], &t->ghosts.v[i + 1], (t->ghosts.n - i) * sizeof(*t->ghosts.v));
}

/* They are in the order of `until`, but for a window's worth. */
static int add_ghost(struct timeline *t, struct tl_piece p, uint64_t until)
{
	while (t->ghosts.n &&
	       (t->ghosts.n == TIMELINE_GHOSTS || t->ghosts.v[0].until + GHOST_AGE < t->newest)) {
		drop_ghost(t, 0);
		t->n.unseen++;
	}
	return vec_push(&t->ghosts, (struct tl_ghost){ p, until });
}

static bool is_meant(const struct tl_piece *p, const struct tl_span *s)
{
	return !s->only || ((p->flags & s->only) == s->only && p->segment == s->segment);
}

static int take_ghosts(struct timeline *t, const struct tl_span *s)
{
	for (size_t i = 0; i < t->ghosts.n;) {
		struct tl_ghost g = t->ghosts.v[i];
		struct tl_piece in = tl_part(&g.p, s->start, s->end);

		if (in.start >= in.end || g.p.born > s->enter || s->enter >= g.until ||
		    !is_meant(&g.p, s)) {
			i++;
			continue;
		}
		if (vec_push(&t->taken, in))
			return -ENOMEM;
		t->n.reordered++;
		/* what is left of it: in front in its place, behind at the end */
		if (in.end < g.p.end &&
		    vec_push(&t->ghosts,
			     (struct tl_ghost){ tl_part(&g.p, in.end, g.p.end), g.until }))
			return -ENOMEM;
		if (g.p.start < in.start)
			t->ghosts.v[i++].p.end = in.start;
		else
			drop_ghost(t, i);
	}
	return 0;
}

/* ---- giving up */

static int by_start(const void *a, const void *b)
{
	const struct tl_piece *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Calls fn for the parts of [start, end) that no piece of the n (sorted) covers. */
typedef int gap_fn(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end);

static int each_gap(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end,
		    gap_fn *fn)
{
	uint64_t at = start;

	for (size_t i = 0; i < t->taken.n && at < end; i++) {
		const struct tl_piece *p = &t->taken.v[i];
		int r = 0;

		if (p->end <= at)
			continue;
		if (p->start > at)
			r = fn(t, s, at, min(p->start, end));
		if (r)
			return r;
		at = max(at, p->end);
	}
	return at < end ? fn(t, s, at, end) : 0;
}

static int doubt_gap(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end)
{
	return tl_doubt(t, start, end);
}

static int idle_gap(struct timeline *t, const struct tl_span *s, uint64_t start, uint64_t end)
{
	remember(t, s, start, end, true);
	return 0;
}

/*
 * What stayed though the call covers it. Made by a call at the same time, it either came after (and
 * the call took its predecessor there, a ghost) or the order is open.
 */
static int judge_kept(struct timeline *t, const struct tl_span *s)
{
	size_t before = t->doubts.n;
	bool was = t->doubt_all;
	uint64_t bytes = 0;
	int r = 0;

	for (size_t i = 0; i < t->taken.n; i++)
		bytes += t->taken.v[i].end - t->taken.v[i].start;
	if (bytes == s->end - s->start)
		return 0;
	for (size_t i = tl_lower(t, s->start);
	     i < t->pieces.n && t->pieces.v[i].start < s->end && !r; i++) {
		const struct tl_piece *p = &t->pieces.v[i];

		if (p->born > s->enter && p->enter < s->exit && !(p->flags & TL_UNKNOWN) &&
		    is_meant(p, s))
			r = each_gap(t, s, max(p->start, s->start), min(p->end, s->end), doubt_gap);
	}
	if (!s->only && (t->doubts.n != before || t->doubt_all != was))
		t->n.ambiguous++;
	/* That only some of it is meant, and the rest another's, is no sign of a race: compared
	 * with the maps all the same. */
	return r ? r : each_gap(t, s, s->start, s->end, s->only ? doubt_gap : idle_gap);
}

int tl_peek(struct timeline *t, const struct tl_span *s)
{
	t->taken.n = 0;
	for (size_t i = tl_lower(t, s->start); i < t->pieces.n && t->pieces.v[i].start < s->end;
	     i++)
		if (vec_push(&t->taken, tl_part(&t->pieces.v[i], s->start, s->end)))
			return -ENOMEM;
	return 0;
}

int tl_take(struct timeline *t, const struct tl_span *s)
{
	size_t i = tl_lower(t, s->start), j;
	int r = 0;

	t->taken.n = t->next.n = 0;
	for (j = i; j < t->pieces.n && t->pieces.v[j].start < s->end && !r; j++) {
		const struct tl_piece *p = &t->pieces.v[j];
		struct tl_piece in = tl_part(p, s->start, s->end);

		if (p->born > s->enter || !is_meant(p, s)) {
			r = tl_append(t, *p);
			continue;
		}
		/* changed after this call began: perhaps it was the successor that was changed */
		if (p->changed > s->enter)
			tl_idle(t, in.start, in.end, 0, p->changed);
		r = vec_push(&t->taken, in);
		if (!r)
			r = tl_append(t, tl_part(p, p->start, in.start));
		if (!r)
			r = tl_append(t, tl_part(p, in.end, p->end));
	}
	if (!r)
		r = tl_splice(t, i, j);
	if (!r && t->ghosts.n)
		r = take_ghosts(t, s);
	if (r)
		return r;
	if (t->taken.n)
		qsort(t->taken.v, t->taken.n, sizeof(*t->taken.v), by_start);
	if (!s->only)
		remember(t, s, s->start, s->end, false);
	for (size_t k = 0; s->only && k < t->taken.n; k++)
		remember(t, s, t->taken.v[k].start, t->taken.v[k].end, false);
	return judge_kept(t, s);
}

/* ---- taking */

/* The inner part of a piece that the new one covers. */
static int cover(struct timeline *t, const struct tl_piece *in, const struct tl_span *s,
		 enum tl_place how, bool *doubt)
{
	if (in->flags & TL_UNKNOWN)
		return 0;
	/* Changed at the same time: perhaps it was the new one that was changed. */
	if (how != PLACE_QUIET && in->changed > s->enter &&
	    vec_push(&t->opened, (struct range){ in->start, in->end, 0 }))
		return -ENOMEM;
	/* Racing threads could have mapped it over the new one, which the order of programs that
	 * don't race rules out: not counted, but compared with the maps. */
	if (how == PLACE_FREE && in->born > s->enter && in->flags & TL_FIXED &&
	    tl_doubt(t, in->start, in->end))
		return -ENOMEM;
	if (how == PLACE_FREE && tl_is_later(t, in, s->enter)) /* it, or what has followed it */
		return 0;
	if (how == PLACE_FREE)
		return add_ghost(t, *in, s->exit);
	if (how == PLACE_FIXED && in->born > s->enter) {
		*doubt = true;
		return tl_doubt(t, in->start, in->end);
	}
	return 0;
}

int tl_place(struct timeline *t, const struct tl_span *s, enum tl_place how, uint32_t origin,
	     uint32_t flags)
{
	struct tl_piece new = {
		.start = s->start,
		.end = s->start,
		.enter = s->enter,
		.born = s->exit,
		.changed = s->changed,
		.origin = origin,
		.flags = flags,
		.name = s->name,
		.segment = s->segment,
	};
	size_t i = tl_lower(t, s->start), j;
	uint64_t at = s->start;
	bool doubt = false;
	int r = 0;

	if (s->start >= s->end)
		return 0;
	t->next.n = 0;
	/* `new` grows up to what it must leave alone, then begins behind it. */
	for (j = i; j < t->pieces.n && t->pieces.v[j].start < s->end && !r; j++) {
		const struct tl_piece p = t->pieces.v[j];
		struct tl_piece in = tl_part(&p, s->start, s->end);

		r = doubt_recent(t, s, how, at, how == PLACE_FREE ? in.end : in.start, &doubt);
		at = in.end;
		if (!r)
			r = tl_append(t, tl_part(&p, p.start, in.start));
		if (!r && p.born > s->exit) {
			new.end = in.start;
			r = tl_append(t, new);
			if (!r)
				r = tl_append(t, in);
			new.start = in.end;
		} else if (!r) {
			r = cover(t, &in, s, how, &doubt);
		}
		if (!r && p.end > s->end) {
			new.end = s->end;
			r = tl_append(t, new);
			new.start = s->end;
			if (!r)
				r = tl_append(t, tl_part(&p, s->end, p.end));
		}
	}
	new.end = s->end;
	if (!r)
		r = doubt_recent(t, s, how, at, s->end, &doubt);
	if (!r)
		r = tl_append(t, new);
	if (!r)
		r = tl_splice(t, i, j);
	t->n.ambiguous += doubt;
	return r || how == PLACE_QUIET ? r : tl_open(t, s);
}
