/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the names of runtime/metrics say: the figures under go.metrics, whose names are Go's. Times
 * are nanoseconds here ("…:cpu-nanoseconds" for Go's "…:cpu-seconds"), so that they are integers.
 */
#ifndef RSSCOPE_MODEL_REPORT_METRICS_H
#define RSSCOPE_MODEL_REPORT_METRICS_H

#include "model/report/figures.h"

/* By what stands behind the colon; UNIT_COUNT for what has no unit of its own (objects, calls). */
enum unit metric_unit(const char *name);

/* FIGURE_COUNTER for those that runtime/metrics calls cumulative. */
enum figure_kind metric_kind(const char *name);

/*
 * The name under which client_golang shows it: that of MemStats where both mean the same bytes
 * ("go_memstats_sys_bytes"), else made from Go's by its rule ("go_gc_heap_live_bytes"). In the base
 * unit: seconds for what is nanoseconds here. Appended to *out. 0, -ENOMEM; -EINVAL: no name of a
 * metric.
 */
int metric_prometheus(const char *name, struct text *out);

#endif
