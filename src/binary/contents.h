/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies in a program's file, byte by byte: functions (pclntab; in C by symbols), the parts of
 * pclntab, type descriptors, itabs, embedded files, strings, variables (by symbols), sections.
 *
 * Each thing has a name and a group: its package, or what kind of thing it is ("ELF", "C",
 * "go:embed"). They come in order of address and never overlap: of several rules that name a byte
 * the more special one has it. Bytes that no rule names are in none.
 *
 * Nothing is held of functions and types: memory grows with sections, symbols, itabs and embedded
 * files, each capped. Time is linear in the file.
 */
#ifndef RSSCOPE_BINARY_CONTENTS_H
#define RSSCOPE_BINARY_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "binary/binary.h"

struct bin_contents;

/* A thing that the caller knows of: link-time addresses; strings are borrowed as long as the
 * contents are open. */
struct bin_known {
	uint64_t start, end;
	const char *name, *group;
};

/* What of it could not be told. */
struct bin_gaps {
	bool functions; /* there is no function table, or it can't be read */
	bool module;	/* moduledata was not found: no types, no regions */
	bool symbols;	/* there is no .symtab: variables and C's functions are by section */
};

/* b outlives it. 0 or -errno; what is damaged in the file is no failure, but a gap. */
int bin_contents_open(struct bin *b, const struct bin_known *known, size_t n,
		      struct bin_contents **out);
void bin_contents_close(struct bin_contents *c); /* NULL-safe */
const struct bin_gaps *bin_contents_gaps(const struct bin_contents *c);

/* The next thing's bytes: 1; 0: there is none any more; -errno. A thing may come in several pieces.
 */
int bin_contents_next(struct bin_contents *c, uint64_t *start, uint64_t *end);
/* Whether its name is its own: of a function, a variable, an embedded file. The others have one of
 * a few names, by kind. */
bool bin_contents_has_name(const struct bin_contents *c);
/* Of that one: texts are emptied and filled. 0 or -errno. */
int bin_contents_name(struct bin_contents *c, struct text *name, struct text *group);
/* Back to the first. */
void bin_contents_rewind(struct bin_contents *c);

#endif
