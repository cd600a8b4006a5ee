/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules behind findings_make() and findings_compare(). Each looks at the facts and adds at
 * most one finding; it adds none when a figure that it needs is absent. 0 or -ENOMEM.
 */
#ifndef RSSCOPE_MODEL_FINDINGS_FINDINGS_RULES_H
#define RSSCOPE_MODEL_FINDINGS_FINDINGS_RULES_H

#include "model/report/diff.h"
#include "model/findings/outlook.h"
#include "model/report/report.h"

/* Whether so many bytes are what dominates RSS: LARGE_… in thresholds.h. */
bool is_large_part(const struct report *r, uint64_t bytes);

int rule_gc_headroom_over_limit(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_gomemlimit_missing(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_limit_too_small(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_memory_high(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_heap_retained(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_thp_bloat(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_heap_fragmented(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_gc_garbage(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_gc_pressure(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_lazily_freed(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_live_not_resident(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_allocation_stalls(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_goroutine_stacks(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_dead_goroutines(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_finalizers_stuck(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_profiler_buckets(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_thread_stacks(const struct report *r, const struct outlook *o, finding_vec *out);
int rule_threads_blocked(const struct report *r, const struct outlook *o, finding_vec *out);

int rule_allocation_stalled(const struct diff *d, finding_vec *out);
int rule_go_heap_leak(const struct diff *d, finding_vec *out);
int rule_goroutine_leak(const struct diff *d, finding_vec *out);

#endif
