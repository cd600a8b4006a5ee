/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timeline against brute force: a history of several threads with a true order is made up,
 * page by page; the calls get intervals around their true moments that agree with what programs
 * can do, are shuffled, and replayed.
 */
#include "model/timeline/timeline.h"
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
	uint64_t moment, key, length;
	uint32_t origin, name;
	bool drop;
};

/* What is on a page besides its origin. */
struct what {
	uint32_t prot; /* TL_R, TL_W, TL_X */
	uint32_t name;
	int segment; /* number of its attachment, 0: none */
};

/* A history under way. Origins: ORIGIN_FIRST + index of the call. */
struct world {
	uint64_t rng, now;
	uint32_t page[PAGES]; /* origin; 0: free; ORIGIN_BEFORE + 1 … see own() */
	struct what what[PAGES];
	int segments;		 /* attached so far */
	int owner[PAGES];	 /* thread that may use it */
	uint64_t known[PAGES];	 /* exit of the call that last changed it */
	uint64_t ready[THREADS]; /* exit of the thread's last call */
	uint64_t brk_ready;
	int brk; /* page */
	uint64_t spread;
	bool wild;	       /* threads touch what is not theirs */
	struct timeline *late; /* gets the maps as they are in the middle; or NULL */
	struct call call[CALLS_MAX];
	size_t n;
};

enum { FREE = UINT32_MAX };

static uint64_t below(struct world *w, uint64_t n)
{
	return test_random(&w->rng) % n;
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
		w->what[i] = (struct what){ TL_R | TL_W, 0, 0 };
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

static uint64_t random_prot(struct world *w, uint32_t *flags)
{
	static const uint32_t flag[] = { 0, TL_R, TL_W, TL_R | TL_W, TL_X, TL_R | TL_X };
	uint64_t prot = below(w, 6);

	*flags = flag[prot];
	return prot;
}

static void do_map(struct world *w, int thread)
{
	uint32_t prot;
	int pages = 1 + below(w, 8), at = find_room(w, pages);
	struct event_call *c;

	if (at < 0)
		return;
	c = make(w, thread, CALL_MMAP, 0);
	c->args[1] = pages * PAGE - below(w, 2) * 100;
	c->args[3] = 0x22;
	if (!below(w, 4)) { /* there and nowhere else, without replacing anything */
		c->args[0] = AT(at);
		c->args[3] |= 0x100000 | (below(w, 2) ? 0x10 : 0);
	}
	c->args[2] = random_prot(w, &prot);
	c->ret = AT(at);
	/* now and then for all: another thread unmaps it */
	set(w, at, pages, below(w, 4) ? thread : -1, w->call[w->n - 1].origin);
	for (int i = at; i < at + pages; i++)
		w->what[i].prot = prot;
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
	c->args[2] = 3;
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
	struct what was[PAGES], like;
	bool grows, stays;

	for (k = 0; at >= 0 && k < pages; k++)
		if (w->page[at + k] == FREE || w->what[at + k].segment)
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
	stays = to != at && want == pages && !below(w, 3);
	c->args[3] = stays ? 5 : 1; /* MREMAP_DONTUNMAP */
	c->ret = AT(to);
	memcpy(old, &w->page[at], pages * sizeof(*old));
	memcpy(was, &w->what[at], pages * sizeof(*was));
	like = was[pages - 1];
	if (!stays)
		set(w, at, pages, -1, FREE);
	for (k = at; k < at + pages; k++) /* nobody unmaps it meanwhile */
		w->known[k] = w->ready[thread];
	for (k = 0; k < want; k++) {
		set(w, to + k, 1, thread, k < pages ? old[k] : w->call[w->n - 1].origin);
		w->what[to + k] = k < pages ? was[k] : like;
	}
}

static void do_protect(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since);
	struct event_call *c;
	uint32_t prot;

	if (at < 0)
		return;
	for (int k = 0; k < pages; k++)
		if (w->page[at + k] == FREE)
			return;
	c = make(w, thread, below(w, 4) ? CALL_MPROTECT : CALL_PKEY_MPROTECT, since);
	c->args[0] = AT(at);
	c->args[1] = pages * PAGE;
	c->args[2] = random_prot(w, &prot);
	for (int k = at; k < at + pages; k++) {
		w->what[k].prot = prot;
		w->known[k] = w->call[w->n - 1].e.exit_ns;
	}
}

