/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timeline against brute force: a history of several threads with a true order is made up,
 * page by page; the calls get intervals around their true moments that agree with what programs
 * can do, are shuffled, and replayed.
 */
#include "model/timeline.h"
#include "test.h"

enum {
	PAGE = 4096,
	PAGES = 96, /* of the made-up address space; the last HEAP of them are the break's */
	HEAP = 16,
	THREADS = 8,
	SHUFFLE = 100, /* places that a delivery is off at most */
	CALLS_MAX = 400,
};
#define BASE	 0x10000000ULL
#define AT(page) (BASE + (uint64_t)(page)*PAGE)

struct call {
	struct event e;
	uint64_t moment, key;
	uint32_t origin;
	bool drop;
};

/* A history under way. Origins: ORIGIN_FIRST + index of the call. */
struct world {
	uint64_t rng, now;
	uint32_t page[PAGES];	 /* origin; 0: free; ORIGIN_BEFORE + 1 … see own() */
	int owner[PAGES];	 /* thread that may use it */
	uint64_t known[PAGES];	 /* exit of the call that last changed it */
	uint64_t ready[THREADS]; /* exit of the thread's last call */
	uint64_t brk_ready;
	int brk; /* page */
	uint64_t spread;
	bool wild; /* threads touch what is not theirs */
	struct call call[CALLS_MAX];
	size_t n;
};

enum { FREE = UINT32_MAX };

static uint64_t next(struct world *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static uint64_t below(struct world *w, uint64_t n)
{
	return next(w) % n;
}

/* First fit, as the kernel does: freed addresses are used again at once. */
static int find_room(struct world *w, int pages)
{
	int at = w->wild || below(w, 4) ? 0 : below(w, PAGES - HEAP - pages);

	for (; at + pages <= PAGES - HEAP; at++) {
		int k = 0;

		while (k < pages && w->page[at + k] == FREE)
			k++;
		if (k == pages)
			return at;
	}
	return -1;
}

static struct event_call *make(struct world *w, int thread, enum event_callno no, uint64_t since)
{
	struct call *c = &w->call[w->n];
	uint64_t enter = since > w->ready[thread] ? since : w->ready[thread];
	uint64_t early = w->now - below(w, w->spread) - 1;

	*c = (struct call){ .moment = w->now, .origin = ORIGIN_FIRST + w->n };
	c->e.type = EVENT_CALL;
	c->e.tid = thread;
	c->e.call.call = no;
	c->e.enter_ns = early > enter && early < w->now ? early : enter;
	c->e.exit_ns = w->now + 1 + below(w, w->spread);
	w->ready[thread] = c->e.exit_ns;
	w->n++;
	return &c->e.call;
}

static void set(struct world *w, int at, int pages, int thread, uint32_t origin)
{
	for (int i = at; i < at + pages; i++) {
		w->page[i] = origin;
		w->owner[i] = thread;
		w->known[i] = w->call[w->n - 1].e.exit_ns;
	}
}

/* A run of pages that the thread may use by now; *since: when it could know. */
static int pick(struct world *w, int thread, int *pages, uint64_t *since)
{
	int first = below(w, PAGES - HEAP), want = 1 + below(w, 8);

	*since = 0;
	if (w->wild) {
		*pages = first + want > PAGES - HEAP ? PAGES - HEAP - first : want;
		return first;
	}
	for (int k = 0; k < PAGES - HEAP; k++) {
		int at = (first + k) % (PAGES - HEAP), n = 0;

		while (n < want && at + n < PAGES - HEAP && w->page[at + n] != FREE &&
		       w->known[at + n] < w->now &&
		       (w->owner[at + n] == thread || w->owner[at + n] < 0)) {
			if (w->known[at + n] > *since)
				*since = w->known[at + n];
			n++;
		}
		if (n) {
			*pages = n;
			return at;
		}
	}
	return -1;
}

static void do_map(struct world *w, int thread)
{
	int pages = 1 + below(w, 8), at = find_room(w, pages);
	struct event_call *c;

	if (at < 0)
		return;
	c = make(w, thread, CALL_MMAP, 0);
	c->args[1] = pages * PAGE - below(w, 2) * 100;
	c->args[3] = 0x22;
	c->ret = AT(at);
	/* now and then for all: another thread unmaps it */
	set(w, at, pages, below(w, 4) ? thread : -1, w->call[w->n - 1].origin);
}

static void do_overlay(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since);
	struct event_call *c;

	if (at < 0)
		return;
	c = make(w, thread, CALL_MMAP, since);
	c->args[0] = AT(at);
	c->args[1] = pages * PAGE;
	c->args[3] = 0x32;
	c->ret = AT(at);
	set(w, at, pages, thread, w->call[w->n - 1].origin);
}

