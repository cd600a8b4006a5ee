/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The profiler's labels of a goroutine (g.labels, runtime/pprof.Do). Sources:
 * runtime/pprof/label.go: a map[string]string up to Go 1.23 (runtime/map.go: hmap, bmap), a sorted
 * list of {key, value} from 1.24 on.
 */
#ifndef RSSCOPE_GORUNTIME_LABELS_H
#define RSSCOPE_GORUNTIME_LABELS_H

#include "goruntime/goruntime.h"

enum { GO_LABELS_MAX = 32, GO_LABEL_MAX = 256, GO_LABELS_TEXT = 4096 };

struct go_label {
	const char *key, *value; /* NUL-terminated; bytes as they are, without NULs */
};

struct go_labels {
	struct go_label v[GO_LABELS_MAX]; /* by key */
	size_t n;
	bool cut; /* there are more, or longer ones: texts end after GO_LABEL_MAX bytes */
	size_t used;
	char text[GO_LABELS_TEXT]; /* of v */
};

/* Reads those at that address, go_stack.labels, into *out, which must stay where it is. 0;
 * -ENODATA, -EFAULT, -EINVAL: they can't be read or make no sense; -ESRCH. */
int go_labels_read(const struct go_runtime *rt, uint64_t addr, struct go_labels *out);

#endif