static void do_name(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since);
	struct event_call *c;

	if (at < 0)
		return;
	for (int k = 0; k < pages; k++)
		if (w->page[at + k] == FREE)
			return;
	c = make(w, thread, CALL_PRCTL, since);
	c->args[0] = EVENT_PR_SET_VMA;
	c->args[2] = AT(at);
	c->args[3] = pages * PAGE;
	w->call[w->n - 1].name = below(w, 4);
	for (int k = at; k < at + pages; k++) {
		w->what[k].name = w->call[w->n - 1].name;
		w->known[k] = w->call[w->n - 1].e.exit_ns;
	}
}

static void do_advise(struct world *w, int thread)
{
	uint64_t since;
	int pages, at = pick(w, thread, &pages, &since);
	struct event_call *c;

	if (at < 0)
		return;
	c = make(w, thread, CALL_MADVISE, since);
	c->args[0] = AT(at);
	c->args[1] = pages * PAGE;
	c->args[2] = 4;
}

/* A segment comes whole; others may unmap, and map over, parts of it; what is left goes at once,
 * by the thread that all of that belongs to. */
static void do_attach(struct world *w, int thread)
{
	int pages = 2 + below(w, 6), at = find_room(w, pages), mode = below(w, 3);
	struct event_call *c;

	/* not where a part of another one is left: which one goes at shmdt is up to what lies in
	 * front of it */
	for (int k = at; k >= 0 && k < PAGES; k++)
		if (w->page[k] != FREE && w->what[k].segment &&
		    k - (w->what[k].segment & 0xff) == at)
			at = -1;
	if (at < 0)
		return;
	c = make(w, thread, CALL_SHMAT, 0);
	c->args[0] = 7;
	c->args[2] = mode ? mode == 1 ? 010000 : 0100000 : 0;
	c->ret = AT(at);
	w->call[w->n - 1].length = pages * PAGE - below(w, 2) * 100;
	set(w, at, pages, thread, w->call[w->n - 1].origin);
	w->segments++;
	for (int k = at; k < at + pages; k++)
		w->what[k] = (struct what){ TL_R | (mode == 1 ? 0 : TL_W) | (mode == 2 ? TL_X : 0),
					    0, w->segments << 8 | (k - at) };
}

