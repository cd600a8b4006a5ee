/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the profiler's buckets are read: at a heap that is larger than at any reading before, and
 * within a part of our time. While the heap rises that is at steps of a sixteenth; once it has
 * settled, for a smaller step too, on time that is kept for it.
 */
#ifndef RSSCOPE_OBSERVE_PEAK_PACE_H
#define RSSCOPE_OBSERVE_PEAK_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PEAK_SHARE = 50,	   /* readings take one part in so many of the time at most */
	PEAK_SAVED_NS = 250000000, /* of which so much may be saved up */
	PEAK_STEP = 1 << 20,	   /* bytes */
};

/* All zeros to begin with. */
struct peak_pace {
	uint64_t heap;	  /* the largest that was read, bytes */
	uint64_t cost_ns; /* of the last reading */
	int64_t saved_ns; /* time that readings may take now */
	uint64_t at_ns;	  /* as of */
	bool begun;
};

/* Whether a heap of so many bytes is to be read now. */
bool peak_pace_wants(struct peak_pace *p, uint64_t heap, bool settled, uint64_t now_ns);

/* It was, and took so long. */
void peak_pace_read(struct peak_pace *p, uint64_t heap, uint64_t cost_ns);

#endif
