/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside goruntime/: what the steps of finding the runtime share. */
#ifndef RSSCOPE_GORUNTIME_DISCOVER_H
#define RSSCOPE_GORUNTIME_DISCOVER_H

#include "goruntime/facts.h"
#include "goruntime/goruntime.h"

enum {
	SEARCH_SAMPLES = 64, /* spans that a candidate must agree with */
	KNOWN_SAMPLES = 12,  /* of a binary whose layout is known to fit */
	SEARCH_CANDIDATES = 32,
	MAX_PROCS = 1 << 16,
	MAX_LIST = 1 << 17,
	SEQ_VARIABLES = 16, /* of memsrc_pages */
	SEQ_BUCKETS,
};

/* A place that may be the variable; the better has the larger rank. */
struct candidate {
	uint64_t addr, rank;
};
struct candidates {
	struct candidate v[SEARCH_CANDIDATES];
	unsigned int n;
	bool overflow;
};

enum { SEARCH_PLACES = 16 };

static inline void candidate_add(struct candidates *c, uint64_t addr, uint64_t rank)
{
	for (unsigned int i = 0; i < c->n; i++) {
		if (c->v[i].addr != addr)
			continue;
		c->v[i].rank = c->v[i].rank > rank ? c->v[i].rank : rank;
		return;
	}
	if (c->n < SEARCH_CANDIDATES)
		c->v[c->n++] = (struct candidate){ addr, rank };
	else
		c->overflow = true;
}

struct search {
	struct go_runtime *rt;
	const struct maps *maps; /* the caller's, or own once it was read again */
	struct maps own;
	struct bin *b;
	uint64_t pclntab;
	uint64_t bss, ebss; /* zeroed variables that hold pointers */
	const char *why;    /* what the last layout failed on; "" */
	uint64_t steps;	    /* along lists, of this look; see search_step */

	/* When the binary is known: only these words are looked at, sorted. */
	const struct go_facts *known;
	uint64_t place[SEARCH_PLACES];
	unsigned int nplace;

	/* from the span table: addresses of mspans, and of mark bits: of swept spans and of those
	 * that still need it */
	uint64_t span[SEARCH_SAMPLES], markbits[SEARCH_SAMPLES], oldbits[SEARCH_SAMPLES];
	unsigned int nspan, nmark, nold;
	uint64_t in_heap, released; /* the runtime's own sums, to recognise gcController */
	unsigned int mstat_witnesses;
	bool want_buckhash;
	uint32_t numgc;

	struct candidates allp, allm, allgs, chunks, gcbits;
	VEC(uint64_t) ms, ps; /* the address of every m and p */
	uint64_t ngs;	      /* length of allgs */
};

/* Calls fn for each aligned non-zero word in [lo, hi), of a known binary for each place there,
 * until it returns non-zero; gives the word and up to three that follow (zeros past the end). 0,
 * what fn returned, or -errno. */
typedef int word_fn(struct search *s, uint64_t addr, const uint64_t w[4]);
int search_words(struct search *s, uint64_t lo, uint64_t hi, word_fn *fn);

bool search_writable_anon(const struct search *s, uint64_t addr);
bool search_readable(const struct search *s, uint64_t addr, uint64_t len);
/* The heapArena of addr by the runtime's index of arenas (mheap.arenas): addr is memory of the Go
 * heap. 0; -ENOENT it has none; -ENODATA the index is not resident there (swapped out, or nobody
 * has touched it); -errno. After find_heap. */
int search_arena(struct search *s, uint64_t addr, uint64_t *arena);

/* Says what a layout failed on; for `return`. */
static inline int search_refuse(struct search *s, const char *why)
{
	s->why = why;
	return -ENOENT;
}

/*
 * Before the i-th step along a list: whether to take it. Each word of the program's variables may
 * begin a list, and a list may lead back into itself: what all of them take together is bounded.
 */
static inline bool search_step(struct search *s, uint64_t i)
{
	enum { SHORT = 16, STEPS = 8 * MAX_LIST };

	return i < SHORT || (i < MAX_LIST && s->steps++ < STEPS);
}

/* When several places match, none is taken: a wrong address is worse than none. */
static inline void search_take(uint64_t *slot, uint64_t addr)
{
	*slot = *slot ? UINT64_MAX : addr;
}

/* The process goes on between two reads. */
static inline bool search_near(uint64_t a, uint64_t b)
{
	uint64_t d = a > b ? a - b : b - a;

	return d <= (4 << 20) + b / 2;
}

/*
 * The steps, in order. Each gives 0, -ENOENT (this layout does not fit) or another -errno.
 *
 * find_heap.c: moduledata, and with it the range of the variables; mheap_ and memstats; samples.
 */
int find_moduledata(struct search *s);
int find_heap(struct search *s);
int find_samples(struct search *s);

/* find_vars.c: what leads to the heap's own structures, to Ps, Ms and Gs. Leaves candidates. */
int find_vars(struct search *s);
bool is_bits_list(struct search *s, uint64_t head);
/* Whether what lies there can be it; false where the release has none. */
bool fits_gccontroller(struct search *s, uint64_t base);
bool fits_limiter(struct search *s, uint64_t base);
/* find_sched.c: what is recognised by the Ps, Ms and Gs; then the candidates are settled. */
int find_sched(struct search *s);

/* selfcheck.c: what the layout says of the inside of structures, against a sample of them. Refused
 * is one that fails again and again. */
int selfcheck(struct search *s);

/* symbols.c: what the symbol table says, where there is one. Of places that look alike it tells the
 * one. -ENOENT when it contradicts. */
int check_symbols(struct search *s);
/* symbols.c: the places of the initialised data where the file has the stack size that every
 * program starts with; one of them is the variable. */
int find_stack_sizes(struct search *s);

/* find_code.c: bare numbers, by what the code names; noted, for captures keep no code. 0, -ENOMEM.
 */
int find_code(struct search *s);

#endif
