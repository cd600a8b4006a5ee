/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the facts of a report mean: findings with evidence, and the sentence that opens a report.
 * Pure functions of the report; silent where the evidence is not there.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_H
#define RSSCOPE_MODEL_FINDINGS_H

#include "base/text.h"
#include "model/report.h"

/* Appends what it finds to r->findings, most severe first. 0 or -ENOMEM. */
int findings_make(struct report *r);

/* Bytes that the cgroup may still be charged before its effective limit; 0 when it is over it.
 * Absent when there is no limit or it is not known. */
struct opt_u64 findings_headroom(const struct report *r);

/* Whether it is known that no limit applies: the cgroup's books were read, without one. */
bool findings_unlimited(const struct report *r);

/* One sentence: the most severe finding or "No finding", then RSS and headroom. No newline.
 * Appended to *out. 0 or -ENOMEM. */
int findings_sentence(const struct report *r, struct text *out);

const char *severity_name(enum severity s);

#endif
