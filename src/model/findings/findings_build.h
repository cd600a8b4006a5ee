/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a finding piece by piece: the first failure sticks, finding_end tells. The rules' own. */
#ifndef RSSCOPE_MODEL_FINDINGS_FINDINGS_BUILD_H
#define RSSCOPE_MODEL_FINDINGS_FINDINGS_BUILD_H

#include "base/cleanup.h"
#include "model/report/report.h"

struct finding_build {
	struct finding f;
	bool failed; /* out of memory */
};

/* The id must be static. */
void finding_begin(struct finding_build *b, const char *id, enum severity severity);

/* A whole sentence, with its full stop. */
void finding_say(struct finding_build *b, const char *fmt, ...) PRINTF(2, 3);

void finding_evidence(struct finding_build *b, const char *name, enum unit unit, uint64_t value,
		      const char *source);
/* Nothing when the figure is absent. */
void finding_evidence_opt(struct finding_build *b, const char *name, enum unit unit,
			  struct opt_u64 value, const char *source);

/* One thing to do: a phrase for a list, without a full stop. */
void finding_advise(struct finding_build *b, const char *fmt, ...) PRINTF(2, 3);

/* Bytes that it explains: findings of one severity are told in that order. */
void finding_explains(struct finding_build *b, uint64_t bytes);

/* The command that shows more; arguments with spaces are quoted by the caller. */
void finding_next(struct finding_build *b, const char *fmt, ...) PRINTF(2, 3);

/* Moves it to the list's end. 0 or -ENOMEM. */
int finding_end(struct finding_build *b, finding_vec *to);

#endif
