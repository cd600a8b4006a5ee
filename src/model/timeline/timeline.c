/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/timeline/timeline_impl.h"

#include <errno.h>
#include <string.h>

/* From include/uapi/linux/mman.h and asm-generic/mman-common.h: of the target, not of ours. */
enum {
	FLAG_TYPE = 0x0f,
	FLAG_FIXED = 0x10,
	FLAG_ANON = 0x20,
	FLAG_HUGETLB = 0x40000,
	FLAG_HUGE_SHIFT = 26,
	FLAG_HUGE_MASK = 0x3f,
	FLAG_HUGE_DEFAULT = 21, /* amd64, and arm64 with pages of 4 KiB */
	FLAG_SHARED = 1,
	FLAG_SHARED_VALIDATE = 3,
	FLAG_GROWSDOWN = 0x100,
	REMAP_FIXED = 2,
	REMAP_DONTUNMAP = 4,
};
#define FLAG_FIXED_NOREPLACE 0x100000
#define PROT_GROWS_DOWN	     0x01000000

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
	vec_free(&t->opened);
	vec_free(&t->segments);
}

void timeline_reset(struct timeline *t)
{
	t->pieces.n = t->window.n = t->ghosts.n = t->doubts.n = 0;
	t->nrecent = t->nidle = 0;
	t->segments.n = t->opened.n = 0;
	t->doubt_all = false;
	t->brk = t->brk_enter = t->brk_exit = 0;
	t->read_ns = 0;
}

void timeline_set_read(struct timeline *t, uint64_t ns)
{
	t->read_ns = ns;
}

int timeline_add(struct timeline *t, uint64_t start, uint64_t end, uint32_t flags)
{
	struct tl_span s = { .start = start, .end = end };

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
		    last->flags == p.flags && last->name == p.name &&
		    last->born + MERGE_AGE < t->newest && p.born + MERGE_AGE < t->newest) {
			last->end = p.end;
			last->enter = last->enter < p.enter ? last->enter : p.enter;
			last->born = last->born > p.born ? last->born : p.born;
			last->changed = last->changed > p.changed ? last->changed : p.changed;
		} else {
			t->pieces.v[n++] = p;
		}
	}
	t->pieces.n = n;
	if (n < TIMELINE_PIECES - TIMELINE_PIECES / 8)
		return 0;
	t->pieces.n = t->ghosts.n = 0;
	t->n.overflows++;
	return tl_place(t, &(struct tl_span){ .end = UINT64_MAX, .exit = t->newest }, PLACE_QUIET,
			ORIGIN_UNKNOWN, TL_UNKNOWN);
}

/* ---- one call */

static uint64_t round_up(uint64_t x, uint64_t unit)
{
	return x + (unit - 1) < x ? UINT64_MAX - (unit - 1) : (x + unit - 1) / unit * unit;
}

struct tl_span tl_span_of(const struct timeline *t, const struct tl_call *c, uint64_t start,
			  uint64_t len)
{
	struct tl_span s = { .start = start, .end = start, .enter = c->enter, .exit = c->exit };

	len = round_up(len, t->page);
	if (start % t->page == 0 && start + len > start)
		s.end = start + len;
	return s;
}

/* PROT_READ, PROT_WRITE, PROT_EXEC */
static uint32_t protection(uint64_t prot)
{
	return (prot & 1 ? TL_R : 0) | (prot & 2 ? TL_W : 0) | (prot & 4 ? TL_X : 0);
}

static int do_mmap(struct timeline *t, const struct tl_call *c)
{
	uint64_t f = c->args[3], len = c->args[1];
	bool fixed = f & FLAG_FIXED && !(f & FLAG_FIXED_NOREPLACE);
	uint32_t flags = protection(c->args[2]) | (fixed ? TL_FIXED : 0);
	uint64_t type = f & FLAG_TYPE;
	struct tl_span s;

	if (f & FLAG_HUGETLB) {
		uint64_t shift = f >> FLAG_HUGE_SHIFT & FLAG_HUGE_MASK;

		len = round_up(len, 1ULL << (shift ? shift : FLAG_HUGE_DEFAULT));
	}
	if (f & FLAG_ANON)
		flags |= TL_ANON;
	if (type == FLAG_SHARED || type == FLAG_SHARED_VALIDATE)
		flags |= TL_SHARED;
	if (f & FLAG_GROWSDOWN)
		flags |= TL_GROWS;
	s = tl_span_of(t, c, c->ret, len);
	return tl_place(t, &s, fixed ? PLACE_FIXED : PLACE_FREE, c->origin, flags);
}

