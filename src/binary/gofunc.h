/* SPDX-License-Identifier: BSD-2-Clause */
/* pclntab's functions, for the files that read what it says of them. */
#ifndef RSSCOPE_BINARY_GOFUNC_H
#define RSSCOPE_BINARY_GOFUNC_H

#include "binary/internal.h"

enum { /* of _func: entry (8 bytes when wide, else 4), then 4 bytes each */
       FUNC_NAME = 0,
       FUNC_PCSP = 3,
       FUNC_PCFILE = 4,
       FUNC_PCLN = 5,
       FUNC_NPCDATA = 6,
       FUNC_CU = 7,
};

struct gofunc {
	uint64_t entry, end; /* link-time addresses */
	uint64_t at;	     /* of _func in the table */
};

/* n bytes at an offset of the table; -EINVAL outside of it. */
int gofunc_read(const struct bin *b, uint64_t at, void *buf, size_t n);
int gofunc_u32(const struct bin *b, uint64_t at, uint32_t *out);
/* A field (FUNC_*) of the _func at that offset. */
int gofunc_field(const struct bin *b, uint64_t func, unsigned int field, uint32_t *out);

/* Checks that there is a table and finds what its offsets count from: into *text unless that is
 * set. -ENOENT. */
int gofunc_ready(struct bin *b, uint64_t *text);

/* The function that covers pc. -ENOENT. */
int gofunc_find(struct bin *b, uint64_t text, uint64_t pc, struct gofunc *out);

#endif
