/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes small ELF files, and small Go programs as the Go linker lays them out, for tests that
 * then bend them. Written from the formats' descriptions, not from the reader under test: elf(5),
 * cmd/link/internal/ld/pcln.go, runtime/symtab.go, debug/buildinfo. Aborts when out of memory.
 */
#ifndef RSSCOPE_TEST_ELF_WRITER_H
#define RSSCOPE_TEST_ELF_WRITER_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* ---- any ELF file */

struct elfw {
	Elf64_Ehdr h;
	Elf64_Phdr ph[16];
	Elf64_Shdr sh[24];
	struct text names; /* .shstrtab */
	struct text body;  /* what follows the headers; file offset = ELFW_BODY + position */
	bool no_sections;  /* leaves the section headers out, as sstrip does */
};
enum { ELFW_BODY = 0x1000, ELFW_PAGE = 0x1000 };

void elfw_init(struct elfw *w, uint16_t type, uint16_t machine);
void elfw_free(struct elfw *w);
/* A PT_LOAD with n bytes of content at vaddr (its offset is congruent by the page). */
void elfw_load(struct elfw *w, uint32_t flags, uint64_t vaddr, const void *p, size_t n,
	       uint64_t memsz);
/* Another program header over loaded addresses. */
void elfw_part(struct elfw *w, uint32_t type, uint64_t vaddr, uint64_t size, uint64_t align);
/* A section over loaded addresses; returns its number. */
unsigned int elfw_section(struct elfw *w, const char *name, uint32_t type, uint64_t vaddr,
			  uint64_t size);
/* A section with content of its own that is not loaded (.symtab, .strtab); returns its number. */
unsigned int elfw_unloaded(struct elfw *w, const char *name, uint32_t type, const void *p, size_t n,
			   uint32_t link, uint64_t entsize);
/* The file's bytes, appended to *out. w stays usable. */
void elfw_finish(struct elfw *w, struct text *out);

/* File offset of a loaded address. */
uint64_t elfw_off(const struct elfw *w, uint64_t vaddr);

/* ---- a Go program */

enum gow_buildinfo { GOW_INLINE, GOW_POINTER, GOW_NONE };

struct gow {
	uint32_t magic; /* of pclntab */
	uint16_t machine;
	bool pie, sections, no_text_start, no_moduledata;
	enum gow_buildinfo buildinfo;
	const char *version; /* "go1.19.8" */
	const char *modinfo; /* NULL: none; without the sentinels */
	const void *table;   /* instead of a pclntab made here */
	size_t table_len;
	/* Read-only bytes at gow_extra(pie), which moduledata calls types, rodata, gofunc; */
	const void *extra;
	size_t extra_len;
	const uint32_t *pointers; /* where in them addresses are */
	size_t npointers;	  /* at most 100 */
};
static inline uint64_t gow_extra(bool pie)
{
	return pie ? 0x2000 : 0x402000;
}

/* Where gow_make put things (link-time). */
struct gow_place {
	uint64_t text, etext, pclntab, pclntab_size, buildinfo, moduledata, extra;
};

/* Functions of the program, in order, without gaps; each row covers `size` bytes of code. */
struct gow_row {
	uint32_t size, file, line;
};
struct gow_func {
	const char *name;
	struct gow_row row[4]; /* up to the first of size 0 */
};
enum { GOW_FRAME = 24 }; /* bytes of each one's frame, without the return address */
extern const struct gow_func gow_funcs[];
extern const size_t gow_nfuncs;
extern const char *const gow_files[];

void gow_make(const struct gow *g, struct text *out, struct gow_place *place);

/* A pclntab over gow_funcs. With `unrelocated`, addresses are left 0 as in a PIE's file. */
void gow_pclntab(uint32_t magic, uint8_t quantum, uint64_t text, bool unrelocated,
		 struct text *out);

#endif
