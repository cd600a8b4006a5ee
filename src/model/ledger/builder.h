/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a ledger comes into being. Pure: no I/O, no clock, no globals.
 *
 * Claims say who owns which bytes. They come in levels; where claims of different levels overlap
 * the higher one owns the bytes (a span inside an arena inside a VMA). Claims of one level must
 * not overlap: the later one loses the common bytes, and `conflict` counts them.
 * The sweep walks the resident ranges once and posts each byte to its owner; what no claim covers
 * is CAT_UNKNOWN. So Σ resident == the bytes of the ranges, by construction and asserted by tests.
 */
#ifndef RSSCOPE_MODEL_LEDGER_BUILDER_H
#define RSSCOPE_MODEL_LEDGER_BUILDER_H

#include "base/range.h"
#include "model/ledger/ledger.h"

enum claim_level {
	LEVEL_VMA,    /* what the kernel's mapping says */
	LEVEL_ORIGIN, /* who asked for a mapping, where the kernel gives it no name */
	LEVEL_OBJECT, /* parts of a mapping: segments of a binary, glibc heaps, thread stacks */
	LEVEL_REGION, /* the Go runtime's regions: arenas, persistent chunks, bitmaps */
	LEVEL_AGAIN,  /* what a second reading of the heap says, for bytes that the first left open
		       */
	LEVEL_PAGES,  /* pages inside a region: free, released, spans, mspan blocks */
	LEVEL_FINE,   /* inside that: page caches, buckets, goroutine stacks */
	LEVEL_OVER,   /* what overrides all: pages that our probes copied */
	LEVEL_COUNT
};

struct claim {
	uint64_t start, end;
	uint32_t row;	   /* index that ledger_row() gave */
	uint8_t level;	   /* enum claim_level */
	uint8_t method;	   /* METHOD_MEASURED unless known only by estimate or the runtime's word */
	uint32_t splitter; /* 0: all bytes are the row's; else handed to the split callback */
	uint32_t seq;	   /* order of adding within the level; ledger_claim() sets it */
};

typedef VEC(struct claim) claim_vec;

/* Divides [start, end), which lies inside claim c, among other rows: calls post(arg, row, bytes)
 * any number of times; what it leaves goes to c->row, what it posts beyond end - start is dropped.
 * Used for object slots within a span, where one claim a slot would be too many. Called for
 * resident, swapped and virtual bytes alike, possibly for parts of a claim: flags (LR_*) tell.
 * Bytes that it divides among several categories count as `split`. */
typedef void ledger_post_fn(void *arg, uint32_t row, uint64_t bytes);
typedef void ledger_split_fn(void *ctx, const struct claim *c, uint64_t start, uint64_t end,
			     uint32_t flags, ledger_post_fn *post, void *arg);

/* What is needed only until the ledger stands. */
struct ledger_builder {
	struct ledger *l;	       /* the value that is made; borrowed */
	const char *image;	       /* of the rows that ledger_row makes; NULL: none. Borrowed */
	claim_vec claims[LEVEL_COUNT]; /* after the sweep: sorted, without overlap */
	VEC(uint32_t) row_hash;	       /* open addressing: row index + 1, 0 for empty */
	uint32_t unknown_row;
};

/* Empties *l, which is to outlive the builder. 0 or -ENOMEM; both are to be freed then, too. */
int ledger_builder_init(struct ledger_builder *b, struct ledger *l);
/* Frees all but the ledger; safe on one that is all zeros. */
void ledger_builder_free(struct ledger_builder *b);

/* Finds or makes a row; *out is its index. 0 or -ENOMEM. */
int ledger_row_of(struct ledger_builder *b, enum category cat, const struct row_id *id,
		  uint32_t *out);
/* The same for a row that its label alone tells, of b->image. */
int ledger_row(struct ledger_builder *b, enum category cat, enum row_kind kind, const char *label,
	       uint32_t *out);

/* Adds a claim; an empty one (start ≥ end) is ignored. 0, -ENOMEM; -EINVAL: no such row or level.
 * Memory: 32 bytes a claim; one that continues the last one of its level is merged into it. */
int ledger_claim(struct ledger_builder *b, enum claim_level level, uint64_t start, uint64_t end,
		 uint32_t row, enum method method, uint32_t splitter);

/* What the sweep runs over. Flags of `pages`: LR_*. All sorted, without overlap. */
enum { LR_RESIDENT = 1, LR_SWAP = 2, LR_HUGE = 4 };
struct ledger_input {
	const struct range *pages;
	size_t npages;
	const struct range *vmas; /* for virtual sizes */
	size_t nvmas;
	uint32_t page_size;	/* bytes: to tell whole pages from shared ones */
	ledger_split_fn *split; /* may be NULL */
	void *split_ctx;
};

/* Sorts the claims, resolves conflicts, sweeps. O((claims + ranges) log). Call once.
 * 0, -ENOMEM; -EINVAL: ranges out of order, or a page size that is no power of two.
 * Leaves uncertainty and pss to the caller. */
int ledger_sweep(struct ledger_builder *b, const struct ledger_input *in);

/*
 * After the sweep, moves resident bytes, `huge` of them on huge pages, from a row to another one of
 * its category, with as much of the virtual size: where counts say more than claims. What is not
 * there stays where it is. Gives how many were moved.
 */
uint64_t ledger_move(struct ledger *l, uint32_t from, uint32_t to, uint64_t resident,
		     uint64_t huge);

/* The owner of one byte after the sweep: its row index (unknown_row when unclaimed). */
uint32_t ledger_owner(const struct ledger_builder *b, uint64_t addr);
/* Likewise, and *end is where another claim begins or this one ends, above addr: for who passes
 * over stretches whose length a file tells. */
uint32_t ledger_owner_to(const struct ledger_builder *b, uint64_t addr, uint64_t *end);

#endif
