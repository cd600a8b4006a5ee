/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/timeline_impl.h"

#include <string.h>

/* From include/uapi/linux/mman.h and asm-generic/mman-common.h: of the target, not of ours. */
enum {
	FLAG_TYPE = 0x0f,
	FLAG_PRIVATE = 2,
	FLAG_FIXED = 0x10,
	FLAG_ANON = 0x20,
	FLAG_HUGETLB = 0x40000,
	FLAG_HUGE_SHIFT = 26,
	FLAG_HUGE_MASK = 0x3f,
	FLAG_HUGE_DEFAULT = 21, /* amd64, and arm64 with pages of 4 KiB */
	REMAP_FIXED = 2,
	REMAP_DONTUNMAP = 4,
};
#define FLAG_FIXED_NOREPLACE 0x100000

/* Pieces of one origin that were made longer ago than this may be merged: ns. */
#define MERGE_AGE 10000000000ULL

int timeline_init(struct timeline *t, uint32_t page)
{
	*t = (struct timeline){ .page = page ? page : 4096 };
	return vec_reserve(&t->window, TIMELINE_WINDOW);
}

void timeline_free(struct timeline *t)
{
	vec_free(&t->pieces);
	vec_free(&t->window);
	vec_free(&t->ghosts);
	vec_free(&t->taken);
	vec_free(&t->next);
	vec_free(&t->doubts);
}

void timeline_reset(struct timeline *t)
{
	t->pieces.n = t->window.n = t->ghosts.n = t->doubts.n = 0;
	t->nrecent = 0;
	t->doubt_all = false;
	t->brk = t->brk_enter = t->brk_exit = 0;
}

int timeline_add(struct timeline *t, uint64_t start, uint64_t end, uint32_t flags)
{
	struct tl_span s = { start, end, 0, 0 };

	return tl_place(t, &s, PLACE_QUIET, ORIGIN_BEFORE, flags);
}

void timeline_set_brk(struct timeline *t, uint64_t brk)
{
	t->brk = brk;
	t->brk_enter = t->brk_exit = 0;
}

/* ---- bounds */

/* What was made by one origin, side by side and long ago, is one piece; when that does not help,
 * all is unknown and begins anew. */
static int squeeze(struct timeline *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->pieces.n; i++) {
		struct tl_piece p = t->pieces.v[i], *last = n ? &t->pieces.v[n - 1] : NULL;

		if (last && last->end == p.start && last->origin == p.origin &&
		    last->flags == p.flags && last->born + MERGE_AGE < t->newest &&
		    p.born + MERGE_AGE < t->newest) {
			last->end = p.end;
			last->enter = last->enter < p.enter ? last->enter : p.enter;
			last->born = last->born > p.born ? last->born : p.born;
		} else {
			t->pieces.v[n++] = p;
		}
	}
	t->pieces.n = n;
	if (n < TIMELINE_PIECES - TIMELINE_PIECES / 8)
		return 0;
	t->pieces.n = t->ghosts.n = 0;
	t->n.overflows++;
	return tl_place(t, &(struct tl_span){ 0, UINT64_MAX, 0, t->newest }, PLACE_QUIET,
			ORIGIN_UNKNOWN, TL_UNKNOWN);
}

/* ---- one call */

static uint64_t round_up(uint64_t x, uint64_t unit)
{
	return x + (unit - 1) < x ? UINT64_MAX - (unit - 1) : (x + unit - 1) / unit * unit;
}

/* [start, start + len) in whole pages; empty when it makes no sense. */
static struct tl_span span(const struct timeline *t, const struct tl_call *c, uint64_t start,
			   uint64_t len)
{
	struct tl_span s = { start, start, c->enter, c->exit };

	len = round_up(len, t->page);
	if (start % t->page == 0 && start + len > start)
		s.end = start + len;
	return s;
}

static int do_mmap(struct timeline *t, const struct tl_call *c)
{
	uint64_t f = c->args[3], len = c->args[1];
	bool fixed = f & FLAG_FIXED && !(f & FLAG_FIXED_NOREPLACE);
	uint32_t flags = fixed ? TL_FIXED : 0;
	struct tl_span s;

	if (f & FLAG_HUGETLB) {
		uint64_t shift = f >> FLAG_HUGE_SHIFT & FLAG_HUGE_MASK;

		len = round_up(len, 1ULL << (shift ? shift : FLAG_HUGE_DEFAULT));
	}
	if (f & FLAG_ANON)
		flags |= TL_ANON;
	if ((f & FLAG_TYPE) != FLAG_PRIVATE)
		flags |= TL_SHARED;
	s = span(t, c, c->ret, len);
	return tl_place(t, &s, fixed ? PLACE_FIXED : PLACE_FREE, c->origin, flags);
}