static void do_detach(struct world *w, int thread)
{
	int first = below(w, PAGES - HEAP), base = -1, id = 0;
	struct event_call *c;
	uint64_t since = 0;

	for (int i = 0; i < PAGES - HEAP && base < 0; i++) {
		int k = (first + i) % (PAGES - HEAP);

		id = w->what[k].segment >> 8;
		if (w->page[k] != FREE && id)
			base = k - (w->what[k].segment & 0xff);
	}
	for (int k = 0; base >= 0 && k < PAGES; k++) {
		if (w->page[k] == FREE || w->what[k].segment >> 8 != id)
			continue;
		if (!w->wild &&
		    ((w->owner[k] != thread && w->owner[k] >= 0) || w->known[k] >= w->now))
			return;
		since = w->known[k] > since ? w->known[k] : since;
	}
	if (base < 0)
		return;
	c = make(w, thread, CALL_SHMDT, since);
	c->args[0] = AT(base);
	for (int k = 0; k < PAGES; k++)
		if (w->page[k] != FREE && w->what[k].segment >> 8 == id)
			set(w, k, 1, -1, FREE);
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

/* As mapbook.c reads them: a segment is what is left of it, from its first page on. */
static void read_middle(const struct world *w, struct timeline *t)
{
	timeline_set_read(t, w->now);
	timeline_set_brk(t, AT(w->brk));
	for (int i = 0; i < PAGES; i++)
		if (w->page[i] != FREE)
			REQUIRE(!timeline_add(t, AT(i), AT(i + 1),
					      w->what[i].prot |
						      (w->what[i].segment ? TL_SEGMENT : 0)));
	for (int i = 0, end; i < PAGES; i++) {
		int s = w->what[i].segment;

		if (w->page[i] == FREE || !s || s & 0xff)
			continue;
		for (end = i + 1;
		     end < PAGES && w->page[end] != FREE && w->what[end].segment == s + (end - i);
		     end++)
			;
		REQUIRE(!timeline_add_segment(t, AT(i), AT(end)));
	}
}

static void history(struct world *w, uint64_t seed, size_t calls, uint64_t spread, bool wild,
		    struct timeline *t)
{
	/* what threads that race do comes first */
	static void (*const step[])(struct world *, int) = { do_map,	 do_map,    do_unmap,
							     do_unmap,	 do_remap,  do_overlay,
							     do_protect, do_name,   do_advise,
							     do_brk,	 do_attach, do_detach };
	size_t steps = sizeof(step) / sizeof(step[0]) - 2 * wild;

	*w = (struct world){ .rng = seed, .spread = spread, .late = w->late };
	w->wild = wild;
	w->now = 1000000;
	for (int i = 0; i < PAGES; i++)
		w->page[i] = FREE;
	for (int i = 0; i < 20; i++) {
		int at = below(w, PAGES - HEAP);

		if (w->page[at] != FREE)
			continue;
		w->page[at] = ORIGIN_BEFORE;
		w->what[at].prot = TL_R;
		w->owner[at] = -1;
		REQUIRE(!timeline_add(t, AT(at), AT(at + 1), TL_ANON | TL_R));
	}
	w->brk = PAGES - HEAP;
	timeline_set_brk(t, AT(w->brk));
	for (int tries = 0; w->n < calls && tries < 100000; tries++) {
		int thread = below(w, THREADS);

		w->now += 1 + below(w, 20);
		if (w->late && w->n == calls / 2) {
			read_middle(w, w->late);
			w->late = NULL;
		}
		/* never two of a thread at once */
		if (w->ready[thread] < w->now)
			step[below(w, steps)](w, thread);
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
			r[n++] = (struct range){ AT(i), AT(i + 1), TL_ANON | w->what[i].prot };
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
			wrong = p->origin != w->page[i] || p->name != w->what[i].name ||
				!(p->flags & TL_SEGMENT) != !w->what[i].segment;
		if (p && origins && !wrong && !(p->flags & TL_PROT_OPEN))
			wrong = (p->flags & TL_PROT) != w->what[i].prot;
		if (wrong && (!doubtful || !is_doubted(t, AT(i))))
			n++;
	}
	return n;
}

/* Pages whose protection is said to be another one than it is. */
static int protected_wrong(const struct world *w, const struct timeline *t)
{
	int n = 0;

	for (int i = 0; i < PAGES; i++) {
		const struct tl_piece *p = at(t, AT(i));

		if (p && w->page[i] != FREE && !(p->flags & (TL_PROT_OPEN | TL_UNKNOWN)) &&
		    !is_doubted(t, AT(i)))
			n += (p->flags & TL_PROT) != w->what[i].prot;
	}
	return n;
}

static int deliver(struct timeline *t, const struct call *c)
{
	const struct timeline_more more = { c->origin, c->name, c->length };

	return timeline_call(t, &c->e, &more);
}

static int pages_open(const struct timeline *t)
{
	int n = 0;

	for (size_t i = 0; i < t->pieces.n; i++)
		if (t->pieces.v[i].flags & TL_PROT_OPEN)
			n += (t->pieces.v[i].end - t->pieces.v[i].start) / PAGE;
	return n;
}

static void replay(struct world *w, struct timeline *t)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->call[i].drop)
			REQUIRE(!deliver(t, &w->call[i]));
	REQUIRE(!timeline_flush(t));
	check_order(t);
}

/* Whatever overlaps: programs that use what they were given leave nothing open. */
TEST(timeline_is_the_truth)
{
	static struct world w;
	uint64_t reordered = 0;
	int wrong = 0, ambiguous = 0, unseen = 0, open = 0;

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
		open += pages_open(&t);
		reordered += t.n.reordered;
		CHECK_INT(t.n.lost + t.n.overflows, 0);
		timeline_free(&t);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(ambiguous, 0);
	CHECK_INT(unseen, 0);
	CHECK(open < 4000);	  /* protections that a call at the same time might have changed */
	CHECK(reordered > 10000); /* the test does make them overlap */
}

