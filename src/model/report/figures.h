/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The figures of a report in one table: where each stands in JSON, what it measures, how others
 * call it, where it lives in struct report. Writing and reading JSON, and comparing, run over it: a
 * new figure is a line in figures.c (and in report.schema.json, which a test holds against it).
 */
#ifndef RSSCOPE_MODEL_REPORT_FIGURES_H
#define RSSCOPE_MODEL_REPORT_FIGURES_H

#include "model/report/report.h"

enum figure_kind {
	FIGURE_GAUGE,	/* goes up and down */
	FIGURE_COUNTER, /* only grows while the process lives */
	FIGURE_FACT,	/* of the host, or of this snapshot alone: comparing it says nothing */
};

struct figure {
	const char *path; /* JSON path below reports[]: "go.gc.goal" */
	enum unit unit;
	enum figure_kind kind;
	bool has_minus_one;	/* -1 has a meaning of its own; else never negative */
	const char *prometheus; /* client_golang's name, in its base unit; NULL: it has none */
	/* One of the two: where it is kept, or how it comes from what is kept. */
	size_t offset; /* of a struct opt_u64 in struct report */
	struct opt_u64 (*get)(const struct report *r);
	void (*set)(struct report *r, uint64_t v); /* beside get: it is kept all the same */
};

/* In the order of print. */
extern const struct figure figures[];
extern const size_t figures_count;

/* Of figures with has_minus_one: two's complement. */
struct opt_u64 figure_get(const struct report *r, const struct figure *f);

/* Whether it is kept, and so can be read back; otherwise it follows from what is. */
bool figure_is_kept(const struct figure *f);
void figure_set(struct report *r, const struct figure *f, uint64_t v); /* of one that is kept */

/* Its key, when it stands right in that object ("go.gc"; "": the report itself), or NULL. */
const char *figure_key(const struct figure *f, const char *object);

/* Whether a report knows any figure that stands right in that object. */
bool figures_any(const struct report *r, const char *object);

#endif
