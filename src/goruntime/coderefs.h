/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The variables that a Go function's code names. Instructions are not decoded one by one: every
 * address that some bytes of the function would name is taken. Who uses them asks for several that
 * fit a structure, or for one that several functions name: chance does not fit.
 */
#ifndef RSSCOPE_GORUNTIME_CODEREFS_H
#define RSSCOPE_GORUNTIME_CODEREFS_H

#include "base/vec.h"
#include "binary/binary.h"

struct code_ref {
	uint64_t addr; /* link-time */
	bool store;    /* 8 bytes are written there */
	bool add;      /* amd64: 8 bytes are added to (add, inc); on arm64 that is a store */
};

struct code_refs {
	VEC(struct code_ref) v; /* sorted by address */
	uint64_t lo, hi;	/* the caller's: only these are taken */
};

/* What the code of that function names of [lo, hi), added to r. text: see binary.h. 0; -ENOENT:
 * there is no such function, or its code is for another architecture than amd64 and arm64; -ENOMEM.
 */
int code_refs_read(struct bin *b, uint64_t text, const char *name, struct code_refs *r);

/* NULL: it is not named. Of several that name it one that writes. */
const struct code_ref *code_refs_find(const struct code_refs *r, uint64_t addr);

#endif
