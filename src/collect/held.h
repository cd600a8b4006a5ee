/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Go heap holds at one moment, by allocation site, as the profiler's buckets count it: all
 * that was allocated and is not swept yet. It is kept as addresses and numbers, which are read in
 * milliseconds, and is named later: also when the process has ended.
 */
#ifndef RSSCOPE_COLLECT_HELD_H
#define RSSCOPE_COLLECT_HELD_H

#include "base/err.h"
#include "model/profile/profile.h"
#include "model/report/report.h"
#include "session/session.h"

/* Objects of one size from one call stack. */
struct held_stack {
	uint32_t first, n; /* in held.pc: return addresses, innermost first */
	uint64_t size;	   /* bytes of each */
	uint64_t sampled;  /* objects, not scaled */
};

struct held {
	VEC(uint64_t) pc;
	VEC(struct held_stack) stacks;
	uint64_t rate;	   /* bytes between two samples, on average */
	bool rate_assumed; /* Go's default: the program's own was not found */
	bool moved;	   /* a GC cycle ended while it was read */
	uint64_t torn;	   /* stacks that changed while they were read, and are left out */
	uint64_t left_out; /* stacks for which there is no room */
	uint64_t sampled;  /* objects */
	uint64_t bytes;	   /* that they stand for */
};

/* Addresses that are kept at most: 32 MiB. */
enum { HELD_PCS = 4 << 20 };

/*
 * Reads it, into *out, whose memory is used again. Needs a runtime that s has found, as it is.
 * 0; -ENOTSUP: the program has no heap profile, which the text explains; -ENOENT: its table was not
 * found: a runtime that has just begun has none; -ESRCH; other -errno.
 */
int held_read(struct session *s, struct held *out, struct err *e);
void held_free(struct held *h); /* safe on a zeroed struct, and twice */

/* As a profile: inuse_space, inuse_objects, scaled as runtime/pprof does. s is the session that it
 * was read of, and has names (session_names). 0 or -errno; profile_free in any case. */
int held_profile(struct session *s, const struct held *h, struct profile *out, struct err *e);

/* The sites with most bytes, `rows` at most, of the profile that held_profile has made: into
 * out->rows, with total, its interval, samples and period. 0 or -ENOMEM. */
int held_rows(const struct held *h, const struct profile *p, size_t rows, struct report_peak *out);

#endif