static void do_unmap(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since);
	struct event_call *c;

	if (at < 0)
		return;
	c = make(w, thread, CALL_MUNMAP, since);
	c->args[0] = AT(at);
	c->args[1] = pages * PAGE;
	set(w, at, pages, -1, FREE);
}

static void do_remap(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since), to = at, want = 1 + below(w, 10), k;
	struct event_call *c;
	uint32_t old[PAGES];
	bool grows;

	for (k = 0; at >= 0 && k < pages; k++)
		if (w->page[at + k] == FREE)
			return;
	if (at < 0)
		return;
	grows = want > pages;
	for (k = pages; grows && k < want; k++)
		if (at + k >= PAGES - HEAP || w->page[at + k] != FREE)
			to = -1;
	if (to < 0 || !below(w, 4))
		to = find_room(w, want);
	if (to < 0)
		return;
	c = make(w, thread, CALL_MREMAP, since);
	c->args[0] = AT(at);
	c->args[1] = pages * PAGE;
	c->args[2] = want * PAGE;
	c->args[3] = 1;
	c->ret = AT(to);
	memcpy(old, &w->page[at], pages * sizeof(*old));
	set(w, at, pages, -1, FREE);
	for (k = 0; k < want; k++)
		set(w, to + k, 1, thread, k < pages ? old[k] : w->call[w->n - 1].origin);
}

/* One at a time, as libc's lock has it; a question before most of them. */
static void do_brk(struct world *w, int thread)
{
	int to = PAGES - HEAP + below(w, HEAP), from = w->brk;
	struct event_call *c;

	if (w->brk_ready >= w->now)
		return;
	c = make(w, thread, CALL_BRK, w->brk_ready);
	w->brk_ready = w->ready[thread];
	c->ret = AT(w->brk);
	if (!below(w, 3))
		return;
	c->args[0] = AT(to) - below(w, PAGE);
	c->ret = c->args[0];
	w->brk = to;
	if (to > from)
		set(w, from, to - from, thread, w->call[w->n - 1].origin);
	else
		set(w, to, from - to, -1, FREE);
}

static void history(struct world *w, uint64_t seed, size_t calls, uint64_t spread, bool wild,
		    struct timeline *t)
{
	static void (*const step[])(struct world *, int) = { do_map,   do_map,	 do_unmap,
							     do_unmap, do_remap, do_overlay,
							     do_brk };

	*w = (struct world){ .rng = seed * 0x9e3779b97f4a7c15ULL + 1, .spread = spread };
	w->wild = wild;
	w->now = 1000000;
	for (int i = 0; i < PAGES; i++)
		w->page[i] = FREE;
	for (int i = 0; i < 20; i++) {
		int at = below(w, PAGES - HEAP);

		if (w->page[at] != FREE)
			continue;
		w->page[at] = ORIGIN_BEFORE;
		w->owner[at] = -1;
		REQUIRE(!timeline_add(t, AT(at), AT(at + 1), TL_ANON));
	}
	w->brk = PAGES - HEAP;
	timeline_set_brk(t, AT(w->brk));
	for (int tries = 0; w->n < calls && tries < 100000; tries++) {
		int thread = below(w, THREADS);

		w->now += 1 + below(w, 20);
		/* never two of a thread at once */
		if (w->ready[thread] < w->now)
			step[below(w, sizeof(step) / sizeof(step[0]))](w, thread);
	}
	REQUIRE(w->n == calls);
}

