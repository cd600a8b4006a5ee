/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ELF core file as a source. Internal to src/source.
 *
 * What a core can't tell: which pages were resident. A page with a byte other than zero counts as
 * present, one of zeros or one that was not dumped as absent; a dumped page of zeros reads as
 * zeros, though. Files are taken from this machine by their path, when their first page is that of
 * the core. Inode numbers in proc/maps are fake (1: a file), the [heap] is a guess: the first
 * anonymous mapping behind the executable's own.
 *
 * Sources: fs/binfmt_elf.c elf_core_dump(), include/linux/elfcore.h; GDB's gcore writes the same.
 */
#ifndef RSSCOPE_SOURCE_CORE_IMPL_H
#define RSSCOPE_SOURCE_CORE_IMPL_H

#include <stdbool.h>

#include "base/vec.h"
#include "source/memsrc_impl.h"

struct core_segment {	     /* PT_LOAD */
	uint64_t start, end; /* multiples of the page size */
	uint64_t offset;     /* in the core */
	uint64_t filesz;     /* bytes that are in the core: of those dumped, those not cut off */
	uint32_t flags;	     /* PF_* */
};

struct core_file { /* NT_FILE */
	uint64_t start, end;
	uint64_t offset;  /* bytes into the file */
	const char *path; /* borrowed from the note */
};

struct core_thread { /* NT_PRSTATUS */
	uint32_t tid;
	uint64_t sp, pc;
};

struct core {
	struct memsrc m;
	int fd;
	uint64_t size;
	char *path;
	uint16_t machine;	      /* EM_X86_64, EM_AARCH64 */
	bool cut;		      /* shorter than its headers say */
	VEC(struct core_segment) seg; /* sorted, no overlap */
	VEC(struct core_file) files;  /* sorted by start */
	VEC(struct core_thread) threads;
	struct text notes; /* PT_NOTE, all of it */
	struct text auxv;
	char comm[17], args[81]; /* NT_PRPSINFO */
	range_vec present;	 /* filled by the first memsrc_pages */
	bool scanned;
};

/* As memsrc_ops.text. */
int core_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out);

/* Parses the notes in c->notes: psinfo, threads, auxv, file names. What is malformed is left out.
 * 0 or -ENOMEM. */
int core_notes(struct core *c);

/* A value of the auxiliary vector; false when it is not there. */
bool core_auxv(const struct core *c, uint64_t type, uint64_t *out);

/* Index of the first segment that ends above addr, c->seg.n when none does. */
size_t core_segment_lower(const struct core *c, uint64_t addr);
const struct core_segment *core_segment_at(const struct core *c, uint64_t addr);
const struct core_file *core_file_at(const struct core *c, uint64_t addr);

/* The mapping of the executable that holds its headers or entry point, or NULL. */
const struct core_file *core_exe(const struct core *c);

#endif