static int do_munmap(struct timeline *t, const struct tl_call *c)
{
	struct tl_span s = tl_span_of(t, c, c->args[0], c->args[1]);

	return s.start < s.end ? tl_take(t, &s) : 0;
}

static struct tl_piece like_piece(const struct timeline *t, const struct tl_call *c,
				  const struct tl_piece *p)
{
	struct tl_piece r = { .flags = TL_ANON | TL_R | TL_W | TL_PROT_OPEN };

	if (p)
		r = *p;
	if (r.flags & TL_UNKNOWN || tl_is_later(t, &r, c->enter))
		r.flags |= TL_PROT_OPEN;
	r.flags &= ~(TL_UNKNOWN | TL_BRK | TL_FIXED);
	return r;
}

/* What a range is: that of its last byte. */
static struct tl_piece like(const struct timeline *t, const struct tl_call *c, uint64_t addr)
{
	size_t i = tl_lower(t, addr);

	return like_piece(t, c,
			  i < t->pieces.n && t->pieces.v[i].start <= addr ? &t->pieces.v[i] : NULL);
}

/* The same of what was taken: another may live there by now. */
static struct tl_piece like_taken(const struct timeline *t, const struct tl_call *c, uint64_t addr)
{
	for (size_t i = 0; i < t->taken.n; i++)
		if (addr - t->taken.v[i].start < t->taken.v[i].end - t->taken.v[i].start)
			return like_piece(t, c, &t->taken.v[i]);
	return like_piece(t, c, NULL);
}

static int resize(struct timeline *t, const struct tl_call *c, uint64_t old, uint64_t new)
{
	uint64_t at = c->args[0];
	struct tl_piece as = like(t, c, old ? at + old - 1 : at);
	struct tl_span s;

	if (new < old) {
		s = tl_span_of(t, c, at + new, old - new);
		return s.start < s.end ? tl_take(t, &s) : 0;
	}
	s = tl_span_of(t, c, at + old, new - old);
	s.name = as.name;
	s.segment = as.segment;
	s.changed = as.changed;
	return tl_place(t, &s, PLACE_FREE, c->origin, as.flags);
}

