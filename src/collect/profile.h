/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles of a process that a session keeps open. */
#ifndef RSSCOPE_COLLECT_PROFILE_H
#define RSSCOPE_COLLECT_PROFILE_H

#include "base/err.h"
#include "model/profile/goroutine.h"
#include "model/profile/profile.h"
#include "session/session.h"

/* What can be asked for: a row of the table in profile.c. */
struct profile_kind;

/* NULL: no kind is called so. */
const struct profile_kind *profile_kind_find(const char *name);
/* In the order of the documentation; NULL behind the last. */
const struct profile_kind *profile_kind_at(size_t i);
const char *profile_kind_name(const struct profile_kind *k); /* "heap" */
/* Of what happens in the next seconds, not of what is there: collect_profile does not take it, but
 * observe/cpu.h. */
bool profile_kind_is_sampled(const struct profile_kind *k);

/* An empty profile of that kind: its columns. 0 or -ENOMEM; profile_free in any case. */
int profile_of_kind(const struct profile_kind *k, struct profile *out);

/*
 * Takes it. 0; -ENOTSUP: the program has none, which the text explains; -ESRCH, other -errno.
 * profile_free in any case.
 */
int collect_profile(struct session *s, const struct profile_kind *kind, struct profile *out,
		    struct err *e);

/*
 * Calls fn for each goroutine that is not the runtime's own, in the order in which they were made,
 * with what the runtime's tracebacks show of it; stops at the first value that is not 0, and
 * returns it. Memory does not grow with their number, but for 8 bytes of each. Errors as above.
 */
typedef int goroutine_fn(void *ctx, const struct goroutine *g);
int collect_goroutines(struct session *s, goroutine_fn *fn, void *ctx, struct err *e);

#endif
