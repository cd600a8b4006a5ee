/* SPDX-License-Identifier: BSD-2-Clause */
/* What a row of the ledger is of, as a value; what is printed is made from it, never the reverse.
 */
#ifndef RSSCOPE_MODEL_LEDGER_ROW_H
#define RSSCOPE_MODEL_LEDGER_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum row_kind { ROW_FILE, ROW_THREAD, ROW_ARENA, ROW_ORIGIN, ROW_TYPE, ROW_KIND_COUNT };
const char *row_kind_name(enum row_kind k);

/*
 * Two rows of a category are one when their ids are equal. What does not apply is 0 or NULL.
 *   file     label: its path
 *   thread   tid, label: its name; or label alone: what is known of threads that cannot be named
 *   arena    start: the address of the arena; or label alone
 *   origin   start, end: a mapping that nothing names; or label: the function, a name of the kernel
 *   type     label: the kind of runtime memory
 * image: the file of the Go runtime that it belongs to, where there are several.
 */
struct row_id {
	enum row_kind kind;
	const char *label; /* borrowed */
	const char *image; /* borrowed */
	int32_t tid;
	uint64_t start, end;
};

/* The label, in go/heap/released, of what the kernel takes as soon as it needs memory. */
#define ROW_LAZILY_FREED "lazily freed"

static inline struct row_id row_labelled(enum row_kind kind, const char *label)
{
	return (struct row_id){ .kind = kind, .label = label };
}

static inline struct row_id row_thread(int32_t tid, const char *name)
{
	return (struct row_id){ .kind = ROW_THREAD, .label = name, .tid = tid };
}

static inline struct row_id row_arena(uint64_t start)
{
	return (struct row_id){ .kind = ROW_ARENA, .start = start };
}

static inline struct row_id row_mapping(uint64_t start, uint64_t end)
{
	return (struct row_id){ .kind = ROW_ORIGIN, .start = start, .end = end };
}

static inline bool row_is_mapping(const struct row_id *id)
{
	return id->kind == ROW_ORIGIN && id->end;
}

/* What people read: "thread 12 worker", "thread arena 7f0000000000". A label is always the end of
 * it. Appended to *out. 0 or -ENOMEM. */
int row_name(const struct row_id *id, struct text *out);

/* What it is called where images are not told beside it: "objects, libb.so". name: its row_name.
 * Appended to *out. */
int row_name_with_image(const struct row_id *id, const char *name, struct text *out);

/* The same of all rows that only addresses and thread ids set apart, which mean nothing in another
 * process: "threads worker", "thread arenas". */
int row_name_of_all(const struct row_id *id, struct text *out);

/* Order: by kind, thread, addresses, label, image. 0: equal. */
int row_compare(const struct row_id *a, const struct row_id *b);
uint64_t row_hash(const struct row_id *id);

#endif
