/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot at the beginning and one at the end, and what the two say together. */
#ifndef RSSCOPE_OBSERVE_BRACKET_H
#define RSSCOPE_OBSERVE_BRACKET_H

#include "collect/collect.h"
#include "model/event/event.h"
#include "model/findings/trend.h"

/* All zeros to begin with. */
struct bracket {
	bool has;
	struct report first;
	struct trend live; /* what each cycle left alive */
};

/* Without a first, findings that need two snapshots are not made. */
void bracket_first(struct bracket *b, struct session *s);
void bracket_cycle(struct bracket *b, const struct event_gc *g);

/* As collect_report, with the findings of both. */
int bracket_last(struct bracket *b, struct session *s, const struct collect_opts *co,
		 struct report *out, struct err *e);

/* There is no first any more: safe on a zeroed struct, and twice. */
void bracket_free(struct bracket *b);

#endif