/* The maps are read when some of the calls have long been made: all are given all the same. */
TEST(timeline_read_late)
{
	static struct world w;
	int wrong = 0, unseen = 0, protection = 0;

	for (uint64_t seed = 1; seed <= 4000; seed++) {
		static const uint64_t spread[] = { 5, 50, 400, 3000 };
		struct timeline t, late;

		REQUIRE(!timeline_init(&t, PAGE) && !timeline_init(&late, PAGE));
		w.late = &late;
		history(&w, seed, 100 + seed % 300, spread[seed % 4], false, &t);
		w.late = NULL;
		shuffle(&w);
		replay(&w, &late);
		wrong += differing(&w, &late, false, false) != 0;
		protection += protected_wrong(&w, &late);
		unseen += late.ghosts.n != 0;
		timeline_free(&t);
		timeline_free(&late);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(protection, 0);
	CHECK_INT(unseen, 0);
}

/* An unmapping that never came is no answer for one that begins after its successor was there. */
TEST(timeline_segment_again)
{
	static const struct call calls[] = {
		{ { .type = EVENT_CALL,
		    .enter_ns = 10,
		    .exit_ns = 20,
		    .call = { .call = CALL_SHMAT, .ret = AT(0) } },
		  .length = 5 * PAGE,
		  .origin = ORIGIN_FIRST },
		{ { .type = EVENT_CALL,
		    .enter_ns = 30,
		    .exit_ns = 40,
		    .call = { .call = CALL_SHMAT, .ret = AT(0) } },
		  .length = 5 * PAGE,
		  .origin = ORIGIN_FIRST + 1 },
		{ { .type = EVENT_CALL,
		    .enter_ns = 50,
		    .exit_ns = 60,
		    .call = { .call = CALL_MMAP,
			      .args = { AT(0), PAGE, 1, 0x32, -1 },
			      .ret = AT(0) } },
		  .origin = ORIGIN_FIRST + 2 },
		{ { .type = EVENT_CALL,
		    .enter_ns = 70,
		    .exit_ns = 80,
		    .call = { .call = CALL_SHMDT, .args = { AT(0) } } },
		  .length = 0 },
	};
	struct timeline t;

	REQUIRE(!timeline_init(&t, PAGE));
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		REQUIRE(!deliver(&t, &calls[i]));
	REQUIRE(!timeline_flush(&t));
	REQUIRE(t.pieces.n == 1);
	CHECK(t.pieces.v[0].start == AT(0) && t.pieces.v[0].end == AT(1));
	CHECK_INT(t.pieces.v[0].origin, ORIGIN_FIRST + 2);
	timeline_free(&t);
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
	int wrong = 0, after = 0, protection = 0;

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct range maps[PAGES];
		struct timeline t;

		REQUIRE(!timeline_init(&t, PAGE));
		history(&w, seed, 100 + seed % 300, seed % 2 ? 30 : 500, true, &t);
		shuffle(&w);
		replay(&w, &t);
		wrong += differing(&w, &t, false, true);
		protection += protected_wrong(&w, &t);
		REQUIRE(!timeline_settle(&t, maps, maps_of(&w, maps)));
		check_order(&t);
		after += differing(&w, &t, false, false);
		ambiguous += t.n.ambiguous;
		settled += t.n.settled;
		timeline_free(&t);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(after, 0);
	CHECK(protection < 100); /* of 192,000 pages */
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
	case CALL_MPROTECT:
	case CALL_PKEY_MPROTECT:
		r = timeline_lost(t, a[0], a[0] + a[1], ns);
		break;
	case CALL_SHMAT:
	case CALL_SHMDT:
		r = timeline_lost(t, 0, UINT64_MAX, ns);
		break;
	case CALL_PRCTL:
	case CALL_MADVISE:
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
				REQUIRE(!deliver(&t, &w.call[i]));
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
		after += differing(&w, &t, false, false) + protected_wrong(&w, &t);
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
