/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory cgroup's books: v1, v2 and hybrid, seen through memsrc.
 * Sources: Documentation/admin-guide/cgroup-v2.rst (memory.stat), cgroup-v1/memory.rst.
 */
#ifndef RSSCOPE_PROC_CGROUP_H
#define RSSCOPE_PROC_CGROUP_H

#include "base/err.h"
#include "base/vec.h"
#include "proc/texts.h"

#include <stdbool.h>
#include <stdint.h>

enum cgroup_reclaim { RECLAIM_NO, RECLAIM_YES, RECLAIM_PART };

struct cgroup_row {
	/* As in memory.stat, or the v1 file's name ("kmem", "kmem.tcp"). v1: the value is that of
	 * the total_ line, which counts descendants, as usage does. */
	char name[32];
	uint64_t bytes;
	enum cgroup_reclaim reclaimable;
};

struct cgroup {
	int version;	/* 1 or 2; 0: no memory controller for the process */
	char path[512]; /* as the process names it, "/" when at the root or outside our view */
	char dir[1024]; /* where its books are here; v2: of the nearest ancestor that has any */
	bool has_usage, has_limit, has_effective_limit, has_swap_limit;
	bool has_high, has_working_set;
	uint64_t usage;		  /* memory.current / memory.usage_in_bytes */
	uint64_t limit;		  /* of this cgroup itself; absent: "max" / 2^63 − page */
	uint64_t effective_limit; /* the smallest of it and its ancestors' */
	uint64_t high;		  /* v2: the smallest memory.high of it and its ancestors */
	uint64_t working_set;	  /* usage - inactive_file, as `kubectl top` prints it */
	uint64_t swap_limit;	  /* of swap alone (v1: memsw limit − limit) */
	bool has_stalls, has_high_events;
	uint64_t stalled_percent, stalled_ns, high_events; /* v2; see cgroup_stalls_parse */
	VEC(struct cgroup_row) rows;
	char missing[256];     /* why something is absent; "" when nothing is */
	char no_limit[128];    /* why the limit is not known; "" when it is, or is none */
	char container_id[80]; /* 64 hex digits found in the path, or "" */
};

/* 0 also when there is no memory cgroup (version 0, `missing` says why); -errno when /proc/PID
 * itself can't be read. */
int cgroup_read(const struct proc_texts *m, struct cgroup *out, struct err *e);
void cgroup_free(struct cgroup *c);

/*
 * memory.pressure (Documentation/accounting/psi.rst): of the line "some" the share of the last
 * minute in which at least one task of the cgroup waited for memory (reclaim, swap and page cache
 * that came back, throttling), whole percent rounded down; and all such time since the cgroup was
 * made. False: the text is something else.
 */
bool cgroup_stalls_parse(const char *text, uint64_t *percent, uint64_t *ns);

#endif
