/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/metrics.h"

#include <errno.h>
#include <string.h>

static const char *unit_of(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : "";
}

enum unit metric_unit(const char *name)
{
	static const struct {
		const char *name;
		enum unit unit;
	} units[] = {
		{ "bytes", UNIT_BYTES },
		{ "percent", UNIT_PERCENT },
		{ "nanoseconds", UNIT_NS },
		{ "cpu-nanoseconds", UNIT_NS },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (!strcmp(unit_of(name), units[i].name))
			return units[i].unit;
	return UNIT_COUNT;
}

/* Cumulative: true in Go's runtime/metrics/description.go, whatever the unit. */
enum figure_kind metric_kind(const char *name)
{
	static const char *const counters[] = {
		"/cgo/go-to-c-calls:", "/cpu/classes/",	    "/gc/cleanups/",
		"/gc/cycles/",	       "/gc/finalizers/",   "/gc/heap/allocs:",
		"/gc/heap/frees:",     "/gc/heap/tiny/",    "/gc/pauses:",
		"/sched/pauses/",      "/sched/latencies:", "/sched/goroutines-created:",
		"/sync/mutex/wait/",
	};

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		if (!strncmp(name, counters[i], strlen(counters[i])))
			return FIGURE_COUNTER;
	return FIGURE_GAUGE;
}

/* As client_golang fills MemStats from runtime/metrics; sums of several are not here. */
static const char *memstats(const char *name)
{
	static const struct {
		const char *metric, *name;
	} same[] = {
		{ "/gc/heap/allocs:bytes", "alloc_bytes_total" },
		{ "/gc/heap/goal:bytes", "next_gc_bytes" },
		{ "/gc/heap/objects:objects", "heap_objects" },
		{ "/memory/classes/heap/objects:bytes", "heap_alloc_bytes" },
		{ "/memory/classes/heap/released:bytes", "heap_released_bytes" },
		{ "/memory/classes/heap/stacks:bytes", "stack_inuse_bytes" },
		{ "/memory/classes/metadata/mcache/inuse:bytes", "mcache_inuse_bytes" },
		{ "/memory/classes/metadata/mspan/inuse:bytes", "mspan_inuse_bytes" },
		{ "/memory/classes/metadata/other:bytes", "gc_sys_bytes" },
		{ "/memory/classes/other:bytes", "other_sys_bytes" },
		{ "/memory/classes/profiling/buckets:bytes", "buck_hash_sys_bytes" },
		{ "/memory/classes/total:bytes", "sys_bytes" },
	};

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (!strcmp(name, same[i].metric))
			return same[i].name;
	return NULL;
}

int metric_prometheus(const char *name, struct text *out)
{
	const char *known = memstats(name), *unit = unit_of(name), *nano = strstr(unit, "nano");
	size_t from = out->n;
	int rc;

	if (name[0] != '/' || !*unit)
		return -EINVAL;
	if (known)
		return text_printf(out, "go_memstats_%s", known);
	if (!strcmp(name, "/sched/goroutines:goroutines"))
		return text_printf(out, "go_goroutines");
	rc = text_printf(out, "go%.*s_%.*s%s%s", (int)(unit - 1 - name), name,
			 nano ? (int)(nano - unit) : (int)strlen(unit), unit,
			 nano ? nano + strlen("nano") : "",
			 metric_kind(name) == FIGURE_COUNTER ? "_total" : "");
	for (size_t i = from; !rc && i < out->n; i++)
		if (strchr("/-", out->p[i]))
			out->p[i] = '_';
	return rc;
}
