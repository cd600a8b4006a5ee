/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot at the beginning and one at the end, and what the two say together. */
#ifndef RSSCOPE_OBSERVE_BRACKET_H
#define RSSCOPE_OBSERVE_BRACKET_H

#include "collect/collect.h"
#include "model/event/event.h"
#include "model/findings/trend.h"

/* All zeros to begin with. */
struct bracket {
	struct memsrc *m; /* of the session; NULL: there is none */
	struct session session;
	bool has;
	struct report first;
	struct trend live; /* what each cycle left alive */
};

/* shelf is borrowed, may be NULL. Without a first, findings that need two snapshots are not made.
 */
void bracket_first(struct bracket *b, pid_t pid, struct shelf *shelf, struct go_cache *c);
void bracket_cycle(struct bracket *b, const struct event_gc *g);

/* As collect_report, with the findings of both: from the session of the first, or after an exec
 * from one that is opened for it, as collect_once does. */
int bracket_last(struct bracket *b, struct memsrc *m, struct go_cache *c,
		 const struct collect_opts *co, struct report *out, struct err *e);
void bracket_free(struct bracket *b);

#endif