static int do_munmap(struct timeline *t, const struct tl_call *c)
{
	struct tl_span s = span(t, c, c->args[0], c->args[1]);

	return s.start < s.end ? tl_take(t, &s) : 0;
}

/* What a range is: that of its last byte. */
static uint32_t flags_at(const struct timeline *t, uint64_t addr)
{
	size_t i = tl_lower(t, addr);

	return i < t->pieces.n && t->pieces.v[i].start <= addr
		       ? t->pieces.v[i].flags & ~(TL_UNKNOWN | TL_BRK | TL_FIXED)
		       : TL_ANON;
}

static int resize(struct timeline *t, const struct tl_call *c, uint64_t old, uint64_t new)
{
	uint64_t at = c->args[0];
	struct tl_span s;

	if (new < old) {
		s = span(t, c, at + new, old - new);
		return s.start < s.end ? tl_take(t, &s) : 0;
	}
	s = span(t, c, at + old, new - old);
	return tl_place(t, &s, PLACE_FREE, c->origin, old ? flags_at(t, at + old - 1) : TL_ANON);
}

/* What was taken at `old` lives on at c->ret. */
static int move_in(struct timeline *t, const struct tl_call *c, uint64_t old, uint64_t len)
{
	for (size_t i = 0; i < t->taken.n; i++) {
		const struct tl_piece *p = &t->taken.v[i];
		struct tl_span s = { .enter = c->enter, .exit = c->exit };
		int r;

		if (p->start - old >= len || p->flags & TL_UNKNOWN)
			continue;
		s.start = c->ret + (p->start - old);
		s.end = c->ret + (p->end - old < len ? p->end - old : len);
		r = tl_place(t, &s, PLACE_QUIET, p->origin, p->flags & ~(TL_BRK | TL_FIXED));
		if (r)
			return r;
	}
	return 0;
}

static int do_mremap(struct timeline *t, const struct tl_call *c)
{
	uint64_t from = c->args[0], old = round_up(c->args[1], t->page);
	uint64_t new = round_up(c->args[2], t->page), moved = old < new ? old : new;
	enum tl_place how = c->args[3] & REMAP_FIXED ? PLACE_FIXED : PLACE_FREE;
	struct tl_span s = span(t, c, from, old), to = span(t, c, c->ret, new);
	uint32_t flags = old ? flags_at(t, from + old - 1) : flags_at(t, from);
	int r;

	if (to.start >= to.end || from % t->page || from + old < from)
		return 0;
	if ((uint64_t)c->ret == from)
		return resize(t, c, old, new);
	if (!old || c->args[3] & REMAP_DONTUNMAP)
		r = tl_peek(t, &s);
	else
		r = tl_take(t, &s);
	/* First as a whole: of the moved part whatever has no origin known, then the rest. */
	to.end = to.start + moved;
	if (!r)
		r = tl_place(t, &to, how, ORIGIN_UNKNOWN, flags);
	if (!r)
		r = move_in(t, c, from, moved);
	to.start = to.end;
	to.end = c->ret + new;
	return r ? r : tl_place(t, &to, how, c->origin, flags);
}

/* The break as last seen may be older than a lost call: what that may have made stays without an
 * origin. */
static int grow_brk(struct timeline *t, const struct tl_span *s, uint32_t origin)
{
	int r = tl_peek(t, s);

	if (!r)
		r = tl_place(t, s, PLACE_FREE, origin, TL_ANON | TL_BRK);
	for (size_t i = 0; i < t->taken.n && !r; i++) {
		const struct tl_piece *p = &t->taken.v[i];
		struct tl_span in = { p->start, p->end, s->enter, s->exit };

		if (p->flags & TL_UNKNOWN)
			r = tl_place(t, &in, PLACE_QUIET, ORIGIN_UNKNOWN, TL_ANON | TL_BRK);
	}
	return r;
}

/*
 * Every answer tells the break. Between two calls at the same time the order is open, and with it
 * which of them the break is.
 */
static int do_brk(struct timeline *t, const struct tl_call *c)
{
	uint64_t now = round_up(c->ret, t->page), was = t->brk;
	bool asked = !c->args[0] || c->args[0] != (uint64_t)c->ret;
	bool overlap = t->brk_exit > c->enter;
	struct tl_span s;

	if (overlap && was && now != was) {
		t->n.ambiguous++;
		if (tl_doubt(t, now < was ? now : was, now < was ? was : now))
			return -ENOMEM;
	}
	if (overlap && asked)
		return 0;
	t->brk = now;
	if (!asked || !overlap) {
		t->brk_enter = c->enter;
		t->brk_exit = c->exit;
	}
	if (!was || now == was)
		return 0;
	if (now > was) {
		s = span(t, c, was, now - was);
		return grow_brk(t, &s, asked ? ORIGIN_UNKNOWN : c->origin);
	}
	s = span(t, c, now, was - now);
	return s.start < s.end ? tl_take(t, &s) : 0;
}