/* What was taken at `old` lives on at c->ret. */
static int move_in(struct timeline *t, const struct tl_call *c, uint64_t old, uint64_t len)
{
	for (size_t i = 0; i < t->taken.n; i++) {
		const struct tl_piece *p = &t->taken.v[i];
		struct tl_span s = {
			.enter = c->enter, .exit = c->exit, .changed = p->changed, .name = p->name
		};
		uint32_t flags = p->flags | (tl_is_later(t, p, c->enter) ? TL_PROT_OPEN : 0);
		int r;

		if (p->start - old >= len || p->flags & TL_UNKNOWN)
			continue;
		s.start = c->ret + (p->start - old);
		s.end = c->ret + (p->end - old < len ? p->end - old : len);
		r = tl_place(t, &s, PLACE_QUIET, p->origin, flags & ~(TL_BRK | TL_FIXED));
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
	struct tl_span s = tl_span_of(t, c, from, old), to = tl_span_of(t, c, c->ret, new);
	struct tl_piece as;
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
	as = old ? like_taken(t, c, from + old - 1) : like(t, c, from);
	to.end = to.start + moved;
	to.name = as.name;
	if (!r)
		r = tl_place(t, &to, how, ORIGIN_UNKNOWN, as.flags | TL_PROT_OPEN);
	if (!r)
		r = move_in(t, c, from, moved);
	to.start = to.end;
	to.end = c->ret + new;
	return r ? r : tl_place(t, &to, how, c->origin, as.flags);
}

enum { BRK_FLAGS = TL_ANON | TL_BRK | TL_R | TL_W };

/* The break as last seen may be older than a lost call: what that may have made stays without an
 * origin. */
static int grow_brk(struct timeline *t, const struct tl_span *s, uint32_t origin)
{
	int r = tl_peek(t, s);

	if (!r)
		r = tl_place(t, s, PLACE_FREE, origin, BRK_FLAGS);
	for (size_t i = 0; i < t->taken.n && !r; i++) {
		const struct tl_piece *p = &t->taken.v[i];
		struct tl_span in = {
			.start = p->start, .end = p->end, .enter = s->enter, .exit = s->exit
		};

		if (p->flags & TL_UNKNOWN)
			r = tl_place(t, &in, PLACE_QUIET, ORIGIN_UNKNOWN, BRK_FLAGS);
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

	if (!was) /* as it was at the entry */
		was = round_up(c->args[1], t->page);
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
		s = tl_span_of(t, c, was, now - was);
		return grow_brk(t, &s, asked ? ORIGIN_UNKNOWN : c->origin);
	}
	s = tl_span_of(t, c, now, was - now);
	return s.start < s.end ? tl_take(t, &s) : 0;
}

/* With PROT_GROWSDOWN all that it is one mapping with, downwards: where that begins is not known.
 */
static int do_mprotect(struct timeline *t, const struct tl_call *c)
{
	struct tl_span s = tl_span_of(t, c, c->args[0], c->args[1]);
	struct tl_change to = { .clear = TL_PROT,
				.set = protection(c->args[2]),
				.open = c->failed };
	size_t i = tl_lower(t, s.start);
	int r = 0;

	if (c->args[2] & PROT_GROWS_DOWN && i < t->pieces.n && t->pieces.v[i].start < s.start) {
		struct tl_span below = { .start = t->pieces.v[i].start,
					 .end = s.start,
					 .enter = c->enter,
					 .exit = c->exit };

		to.open = true;
		r = tl_change(t, &below, &to);
		to.open = c->failed;
	}
	return r || s.start >= s.end ? r : tl_change(t, &s, &to);
}

static int do_prctl(struct timeline *t, const struct tl_call *c)
{
	struct tl_change to = { .names = true, .name = c->name };
	struct tl_span s;

	if (c->args[0] == EVENT_PR_SET_MM && c->args[1] == EVENT_PR_SET_MM_BRK)
		t->brk = round_up(c->args[2], t->page);
	else if (c->args[0] == EVENT_PR_SET_MM && c->args[1] == EVENT_PR_SET_MM_MAP)
		t->brk = 0;
	if (c->args[0] != EVENT_PR_SET_VMA)
		return 0;
	s = tl_span_of(t, c, c->args[2], c->args[3]);
	return s.start < s.end ? tl_change(t, &s, &to) : 0;
}

static int do_loss(struct timeline *t, const struct tl_call *c)
{
	struct tl_span s = {
		.start = c->args[0], .end = c->args[1], .enter = c->exit, .exit = c->exit
	};

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
	t->n.calls += c->call != CALL_COUNT && !c->failed;
	switch (c->call) {
	case CALL_MPROTECT:
	case CALL_PKEY_MPROTECT:
		t->n.changes += !c->failed;
		return do_mprotect(t, c);
	case CALL_PRCTL:
		t->n.changes++;
		return do_prctl(t, c);
	case CALL_SHMAT:
		return tl_shmat(t, c);
	case CALL_SHMDT:
		return tl_shmdt(t, c);
	case CALL_MADVISE:	    /* nothing that is mapped, though it may be resident no more */
	case CALL_REMAP_FILE_PAGES: /* other pages of the same file, in the same place */
		t->n.changes++;
		return 0;
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

/* A mapping over others, or a move there, may have unmapped them before it failed. */
static int doubt_failed(struct timeline *t, const struct event_call *c, int err)
{
	bool over = c->call == CALL_MMAP && c->args[3] & FLAG_FIXED;
	uint64_t at = c->args[0], len = c->args[1];
	int r = 0;

	if (c->call == CALL_MREMAP && c->args[3] & REMAP_FIXED) {
		over = true;
		r = tl_doubt(t, at, at + round_up(len, t->page));
		at = c->args[4];
		len = c->args[2];
	}
	if (!over || (c->call == CALL_MMAP && err != ENOMEM))
		return r;
	t->n.ambiguous += err == ENOMEM;
	return r ? r : tl_doubt(t, at, at + round_up(len, t->page));
}

int timeline_call(struct timeline *t, const struct event *e, const struct timeline_more *more)
{
	const struct event_call *in = &e->call;
	struct tl_call c = {
		.enter = e->enter_ns,
		.exit = e->exit_ns,
		.ret = in->ret,
		.length = more->length,
		.origin = more->origin,
		.name = more->name,
		.call = in->call,
	};
	int err = event_call_errno(in);

	c.failed = err && (in->call == CALL_MPROTECT || in->call == CALL_PKEY_MPROTECT);
	/* brk has an answer in any case */
	if (err && in->call != CALL_BRK && !c.failed)
		return doubt_failed(t, in, err);
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