static int by_key(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* In the order of exits, then each off by up to SHUFFLE places. */
static void shuffle(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->call[i].key = w->call[i].e.exit_ns;
	qsort(w->call, w->n, sizeof(w->call[0]), by_key);
	for (size_t i = 0; i < w->n; i++)
		w->call[i].key = (i + below(w, SHUFFLE)) * CALLS_MAX + i;
	qsort(w->call, w->n, sizeof(w->call[0]), by_key);
}

static const struct tl_piece *at(const struct timeline *t, uint64_t addr)
{
	for (size_t i = 0; i < t->pieces.n; i++)
		if (addr >= t->pieces.v[i].start && addr < t->pieces.v[i].end)
			return &t->pieces.v[i];
	return NULL;
}

static bool is_doubted(const struct timeline *t, uint64_t addr)
{
	for (size_t i = 0; i < t->doubts.n; i++)
		if (addr >= t->doubts.v[i].start && addr < t->doubts.v[i].end)
			return true;
	return t->doubt_all;
}

static void check_order(const struct timeline *t)
{
	for (size_t i = 0; i < t->pieces.n; i++) {
		CHECK(t->pieces.v[i].start < t->pieces.v[i].end);
		CHECK(!i || t->pieces.v[i - 1].end <= t->pieces.v[i].start);
	}
}

static size_t maps_of(const struct world *w, struct range *r)
{
	size_t n = 0;

	for (int i = 0; i < PAGES; i++)
		if (w->page[i] != FREE)
			r[n++] = (struct range){ AT(i), AT(i + 1), TL_ANON };
	return n;
}

/* Pages where the timeline is wrong; with origins when they are to be right, too. */
static int differing(const struct world *w, const struct timeline *t, bool origins, bool doubtful)
{
	int n = 0;

	for (int i = 0; i < PAGES; i++) {
		const struct tl_piece *p = at(t, AT(i));
		bool wrong = (p != NULL) != (w->page[i] != FREE);

		if (p && origins && !wrong)
			wrong = p->origin != w->page[i];
		if (wrong && (!doubtful || !is_doubted(t, AT(i))))
			n++;
	}
	return n;
}

static void replay(struct world *w, struct timeline *t)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->call[i].drop)
			REQUIRE(!timeline_call(t, &w->call[i].e, w->call[i].origin));
	REQUIRE(!timeline_flush(t));
	check_order(t);
}

/* Whatever overlaps: programs that use what they were given leave nothing open. */
TEST(timeline_is_the_truth)
{
	static struct world w;
	uint64_t reordered = 0;
	int wrong = 0, ambiguous = 0, unseen = 0;

	for (uint64_t seed = 1; seed <= 4000; seed++) {
		static const uint64_t spread[] = { 5, 50, 400, 3000 };
		struct timeline t;

		REQUIRE(!timeline_init(&t, PAGE));
		history(&w, seed, 100 + seed % 300, spread[seed % 4], false, &t);
		shuffle(&w);
		replay(&w, &t);
		wrong += differing(&w, &t, true, false) != 0;
		ambiguous += t.n.ambiguous != 0;
		unseen += t.ghosts.n != 0;
		reordered += t.n.reordered;
		CHECK_INT(t.n.lost + t.n.overflows, 0);
		timeline_free(&t);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(ambiguous, 0);
	CHECK_INT(unseen, 0);
	CHECK(reordered > 10000); /* the test does make them overlap */
}

/* Booking at the exits, the plain way, is wrong often: else the test above shows nothing. */
TEST(timeline_order_matters)
{
	static struct world w;
	int wrong = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct timeline t;

		REQUIRE(!timeline_init(&t, PAGE));
		history(&w, seed, 300, 400, false, &t);
		shuffle(&w);
		for (size_t i = 0; i < w.n; i++) {
			w.call[i].e.enter_ns = w.call[i].e.exit_ns;
		}
		replay(&w, &t);
		wrong += differing(&w, &t, true, false) != 0;
		timeline_free(&t);
	}
	CHECK(wrong > 100);
}

