/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside binary/: who finds what of a program's contents. See contents.h. */
#ifndef RSSCOPE_BINARY_PARTS_H
#define RSSCOPE_BINARY_PARTS_H

#include "binary/contents.h"
#include "binary/internal.h"

/* Something that lies at [start, end), link-time addresses. */
struct part {
	uint64_t start, end;
	const char *name, *group; /* static, or the caller's; name NULL: it is in the file, at */
	uint64_t name_off;	  /* this offset, */
	uint32_t name_len;	  /* of so many bytes */
};
typedef VEC(struct part) part_vec;

/* Sorts by start, cuts what overlaps: the first of them keeps the bytes. */
void parts_settle(part_vec *v);

/* embed.c: files of embed.FS variables (Go 1.16 on) and the tables of these. 0 or -errno; what
 * makes no sense is no table. */
int embed_find(struct bin *b, part_vec *out);

/* itabs.c: the method tables of interfaces. The same. */
int itabs_find(struct bin *b, const struct module *m, part_vec *out);

/* marks.c: what moduledata and the header of pclntab tell, and the linker's own symbols where there
 * are some; sorted, apart. types_end: where the last type descriptor ends, 0 not known. */
int marks_find(struct bin *b, const struct module *m, uint64_t types_end, part_vec *out);
/* What is variables and constants, by kind alone: for programs without symbols. */
int regions_find(struct bin *b, const struct module *m, part_vec *out);

/* types.c: type descriptors, one after another. */
struct type_walk {
	struct bin *b;
	uint64_t base, limit; /* of names; descriptors lie in [base, end) */
	uint64_t at, end;
	uint64_t quiet; /* bytes without a descriptor after which there are no more; 0: no such */
	uint64_t last;	/* where the last one that was found ends; 0: none was */
	unsigned int map_size;
	uint64_t win; /* address of the bytes in buf */
	size_t n;
	uint8_t *buf;
};
struct type_found {
	uint64_t start, end;
	uint64_t package;  /* file offset of its package's path, of */
	uint32_t npackage; /* bytes; 0: it has none */
};
int types_begin(struct bin *b, const struct module *m, struct type_walk *out);
/* 1: *out is the next one; 0: there is none any more; -errno. */
int types_next(struct type_walk *w, struct type_found *out);
void types_end(struct type_walk *w); /* safe on a zeroed struct */

/* gofunc.c: function i of pclntab; n of them: bin_go()->nfunc. text: see gofunc_ready. */
int gofunc_extent(struct bin *b, uint64_t text, uint64_t i, uint64_t *start, uint64_t *end);
/* Where its name is in the file. */
int gofunc_name_at(struct bin *b, uint64_t i, uint64_t *off);

#endif
