/* SPDX-License-Identifier: BSD-2-Clause */
/* System V shared memory: shmdt names an address only, of what may be in pieces by then. */
#include "model/timeline/timeline_impl.h"

#include <errno.h>
#include <string.h>

/* include/uapi/linux/shm.h */
enum {
	SHM_READ_ONLY = 010000,
	SHM_OVER = 040000, /* SHM_REMAP */
	SHM_EXECUTE = 0100000,
};

/* Its number, or 0: memory is short. */
static uint32_t add_segment(struct timeline *t, uint64_t start, uint64_t end, uint64_t born)
{
	uint32_t number = ++t->nsegments ? t->nsegments : ++t->nsegments;

	if (t->segments.n == TIMELINE_SEGMENTS) { /* the oldest */
		t->segments.n--;
		memmove(t->segments.v, t->segments.v + 1, t->segments.n * sizeof(*t->segments.v));
	}
	return vec_push(&t->segments, (struct tl_segment){ start, end, born, number }) ? 0 : number;
}

int timeline_add_segment(struct timeline *t, uint64_t start, uint64_t end)
{
	uint32_t number = add_segment(t, start, end, 0);

	for (size_t i = tl_lower(t, start); i < t->pieces.n && t->pieces.v[i].start < end; i++)
		if (t->pieces.v[i].flags & TL_SEGMENT)
			t->pieces.v[i].segment = number;
	return number ? 0 : -ENOMEM;
}

int tl_shmat(struct timeline *t, const struct tl_call *c)
{
	uint32_t flags = TL_SHARED | TL_SEGMENT | TL_R;
	struct tl_span s = tl_span_of(t, c, c->ret, c->length ? c->length : t->page);
	int r;

	if (!(c->args[2] & SHM_READ_ONLY))
		flags |= TL_W;
	if (c->args[2] & SHM_EXECUTE)
		flags |= TL_X;
	s.segment = add_segment(t, s.start, s.end, c->exit);
	if (!s.segment)
		return -ENOMEM;
	r = tl_place(t, &s, c->args[2] & SHM_OVER ? PLACE_FIXED : PLACE_FREE, c->origin, flags);
	/* Where its size is not known it is detached by now, or nobody tells. */
	if (!r && !c->length)
		r = tl_doubt(t, s.start, UINT64_MAX);
	return r;
}

/* The index of the segment, among those attached at `start` by then, that a piece is of; or -1. */
static long segment_of(const struct timeline *t, const struct tl_piece *p, uint64_t start,
		       uint64_t now)
{
	if (!(p->flags & TL_SEGMENT) || p->born > now)
		return -1;
	for (size_t k = 0; k < t->segments.n; k++)
		if (t->segments.v[k].start == start && t->segments.v[k].number == p->segment)
			return k;
	return -1;
}

/* Of those that were attached there, that of which the lowest part is left, as ksys_shmdt() in
 * ipc/shm.c finds it; the last one when none is. An index, or -1. */
static long find_segment(const struct timeline *t, uint64_t start, uint64_t now)
{
	uint64_t end = start, lowest = UINT64_MAX;
	long last = -1, found;

	for (size_t k = 0; k < t->segments.n; k++)
		if (t->segments.v[k].start == start && t->segments.v[k].born <= now) {
			last = k;
			end = t->segments.v[k].end > end ? t->segments.v[k].end : end;
		}
	for (size_t i = tl_lower(t, start); i < t->pieces.n && t->pieces.v[i].start < end; i++) {
		found = segment_of(t, &t->pieces.v[i], start, now);
		if (found < 0)
			continue;
		last = found;
		lowest = t->pieces.v[i].start;
		break;
	}
	for (size_t i = 0; i < t->ghosts.n; i++) {
		const struct tl_piece *p = &t->ghosts.v[i].p;

		if (now >= t->ghosts.v[i].until)
			continue;
		found = segment_of(t, p, start, now);
		if (found >= 0 && p->start >= start && p->start < lowest) {
			last = found;
			lowest = p->start;
		}
	}
	return last;
}

/* Unmaps what is left of the segment that was attached there, wherever it has been mapped over. */
int tl_shmdt(struct timeline *t, const struct tl_call *c)
{
	long g = find_segment(t, c->args[0], c->enter);
	size_t i = tl_lower(t, c->args[0]);
	struct tl_span s = {
		.start = c->args[0], .enter = c->enter, .exit = c->exit, .only = TL_SEGMENT
	};

	if (g >= 0) {
		s.segment = t->segments.v[g].number;
		s.end = t->segments.v[g].end;
		t->segments.n--;
		memmove(&t->segments.v[g], &t->segments.v[g + 1],
			(t->segments.n - g) * sizeof(*t->segments.v));
	} else if (i < t->pieces.n) { /* one that has been moved */
		s.segment = t->pieces.v[i].segment;
		s.end = t->pieces.v[i].end;
	}
	return s.start < s.end ? tl_take(t, &s) : 0;
}