/* Threads that unmap and map over each other's memory: what may be wrong is known, and settled. */
TEST(timeline_races_are_settled)
{
	static struct world w;
	uint64_t ambiguous = 0, settled = 0;
	int wrong = 0, after = 0;

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct range maps[PAGES];
		struct timeline t;

		REQUIRE(!timeline_init(&t, PAGE));
		history(&w, seed, 100 + seed % 300, seed % 2 ? 30 : 500, true, &t);
		shuffle(&w);
		replay(&w, &t);
		wrong += differing(&w, &t, false, true);
		REQUIRE(!timeline_settle(&t, maps, maps_of(&w, maps)));
		check_order(&t);
		after += differing(&w, &t, false, false);
		ambiguous += t.n.ambiguous;
		settled += t.n.settled;
		timeline_free(&t);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(after, 0);
	CHECK(ambiguous > 1000);
	CHECK(settled > 1000);
}

/* The range that a lost call touched: of moves, both. */
static void lose(struct timeline *t, const struct call *c)
{
	const uint64_t *a = c->e.call.args, ret = c->e.call.ret, ns = c->e.exit_ns;
	uint64_t up = PAGE - 1;
	int r = 0;

	switch (c->e.call.call) {
	case CALL_MMAP:
		r = timeline_lost(t, ret, (ret + a[1] + up) & ~up, ns);
		break;
	case CALL_MUNMAP:
		r = timeline_lost(t, a[0], a[0] + a[1], ns);
		break;
	case CALL_MREMAP:
		r = timeline_lost(t, a[0], a[0] + a[1], ns);
		if (!r)
			r = timeline_lost(t, a[0], a[0] + a[2], ns);
		if (!r)
			r = timeline_lost(t, ret, ret + a[2], ns);
		break;
	default:
		r = timeline_lost(t, AT(PAGES - HEAP), AT(PAGES), ns);
	}
	REQUIRE(!r);
}

/* What losses touched is unknown or has been seen since; the rest is right; what is mapped is right
 * again once it is compared with the maps. */
TEST(timeline_losses)
{
	static struct world w;
	int wrong = 0, after = 0, unknown = 0, kept = 0;

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct range maps[PAGES];
		struct timeline t;
		size_t n;

		REQUIRE(!timeline_init(&t, PAGE));
		history(&w, seed, 300, 100, false, &t);
		shuffle(&w);
		for (size_t i = 0; i < w.n; i++) {
			w.call[i].drop = !below(&w, 12);
			if (w.call[i].drop)
				lose(&t, &w.call[i]);
			else
				REQUIRE(!timeline_call(&t, &w.call[i].e, w.call[i].origin));
		}
		REQUIRE(!timeline_flush(&t));
		for (int i = 0; i < PAGES; i++) {
			const struct tl_piece *p = at(&t, AT(i));
			bool open = (p && p->flags & TL_UNKNOWN) || is_doubted(&t, AT(i));

			unknown += open;
			wrong += !open && (p != NULL) != (w.page[i] != FREE);
		}
		n = maps_of(&w, maps);
		REQUIRE(!timeline_settle(&t, maps, n));
		check_order(&t);
		after += differing(&w, &t, false, false);
		for (int i = 0; i < PAGES; i++) {
			const struct tl_piece *p = at(&t, AT(i));

			if (!p || p->origin == ORIGIN_UNKNOWN)
				continue;
			kept++;
			CHECK_INT(p->origin, w.page[i]);
		}
		timeline_free(&t);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(after, 0);
	CHECK(unknown > 1000);
	CHECK(kept > 1000);
}
