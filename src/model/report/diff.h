/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changed from one report (A) to another (B): of one process at two times, or of two
 * processes. Pure: no I/O, no clock. diff(B, A) is diff(A, B) with the signs turned.
 *
 * Σ of the categories' deltas == the delta of rss.scanned, by construction. Where one report has a
 * category whose parts the other could not tell apart (go/heap/objects against live and
 * new-or-dead), both are compared at the coarser one.
 */
#ifndef RSSCOPE_MODEL_REPORT_DIFF_H
#define RSSCOPE_MODEL_REPORT_DIFF_H

#include "model/report/figures.h"

/* A figure in both reports. Figures beyond 2^63 - 1 count as absent, so that a delta is exact. */
struct delta {
	bool has_a, has_b;
	uint64_t a, b;
};

static inline bool delta_known(const struct delta *d)
{
	return d->has_a && d->has_b;
}

/* b - a; meaningless unless known. */
static inline int64_t delta_of(const struct delta *d)
{
	return (int64_t)(d->b - d->a);
}

static inline uint64_t delta_size(const struct delta *d)
{
	return d->a < d->b ? d->b - d->a : d->a - d->b;
}

/* Bytes; always known: what a ledger does not list is 0. */
struct delta_sizes {
	struct delta resident, virtual_, swap, huge;
};

struct diff_cat {
	enum category cat;
	struct delta_sizes s;
	size_t row, nrows; /* rows[row .. row + nrows) are below it */
	bool merged;	   /* its parts were told apart in one report only */
};

struct diff_row {
	enum category cat;
	struct row_id id; /* B's where both have it; of several rows: kind and label alone */
	char *name;	  /* owned */
	struct delta_sizes s;
	bool unexplained;
};

struct diff_item {
	char name[72];
	enum unit unit;
	enum figure_kind kind;
	struct delta v;
};
typedef VEC(struct diff_item) diff_items;

/* Whether two things are one. UNKNOWN: a report does not say. */
enum diff_same { DIFF_UNKNOWN, DIFF_SAME, DIFF_OTHER };

/* Memory that one call stack asked for; always known: what a report does not list is 0 there. */
struct diff_origin {
	const struct report_origin *origin; /* borrowed; B's where both have it */
	struct delta bytes, resident, count;
};

/* Something about the pair that a reader of the figures has to know. */
struct diff_note {
	const char *id; /* static: "process", "host", "kernel", "arch", "page-size", "program",
			   "go-version", "order", "partial-a", "partial-b", "books-a", "books-b",
			   "uncertainty", "origins" */
	char *text;	/* owned: a sentence */
};

struct diff {
	const struct report *a, *b; /* borrowed: they outlive the diff */
	enum diff_same process, host;
	bool has_interval;
	int64_t interval_ns; /* B's time less A's */

	struct delta scanned;
	diff_items rss;			   /* before, after, high_water */
	struct delta unknown, unexplained; /* of the ledger */
	int64_t growth;			   /* of rss.scanned, bytes */
	int64_t explained;		   /* of growth: by categories that are neither unknown nor
					      unexplained; growth less the delta of unexplained */

	VEC(struct diff_cat)
	cats;			   /* largest change first; those that neither report has: left out
				    */
	VEC(struct diff_row) rows; /* by category as in cats, largest change first */
	/* runtime/metrics names, and those of the collector under "gc/": largest change of bytes
	 * first, then of others, then what did not change */
	diff_items metrics;
	struct delta goroutines;
	diff_items by_state;
	diff_items kernel;		 /* figures: page_tables, … */
	diff_items cgroup;		 /* figures: usage, …; then the rows */
	VEC(struct diff_origin) origins; /* when both reports have theirs; largest change first */
	finding_vec findings;
	VEC(struct diff_note) notes;
	bool partial; /* one of the reports is */
};

/* Compares; findings are not made yet. *out is to be freed on failure, too. 0 or -ENOMEM. */
int diff_make(const struct report *a, const struct report *b, struct diff *out);
void diff_free(struct diff *d);

/* Whether both reports are of one process: same host (boot id), pid and start. */
enum diff_same diff_same_process(const struct report *a, const struct report *b);

/* The item of that name, or NULL. */
const struct diff_item *diff_find(const diff_items *v, const char *name);

#endif
