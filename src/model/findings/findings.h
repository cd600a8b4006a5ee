/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the facts mean: findings with evidence and what to do, and the sentence that opens a
 * report. Pure functions of a report, or of two; silent where the evidence is not there.
 * doc/findings.md lists the ids, what makes each appear, and why.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_FINDINGS_H
#define RSSCOPE_MODEL_FINDINGS_FINDINGS_H

#include "base/text.h"
#include "model/report/report.h"

struct diff;
struct trend;

/* Every id that there is; ends with NULL. */
extern const char *const finding_ids[];

/* Appends what one look shows to r->findings, most severe first. 0 or -ENOMEM. */
int findings_make(struct report *r);

/* Appends what only two looks at one process show to d->findings. 0 or -ENOMEM. */
int findings_compare(struct diff *d);

/* The same of a watch: what the looks at its beginning (A) and its end (B) show is appended to B's
 * own findings, which is `b`. live: what the cycles in between left alive; where that is known and
 * has come to rest, it is no leak. 0 or -ENOMEM. */
int findings_watch(struct diff *d, const struct trend *live, struct report *b);

/* Bytes that the cgroup may still be charged before its effective limit; 0 when it is over it.
 * Absent when there is no limit or it is not known. */
/* What the cgroup meets first: the smaller of its effective limit and memory.high. */
struct opt_u64 findings_limit(const struct report *r);
struct opt_u64 findings_headroom(const struct report *r);

/* Whether it is known that no limit applies: the cgroup's books were read, without one. */
bool findings_unlimited(const struct report *r);

/* One sentence: the most severe finding, then RSS (without a finding: what most of it is) and
 * headroom. No newline.
 * Appended to *out. 0 or -ENOMEM. */
int findings_sentence(const struct report *r, struct text *out);

/* The same of two looks: what grew, and how much of it is explained. */
int findings_diff_sentence(const struct diff *d, struct text *out);

/* "151 s", "12 min", "3 h". Returns buf. */
const char *findings_time(char *buf, size_t n, int64_t ns);

const char *severity_name(enum severity s);
const char *unit_name(enum unit u);

#endif
