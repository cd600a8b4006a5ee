/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look at one target: reads in the order that keeps the books together, claims every byte,
 * and fills a report. Nothing here depends on where the facts come from (live, capture, core).
 *
 * Order: identity and binary; finding the runtime; [RSS, faults] metrics, mappings, spans, page
 * map [RSS, faults]; the span table and mappings again for the uncertainty; C's structures and
 * object bits; kernel and cgroup.
 */
#ifndef RSSCOPE_COLLECT_COLLECT_H
#define RSSCOPE_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/ledger/builder.h"
#include "model/report/report.h"
#include "session/mapbook.h"
#include "session/session.h"

struct collect_opts {
	bool pss;      /* read smaps, after the look, for proportional sizes */
	bool profiles; /* collect_once, while it is saved: also what profiles need */
	/* For tests of honesty: the span, or the mapping, that holds this address is hidden from
	 * the ledger. Its bytes must then show as unknown. 0: none. */
	uint64_t hide_span, hide_vma;
	struct ledger_builder *keep; /* for them, too: gets the claims, to be freed; or NULL */
	/* What watching has told: names for anonymous mappings, and the report's origins. */
	struct mappings_known known;
};

/*
 * Fills *out (report_init is done here; the caller frees it also on failure). o is not NULL.
 * 0; -ESRCH the target went away before anything was known; -EACCES, -EPERM not permitted;
 * -errno. A part that can't be had is named in out->missing and sets out->partial, and is not an
 * error.
 */
int collect_report(struct session *s, const struct collect_opts *o, struct report *out,
		   struct err *e);

/* The same of a session that is opened for it: of the process behind m, with what c knows of its
 * binaries (NULL: nothing). */
int collect_once(struct memsrc *m, struct go_cache *c, const struct collect_opts *o,
		 struct report *out, struct err *e);

#endif
