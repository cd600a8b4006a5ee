/* SPDX-License-Identifier: BSD-2-Clause */
/* What captures hold of profiles. */
#ifndef RSSCOPE_COLLECT_PROFILE_SAVED_H
#define RSSCOPE_COLLECT_PROFILE_SAVED_H

#include "collect/profile_impl.h"

/*
 * While a session is saved (memsrc_tee), after its report: saves what the profiles need that
 * captures hold. The session has a shelf. 0, also when the program has none or has ended meanwhile,
 * which is told when one is asked for; -errno with a text.
 */
int profiles_save(struct session *s, struct err *e);

/* ---- for those who make one */

/* At first: its time, and whether a capture holds it, and all of it. 0; -ENOTSUP with a text;
 * -ENOMEM. */
int profile_saved_open(struct memsrc *m, const struct profile_kind *kind, struct profile *p,
		       struct err *e);

/*
 * Before the memory is read that the profile is made of: what is read after that is all that a
 * capture has of it, in the same order. Contents of objects are not to be among it, strings of the
 * program neither. 0 or -errno.
 */
int profile_saved_begin(struct making *k);

/* A fact that is found by going over the program's whole file: r and *value, which a capture
 * repeats; of a capture it is not to be looked for. 0 or -errno. */
int profile_saved_fact(struct making *k, const char *name, int r, uint64_t *value);

#endif
