/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles of a process that a session keeps open. */
#ifndef RSSCOPE_COLLECT_PROFILE_H
#define RSSCOPE_COLLECT_PROFILE_H

#include "base/err.h"
#include "model/profile/profile.h"
#include "session/session.h"

enum profile_kind { PROFILE_HEAP, PROFILE_ALLOCS, PROFILE_GOROUTINE, PROFILE_KIND_COUNT };

/* "heap"; -ENOENT: no such kind. */
int profile_kind_parse(const char *name, enum profile_kind *out);
const char *profile_kind_name(enum profile_kind k);

/* What has to be said beside it. */
struct profile_note {
	/* of the heap */
	bool rate_assumed; /* MemProfileRate is not known: Go's default was taken */
	bool moved;	   /* GC cycles ended while it was read: it mixes them */
	uint64_t torn;	   /* buckets that were left out */
	uint64_t samples;  /* sampled objects that the most wanted column rests on */
	uint64_t stacks;   /* that have some of it */
	/* of goroutines */
	uint64_t running; /* whose stacks can't be read */
	uint64_t cut;	  /* whose stacks end where no goroutine begins */
};

/* The same in sentences, those that apply: text[] is filled from the start. How many. */
enum { PROFILE_NOTES_MAX = 4, PROFILE_NOTE_MAX = 160 };
size_t profile_notes(const struct profile *p, const struct profile_note *n,
		     char text[PROFILE_NOTES_MAX][PROFILE_NOTE_MAX]);

/*
 * Takes it. 0; -ENOTSUP: the program has none, which the text explains; -ESRCH, other -errno.
 * profile_free in any case.
 */
int collect_profile(struct session *s, enum profile_kind kind, struct profile *out,
		    struct profile_note *note, struct err *e);

#endif
