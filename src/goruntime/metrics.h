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
	uint64_t used;	  /* bytes of objects to the object; 0: not known so exactly */
	uint64_t unpaged; /* bytes that count as released and have no pages in the bitmaps */
	bool bad;	  /* sums that must agree don't: read in the middle of a change */
	bool unmapped; /* what is mapped is not what all have: so it is, too, as long as the kernel
			  takes for an madvise */
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
void metrics_never(struct go_metrics *g, const char *name);
void metrics_early(struct go_metrics *g, const char *name);

/* What every reading must satisfy of counts and structures; of large objects and their bytes. */
bool metrics_are_sane(const struct go_runtime *rt, const struct snap *s);
bool metrics_is_large(uint64_t bytes, uint64_t count);

/* metrics_old.c: the heap's sums of 1.15, which has no heapStats: mstats, mcentrals, mcaches. */
int metrics_old_sums(const struct go_runtime *rt, struct snap *s);
/* metrics_gc.c: cycles, goal, live heap, scan sizes, settings; whether they agree with each other.
 */
bool metrics_gc_agrees(const struct go_runtime *rt, const struct snap *s);
int metrics_put_gc(struct go_metrics *g, const struct go_runtime *rt, const struct snap *s);
/* metrics_sched.c: goroutines, threads, the limiter, CPU classes. Unreadable ones are left out.
 * walk: false for go_counters_read. */
int metrics_put_sched(struct go_metrics *g, const struct go_runtime *rt, bool walk);

#endif
