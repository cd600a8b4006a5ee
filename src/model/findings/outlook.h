/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes next, from one look: how far the resident set and the cgroup's charge go when the
 * heap grows to the collector's goal, and the least that collecting could bring them to.
 *
 * Measured figures are only added to each other and to differences of the runtime's own figures,
 * never scaled. What that assumes is in doc/findings.md.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_OUTLOOK_H
#define RSSCOPE_MODEL_FINDINGS_OUTLOOK_H

#include "model/report/report.h"

struct outlook {
	/* Resident bytes of the ledger. */
	uint64_t heap;	     /* go/heap and all below it */
	uint64_t in_go;	     /* go and all below it but thread stacks: what GOMEMLIMIT governs */
	uint64_t kept;	     /* go/heap/free */
	bool has_heap;	     /* the heap is broken down: heap and what follows mean something */
	uint64_t used;	     /* of heap: objects, live or not */
	struct opt_u64 live; /* of used: what the last completed cycle marked; absent before one */

	/* The runtime's word. unbounded: no goal, the collector is off and no GOMEMLIMIT is set. */
	bool unbounded;
	struct opt_u64 goal, objects; /* bytes of objects: at the end of this cycle, and now */
	struct opt_u64 to_goal;	      /* goal - objects, 0 when beyond it */

	/* At the goal: `used` has grown by to_goal, into what the heap holds free and resident
	 * first; all else is as now. */
	struct opt_u64 growth;	    /* resident bytes on top of today's */
	struct opt_u64 rss_at_goal; /* scanned + growth */
	struct opt_u64 idle;	    /* of heap: what it will not need at the goal either */

	/* The memory cgroup. */
	struct opt_u64 limit, usage;
	struct opt_u64 reclaimable;    /* of usage: page cache and slab that the kernel can drop */
	struct opt_u64 firm;	       /* usage - reclaimable */
	struct opt_u64 charge_at_goal; /* firm + growth */
	/* firm less what collecting can free at most: all of the heap but `live`. */
	struct opt_u64 floor;
};

/* What can't be known stays absent. Pure. */
void outlook_of(const struct report *r, struct outlook *out);

/* "go1.19.8" → 19; −1 when it is no release of Go 1. */
int outlook_go_minor(const char *version);

#endif
