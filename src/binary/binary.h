/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ELF file of the target: headers, build info, Go's pclntab, symbols. The only user of libelf.
 *
 * Addresses are the file's own (link-time); the caller adds the load bias. Everything read is
 * hostile: bounded, capped, -EINVAL with a text. A 32-bit or big-endian file is -ENOTSUP.
 *
 * Bytes are read where they lie (pread, a small cache), so memory does not grow with the file, and
 * a library that is overwritten meanwhile gives errors, no signal. Names are the file's raw bytes:
 * escape before showing them. One struct bin is for one thread at a time; a shelf (shelf.h) and all
 * its binaries are for one together.
 */
#ifndef RSSCOPE_BINARY_BINARY_H
#define RSSCOPE_BINARY_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum bin_arch { BIN_ARCH_AMD64 = 62, BIN_ARCH_ARM64 = 183, BIN_ARCH_OTHER = 0 };

enum { BIN_SEG_R = 4, BIN_SEG_W = 2, BIN_SEG_X = 1 }; /* p_flags */

struct bin_segment { /* PT_LOAD */
	uint64_t vaddr, memsz, offset, filesz;
	uint32_t flags;
};

struct bin;

/* Reads the headers and finds pclntab and build info. The fd is duplicated. */
int bin_open(int fd, struct bin **out, struct err *e);
/* The same for one of many libraries: where the section headers name nothing of Go's, the file is
 * not searched for a pclntab. */
int bin_open_lib(int fd, struct bin **out, struct err *e);
void bin_close(struct bin *b); /* NULL-safe */

enum bin_arch bin_arch(const struct bin *b);
bool bin_is_pie(const struct bin *b);	       /* ET_DYN: executable or shared object */
bool bin_is_stripped(const struct bin *b);     /* no .symtab */
const char *bin_build_id(const struct bin *b); /* GNU build ID in hex, "" when none */
/* Go's build ID as the linker's note has it (cmd/internal/buildid), "" when none; of a very long
 * one the beginning. */
const char *bin_go_build_id(const struct bin *b);

/* Which file it is, from fstat when it was opened. */
struct bin_identity {
	uint64_t dev, ino, size, ctime_ns;
};
void bin_identity(const struct bin *b, struct bin_identity *out);

size_t bin_segments(const struct bin *b, const struct bin_segment **out);

/* PT_TLS; false when there is none. */
bool bin_tls(const struct bin *b, uint64_t *memsz, uint64_t *align);

/* A section by name; false when absent. */
bool bin_section(const struct bin *b, const char *name, uint64_t *vaddr, uint64_t *size);

/* Load bias from the lowest mapping of the file: maps start − page-truncated vaddr of the segment
 * whose file offset it shows. 0 for ET_EXEC. */
uint64_t bin_bias(const struct bin *b, uint64_t map_start, uint64_t map_offset);

/* Bytes of the file at a link-time address; -EFAULT outside the file-backed part of a segment. In
 * a PIE, pointers are what the file holds: mostly 0, the loader fills them in. */
int bin_read(const struct bin *b, uint64_t vaddr, void *buf, size_t len);

/*
 * Go build info (debug/buildinfo; pointer form ≤1.17, inline from 1.18). `version` is "go1.19.8"
 * or with experiments ("go1.26.8 X:noallocheaders"). Without build info, the version string found
 * in rodata, and from_string is set.
 */
struct bin_go {
	bool is_go;
	bool from_string;
	bool shared; /* the runtime's variables are dynamic symbols: a plugin, which uses those
		      * of its host; or -linkshared */
	bool cgo;    /* build setting CGO_ENABLED=1 when recorded, else dynamic cgo symbols */
	char version[128]; /* "" when not found though is_go */
	char module[256];  /* main module path and version: "example.org/x v1.2.3" */
	/* pclntab */
	uint64_t pclntab; /* link-time address, 0 when none */
	uint32_t magic;	  /* 0xfffffffb … 0xfffffff1 */
	uint64_t nfunc;
	const char *found_by; /* ".gopclntab", "scan" */
};
const struct bin_go *bin_go(const struct bin *b);

/*
 * Go functions, from pclntab. `text` is moduledata.text at run time minus the bias, needed from
 * 1.18 on where the table holds offsets (0: use the header's textStart).
 */
struct bin_func {
	const char *name; /* borrowed from b */
	uint64_t entry, end;
};
/* The function that covers pc (link-time); -ENOENT outside Go code. */
int bin_go_func(struct bin *b, uint64_t text, uint64_t pc, struct bin_func *out);
/* A function by name. From Go 1.16 on one pass over the names (a millisecond in a 50 MB program),
 * and a search among the functions, which a linker that puts them in another order turns into a
 * pass; before, one over names and functions. -ENOENT. */
int bin_go_lookup(struct bin *b, uint64_t text, const char *name, struct bin_func *out);
/* File and line of pc: where inlined code was written, not where it was inlined to. For a return
 * address ask for pc − 1. file is borrowed from b. -ENOENT, also for padding between functions. */
int bin_go_line(struct bin *b, uint64_t text, uint64_t pc, const char **file, uint32_t *line);

/*
 * The functions that pc is in, innermost first: those inlined there, then the one that holds the
 * code. file and line are where each was written or made its call. Fills up to max, *n tells how
 * many. -ENOENT as above.
 */
struct bin_frame {
	const char *func, *file; /* borrowed from b */
	uint32_t line;
};
int bin_go_frames(struct bin *b, uint64_t text, uint64_t pc, struct bin_frame *out, size_t max,
		  size_t *n);

/* Whether the compiler has made the function that covers pc, to call another one: the runtime
 * leaves it out of stacks (internal/abi/symtab.go, FuncIDWrapper). */
bool bin_go_is_wrapper(struct bin *b, uint64_t text, uint64_t pc);

/* How far the stack pointer at pc lies below where it was when the function was called (without the
 * return address that the call pushed): bytes; *entry: where the function begins. -ENOENT as above.
 */
int bin_go_sp_delta(struct bin *b, uint64_t text, uint64_t pc, uint32_t *delta, uint64_t *entry);

/* The ELF symbol (.symtab, else .dynsym) that covers addr; name borrowed. -ENOENT. */
int bin_symbol(struct bin *b, uint64_t addr, const char **name, uint64_t *start);
/* A defined ELF symbol by name. -ENOENT. */
int bin_symbol_addr(struct bin *b, const char *name, uint64_t *addr, uint64_t *size);

/* The variables of these names (below 64 bytes) in .symtab that lie in [lo, hi): addr[i] is
 * name[i]'s address, 0 when there is none, UINT64_MAX when there are several. One pass, no index.
 * -ENOENT without .symtab. */
int bin_variables(struct bin *b, uint64_t lo, uint64_t hi, const char *const *name, size_t n,
		  uint64_t *addr);

/* Its file: borrowed until the next call that reads of it, or of another one of its shelf. -errno.
 */
int bin_fd(struct bin *b);

/* The pieces of the file that bin_open used: a sparse file that holds them at their offsets opens
 * the same way. Calls fn(ctx, off, len) for each; stops at the first non-zero return. */
int bin_pieces(const struct bin *b, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx);

/*
 * From bin_record until bin_scraps, what is read of functions, lines and stack frames is recorded:
 * with these parts, too, that sparse file gives the same answers to the same questions by address.
 * Those by name go over the whole file, and are not recorded. bin_record: 0, -ENOMEM, -EFBIG.
 */
int bin_record(struct bin *b);
int bin_scraps(struct bin *b, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx);

#endif
