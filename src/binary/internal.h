/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of binary/ share. Link-time addresses are "vaddr", file offsets "off". */
#ifndef RSSCOPE_BINARY_INTERNAL_H
#define RSSCOPE_BINARY_INTERNAL_H

#include "base/vec.h"
#include "binary/binary.h"
#include "binary/io.h"

struct bin_sec {
	const char *name; /* into bin.secnames, never NULL */
	uint64_t addr, size, off, flags, entsize;
	uint32_t type, link;
};

/* A program header that is no PT_LOAD; size 0: none. */
struct bin_part {
	uint64_t vaddr, off, filesz, memsz, align;
};

/* Magics of pclntab (internal/abi/symtab.go); the number is the first Go release that wrote it. */
enum pcln_magic {
	PCLN_12 = 0xfffffffb,
	PCLN_116 = 0xfffffffa,
	PCLN_118 = 0xfffffff0,
	PCLN_120 = 0xfffffff1,
};

enum { PCLN_TEXT = 24 }; /* textStart's place in the header, 1.18–1.25; later 0 */

/* A pointer that the loader fills in. */
struct pcln_pointer {
	uint64_t vaddr, to;
};

/* The table's parts as offsets from its start, all checked to lie below size. */
struct pcln {
	uint64_t vaddr, off;
	uint64_t size; /* upper bound: of the section, or to the end of the segment */
	uint32_t magic;
	uint8_t quantum; /* PC deltas count in these */
	bool wide;	 /* ftab holds 8-byte addresses (≤1.17), else 4-byte offsets from text */
	uint64_t nfunc, nfile;
	uint64_t text;	 /* from 1.18, once asked for: textStart, else moduledata's; 0 unknown */
	uint64_t gofunc; /* from 1.18: what FUNCDATA offsets count from; 0 unknown */
	uint64_t funcname, cutab, filetab, pctab, funcdata, ftab;
	bool tried_text; /* moduledata was looked for */
	bool tried_gofunc;
	uint64_t *entries; /* wide and PIE: nfunc + 1 entries with relocations applied, lazily */
	/* wide and PIE: where relocations put pointers to data, by vaddr; lazily */
	VEC(struct pcln_pointer) pointers;
	bool tried_pointers;
};

struct bin_sym {
	uint64_t addr, size;
	uint32_t name; /* offset in the string table */
	uint16_t shndx;
	uint8_t rank; /* of several at one address the highest wins */
};

struct symtab {
	bool loaded;
	uint64_t str_off, str_end; /* file offsets of the string table */
	VEC(struct bin_sym) v;	   /* by address, then rank descending */
};

struct bin {
	struct bin_io *io;
	uint16_t type, machine; /* e_type, e_machine */
	VEC(struct bin_segment) seg;
	VEC(struct bin_sec) sec;
	VEC(struct bin_part) note;
	char *secnames;
	struct bin_part dynamic, tls;
	char build_id[2 * 64 + 1], go_build_id[128];
	struct bin_go go;
	struct pcln pcln;
	struct symtab syms;
	struct intern names;
	struct image *image; /* where it stands on a shelf; NULL: on none */
};

/* ---- headers.c */
/* Fills b from the ELF, program and section headers and the notes. */
int headers_read(struct bin *b, struct err *e);
const struct bin_sec *section_find(const struct bin *b, const char *name);

/* ---- image.c */
/* File offset of vaddr; *avail = bytes of the file that follow in its segment. -EFAULT. */
int image_off(const struct bin *b, uint64_t vaddr, uint64_t *off, uint64_t *avail);

/* n 8-byte words at vaddr as the loader leaves them (bias 0): in a PIE the addends of RELATIVE
 * relocations, else the file's bytes. One pass over the relocations. */
int image_words(const struct bin *b, uint64_t vaddr, uint64_t *out, size_t n);

/* The same for many places at once, still in one pass: spans sorted, apart, each of n words that go
 * to out[first] and on. -EFAULT when one is not in the file. */
struct image_span {
	uint64_t vaddr;
	size_t n, first;
};
int image_words_many(const struct bin *b, const struct image_span *span, size_t n, uint64_t *out);

/* The value of the first PT_DYNAMIC entry with this tag; false when there is none. */
bool image_dynamic(const struct bin *b, int64_t tag, uint64_t *out);

/* Calls fn for each R_*_RELATIVE entry (none unless ET_DYN) until it returns non-zero. `off` is
 * the entry's place in the file. */
typedef int rela_fn(void *ctx, uint64_t vaddr, uint64_t addend, uint64_t off);
int image_rela(const struct bin *b, rela_fn *fn, void *ctx);
enum { RELA_ENTRY = 24 };

/* Calls fn for each aligned word of the file-backed data (not executable) that may be a pointer
 * into [lo, hi): from the file, or a relocation's addend. `off` is the place in the file that
 * tells (noted by fn when it matters), `vaddr` where the pointer lies. */
typedef int pointer_fn(void *ctx, uint64_t vaddr, uint64_t value, uint64_t off, size_t len);
int image_pointers(const struct bin *b, uint64_t lo, uint64_t hi, pointer_fn *fn, void *ctx);

/* ---- buildinfo.c */
int buildinfo_read(struct bin *b);
/* Without build info: the version string in rodata. Needs pclntab. */
int version_search(struct bin *b);

/* ---- pclntab.c */
int pclntab_find(struct bin *b);
/* moduledata.text of the file whose pclntab is p, and (may be NULL) gofunc, 0 before 1.18.
 * -ENOENT. */
int moduledata_text(const struct bin *b, const struct pcln *p, uint64_t *text, uint64_t *gofunc);

/* Its own address. -ENOENT. */
int moduledata_find(const struct bin *b, const struct pcln *p, uint64_t *vaddr);

/* ---- module.c */
/* What moduledata says of where things are (runtime/symtab.go); 0: not there, or not known. */
struct module {
	uint64_t text, etext, findfunctab, minpc, maxpc;
	uint64_t data[4][2]; /* noptrdata, data, bss, noptrbss: start, end */
	uint64_t gcdata, types, etypes;
	uint64_t typedesc; /* from 1.27: bytes of those type descriptors at types that reflect lists
			    */
	uint64_t itabs, itabs_size;			       /* from 1.27 */
	uint64_t rodata, gofunc;			       /* from 1.18 */
	uint64_t epclntab;				       /* from 1.26 */
	uint64_t typelinks, ntypelinks, itablinks, nitablinks; /* up to 1.26 */
};
/* Some passes over the relocations of a PIE, within io_allow. -ENOENT: not found. */
int module_read(struct bin *b, struct module *out);
/* ---- gofunc.c */
/* What was found of the table by going over the file, lazily. */
void gofunc_forget(struct bin *b);

/* ---- symbols.c */
/* Sized symbols of functions and variables of .symtab, sorted by address, without those of
 * files and sections: appended to *out, names are offsets from *str. None without .symtab. 0 or
 * -errno. */
typedef VEC(struct bin_sym) bin_sym_vec;
int symbols_sized(const struct bin *b, bin_sym_vec *out, uint64_t *str, uint64_t *str_end);
/* Whether .dynsym has a symbol that only cgo makes. Reads a bounded part, while recording. */
bool symbols_cgo(struct bin *b);
/* Whether dynamic symbols name the runtime's variables. */
bool symbols_shared_runtime(struct bin *b);

#endif
