/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger: every resident byte has exactly one owner. A value: categories, the rows below them,
 * and their sums; Σ resident of the categories == scanned. model/ledger/builder.h makes it from
 * claims, in/json_read.h from a document. Pure: no I/O, no clock, no globals.
 */
#ifndef RSSCOPE_MODEL_LEDGER_LEDGER_H
#define RSSCOPE_MODEL_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/ledger/category.h"
#include "model/ledger/row.h"

enum method { METHOD_MEASURED, METHOD_SPLIT, METHOD_RUNTIME, METHOD_ESTIMATED, METHOD_COUNT };
const char *method_name(enum method m);

/* A line below a category: a file, a thread's stack, a glibc arena, a kind of runtime memory. */
struct ledger_row {
	enum category cat;
	struct row_id id;			 /* its label is the end of name */
	char *name;				 /* owned by the ledger: row_name(id) */
	char *image;				 /* owned by the ledger: id.image */
	uint64_t resident, virtual_, swap, huge; /* bytes */
	uint64_t pss;				 /* bytes, valid when has_pss */
	bool has_pss;
	bool unexplained; /* counts into ledger.unexplained (native/mmap without origin, …) */
};

struct ledger_cat {
	uint64_t resident, virtual_, swap, huge, pss, uncertainty;
	uint64_t split;	    /* of resident: bytes on pages that several categories share */
	uint64_t estimated; /* of resident: by claims marked METHOD_ESTIMATED */
	uint64_t runtime;   /* of resident: by claims marked METHOD_RUNTIME */
	bool has_pss;
};

struct ledger {
	struct ledger_cat cat[CAT_COUNT];
	VEC(struct ledger_row) rows;
	uint64_t scanned;     /* Σ resident of the page map */
	uint64_t unexplained; /* unknown + rows marked unexplained */
	uint64_t conflict;    /* bytes claimed more than once at one level, each counted once */
	uint64_t uncertainty;
};

/* Frees the rows; safe on one that is all zeros, which is an empty ledger. */
void ledger_free(struct ledger *l);

/* Appends a row without looking whether there is one like it; *out is its index. 0 or -ENOMEM. */
int ledger_add_row(struct ledger *l, enum category cat, const struct row_id *id, uint32_t *out);

/* How the category's resident bytes are known, taken together: estimated > runtime > split >
 * measured. */
enum method ledger_cat_method(const struct ledger_cat *c);

/* Orders the rows of each category by resident bytes, largest first (virtual, then name, on ties);
 * fills idx[] with row indexes grouped by category. idx has room for l->rows.n. */
void ledger_order(const struct ledger *l, uint32_t *idx);

#endif
