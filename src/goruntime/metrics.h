/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside goruntime/: one reading of the runtime's figures, before they have names. */
#ifndef RSSCOPE_GORUNTIME_METRICS_H
#define RSSCOPE_GORUNTIME_METRICS_H

#include "goruntime/goruntime.h"
#include "goruntime/rd.h"

struct snap {
	const struct go_layout *l;
	uint8_t *mstats, *gcc; /* gcc NULL: there is none, or it was not found */
	size_t nmstats, ngcc;
	uint8_t span[256], cache[256]; /* the two fixallocs */
	size_t nfix;

	/* The heap's sums, bytes: committed = in heap + in stacks + in work buffers + in bitmaps +
	 * free; of what is in the heap, objects = alloc − free. */
	uint64_t committed, released, inheap, instacks, inworkbufs, inptrscalar, tiny;
	uint64_t alloc_bytes, free_bytes, alloc_objects, free_objects;
	bool bad; /* sums that must agree don't: read in the middle of a change */
};

static inline uint64_t snap_mstats(const struct snap *s, enum go_field f)
{
	return get_u64(s->l, f, s->mstats, s->nmstats);
}

static inline uint64_t snap_gcc(const struct snap *s, enum go_field f)
{
	return get_u64(s->l, f, s->gcc, s->ngcc);
}

static inline uint64_t snap_used(const struct snap *s)
{
	return s->inheap + s->instacks + s->inworkbufs + s->inptrscalar;
}

int metrics_add(struct go_metrics *g, const char *name, uint64_t v);
/* Names one that the release has but that can't be had. */
void metrics_absent(struct go_metrics *g, const char *name);

/* metrics_old.c: the heap's sums of 1.15, which has no heapStats: mstats, mcentrals, mcaches. */
int metrics_old_sums(const struct go_runtime *rt, struct snap *s);
/* metrics_gc.c: cycles, goal, live heap, scan sizes, settings. */
int metrics_put_gc(struct go_metrics *g, const struct snap *s);
/* metrics_sched.c: goroutines, threads, the limiter, CPU classes. Unreadable ones are left out. */
int metrics_put_sched(struct go_metrics *g, const struct go_runtime *rt);

#endif
