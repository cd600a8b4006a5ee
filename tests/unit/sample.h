/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports made up for the tests of the outputs, and golden files to hold the outputs against. */
#ifndef RSSCOPE_TEST_SAMPLE_H
#define RSSCOPE_TEST_SAMPLE_H

#include "model/report/report.h"

/* A Go program with cgo in a cgroup with a limit: every field is filled. */
void sample_full(struct report *r);

/* The same with all that says who stands behind the memory. */
void sample_explained(struct report *r);

/* A C program, of which nothing more than the ledger is known. */
void sample_bare(struct report *r);

/* Everything that a target can name, named with bytes that are hostile to terminals and readers. */
void sample_hostile(struct report *r);

/* Adds to the ledger: bytes of a row, of its category, of all that was scanned. Returns the row,
 * borrowed until the next one is added. */
struct ledger_row *sample_hold_id(struct report *r, enum category cat, const struct row_id *id,
				  uint64_t resident, uint64_t virtual);
struct ledger_row *sample_hold(struct report *r, enum category cat, enum row_kind kind,
			       const char *name, uint64_t resident, uint64_t virtual);

/* Adds to the profile of a category, made where there is none; a stack of two frames. Borrowed
 * until the next one is added. */
struct report_site *sample_site(struct report *r, enum category cat, const char *type,
				const char *func, uint64_t bytes, uint64_t count);

/* The JSON of a document of reports: a malloc'ed string. */
char *sample_json(void (*const make[])(struct report *), int n);

/*
 * Compares with tests/golden/NAME (the tests run in the project's root). With UPDATE_GOLDEN in the
 * environment (`make check-unit UPDATE_GOLDEN=1`) it writes the file instead and the test counts as
 * skipped.
 */
void check_golden(const char *name, const char *text);

#endif
