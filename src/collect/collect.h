/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at one target: reads in the order that keeps the books together, claims every byte,
 * and fills a report. Nothing here depends on where the facts come from (live, capture, core).
 *
 * Order: identity and binary; finding the runtime; [RSS, faults] metrics, mappings, spans, page
 * map [RSS, faults]; the span table and mappings again for the uncertainty; C's structures and
 * object bits; kernel and cgroup.
 */
#ifndef RSSCOPE_COLLECT_COLLECT_H
#define RSSCOPE_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/range.h"
#include "model/ledger/builder.h"
#include "model/report/report.h"
#include "session/mapbook.h"
#include "session/session.h"

enum { COLLECT_SITES = 3 }; /* the usual number of sites */
/* What the sweep of a ledger ran over. */
struct collect_swept {
	range_vec pages; /* LR_* */
	range_vec vmas;	 /* those that RSS counts; flags 1 */
};
void collect_swept_free(struct collect_swept *s); /* safe on a zeroed struct */
/* A piece of a span whose objects the ledger divides, with the very bits that it is divided by: all
 * pieces together are what the ledger has as go/heap/live and go/heap/new-or-dead. */
struct go_slots;
struct collect_piece {
	const struct session_go *go; /* whose heap it is */
	const struct go_heap *heap;
	const struct go_span *span;
	const struct go_slots *slots;
	uint64_t start, end; /* of the span, or a part of it; in order of address */
	bool resident;
};

/* Who wants the objects. What piece or end return other than 0 ends the snapshot. */
struct collect_objects {
	int (*piece)(void *ctx, const struct collect_piece *p);
	int (*end)(void *ctx); /* after the last; the runtimes are still open */
	void *ctx;
};

struct collect_opts {
	bool profiles; /* collect_once, while it is saved: also what profiles need */
	bool pss;      /* read smaps, after the look, for proportional sizes */
	/* Who stands behind the memory: so many sites (allocation sites, groups of goroutines) of
	 * each category of which it can be told and which makes up more than a quarter of RSS, or,
	 * with all_sites, of all of them. 0: none is looked for. */
	unsigned int sites;
	bool all_sites;
	/* For tests of honesty: the span, or the mapping, that holds this address is hidden from
	 * the ledger. Its bytes must then show as unknown. 0: none. */
	uint64_t hide_span, hide_vma;
	/* What is to be known of each byte, not only of the sums: get the claims, and what they
	 * were held against; to be freed also on failure. NULL: nobody wants them. */
	struct ledger_builder *keep;
	struct collect_swept *swept;
	/* What watching has told: names for anonymous mappings, and the report's origins. */
	struct mappings_known known;
	const struct collect_objects *objects; /* NULL: nobody wants them */
};

/*
 * Fills *out (report_init is done here; the caller frees it also on failure). o is not NULL.
 * 0; -ESRCH the target went away before anything was known; -EACCES, -EPERM not permitted;
 * -errno. A part that can't be had is named in out->missing and sets out->partial, and is not an
 * error.
 */
int collect_report(struct session *s, const struct collect_opts *o, struct report *out,
		   struct err *e);

/* The same of a session that is opened for it: of the process behind m, with what c knows of its
 * binaries (NULL: nothing). */
int collect_once(struct memsrc *m, struct go_cache *c, const struct collect_opts *o,
		 struct report *out, struct err *e);

#endif