static int do_loss(struct timeline *t, const struct tl_call *c)
{
	struct tl_span s = { c->args[0], c->args[1], c->exit, c->exit };

	t->n.lost++;
	return tl_place(t, &s, PLACE_QUIET, ORIGIN_UNKNOWN, TL_UNKNOWN);
}

static int apply(struct timeline *t, const struct tl_call *c)
{
	if (t->pieces.n >= TIMELINE_PIECES) {
		int r = squeeze(t);

		if (r)
			return r;
	}
	t->n.calls += c->call != CALL_COUNT;
	switch (c->call) {
	case CALL_MMAP:
		return do_mmap(t, c);
	case CALL_MUNMAP:
		return do_munmap(t, c);
	case CALL_MREMAP:
		return do_mremap(t, c);
	case CALL_BRK:
		return do_brk(t, c);
	default:
		return do_loss(t, c);
	}
}

/* ---- the window: a heap with the earliest exit on top */

static bool earlier(const struct tl_call *a, const struct tl_call *b)
{
	return a->exit != b->exit ? a->exit < b->exit : a->enter < b->enter;
}

static void swap(struct tl_call *a, struct tl_call *b)
{
	struct tl_call x = *a;

	*a = *b;
	*b = x;
}

static int apply_first(struct timeline *t)
{
	struct tl_call *h = t->window.v, c = h[0];
	size_t n = --t->window.n, i = 0;

	h[0] = h[n];
	while (2 * i + 1 < n) {
		size_t k = 2 * i + 1;

		if (k + 1 < n && earlier(&h[k + 1], &h[k]))
			k++;
		if (!earlier(&h[k], &h[i]))
			break;
		swap(&h[i], &h[k]);
		i = k;
	}
	return apply(t, &c);
}

static int put(struct timeline *t, const struct tl_call *c)
{
	struct tl_call *h = t->window.v;
	size_t i;
	int r = 0;

	if (t->window.n == TIMELINE_WINDOW)
		r = apply_first(t);
	if (r)
		return r;
	i = t->window.n++;
	h[i] = *c;
	for (; i && earlier(&h[i], &h[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&h[i], &h[(i - 1) / 2]);
	if (c->exit > t->newest)
		t->newest = c->exit;
	return 0;
}

int timeline_flush(struct timeline *t)
{
	int r = 0;

	while (t->window.n && !r)
		r = apply_first(t);
	return r;
}

int timeline_doubt(struct timeline *t, uint64_t start, uint64_t end)
{
	return tl_doubt(t, start, end);
}

/* A mapping over others that fails for want of memory may have unmapped them before. */
static int note_failed(struct timeline *t, const struct event_call *c, int err)
{
	if (c->call != CALL_MMAP || !(c->args[3] & FLAG_FIXED) || err != ENOMEM)
		return 0;
	t->n.ambiguous++;
	return tl_doubt(t, c->args[0], c->args[0] + round_up(c->args[1], t->page));
}

int timeline_call(struct timeline *t, const struct event *e, uint32_t origin)
{
	const struct event_call *in = &e->call;
	struct tl_call c = {
		.enter = e->enter_ns,
		.exit = e->exit_ns,
		.ret = in->ret,
		.origin = origin,
		.call = in->call,
	};
	int err = event_call_errno(in);

	/* brk has an answer in any case */
	if (err && in->call != CALL_BRK)
		return note_failed(t, in, err);
	memcpy(c.args, in->args, sizeof(c.args));
	return put(t, &c);
}

int timeline_lost(struct timeline *t, uint64_t start, uint64_t end, uint64_t ns)
{
	struct tl_call c = { .enter = ns, .exit = ns, .args = { start, end }, .call = CALL_COUNT };

	return start < end ? put(t, &c) : 0;
}

void timeline_each_origin(const struct timeline *t, void (*fn)(void *ctx, uint32_t origin),
			  void *ctx)
{
	for (size_t i = 0; i < t->pieces.n; i++)
		fn(ctx, t->pieces.v[i].origin);
	for (size_t i = 0; i < t->window.n; i++)
		fn(ctx, t->window.v[i].origin);
	for (size_t i = 0; i < t->ghosts.n; i++)
		fn(ctx, t->ghosts.v[i].p.origin);
}
