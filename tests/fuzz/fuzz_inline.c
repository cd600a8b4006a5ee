/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was inlined into a function: a sound program and function table, in which the input is what
 * the functions say of themselves (pcdata, funcdata), their pc-value programs, and the inline
 * trees.
 *
 *   0 bits 0 PIE, 6 and 7 the format  1 quantum  2 length of the programs, 2 bytes
 *   4 two functions, 96 bytes each, behind their entry; then the programs; then the trees
 */
#include <stdlib.h>
#include <string.h>

/* a fuzz target is one source and the library */
#include "../unit/bytes.c"
#include "../unit/elf_writer.c"
#include "../unit/go_writer.c"
#include "binary/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ONE = 96, /* of one function, with its pcdata and funcdata */
	FUNC = 8 + ONE + 8,
	CODE = 0x80,
	HEAD = 4,
	FRAMES = 12,
	SAID = 2 * ONE,
	NAMES_LEN = 64,
};

static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };
static const char names[NAMES_LEN] = "\0main.main\0main.inlined\0main.(*T).Do[...]\0";

struct place {
	uint64_t names, units, files, programs, functions, end;
	unsigned int entry; /* bytes of an address */
};

static void put_u(uint8_t *at, uint64_t v, size_t n)
{
	memcpy(at, &v, n);
}

static void put_function(uint8_t *table, const struct place *l, unsigned int i, uint64_t text,
			 const uint8_t *said)
{
	uint64_t ftab = 3 * 2 * l->entry, func = ftab + i * FUNC, entry = i * CODE;
	uint8_t *f = table + l->functions + func;

	put_u(table + l->functions + i * 2 * l->entry, l->entry == 8 ? text + entry : entry,
	      l->entry);
	put_u(table + l->functions + i * 2 * l->entry + l->entry, func, l->entry);
	put_u(f, l->entry == 8 ? text + entry : entry, l->entry);
	memcpy(f + l->entry, said, ONE);
	/* what says how much follows within what is there, most of the time */
	if (said[ONE - 1] & 1)
		f[l->entry + 4 * 6] &= 7;
	memset(f + l->entry + 4 * 6 + 1, 0, 3);
}

/* The table over two functions; magic and header as they should be. */
static void make_table(const uint8_t *data, uint32_t magic, uint64_t text, size_t programs,
		       struct text *out)
{
	bool has_text = magic == 0xfffffff0 || magic == 0xfffffff1;
	struct place l = { .names = has_text ? 72 : 64, .entry = has_text ? 4 : 8 };
	const uint64_t head[] = { 2, 4, text };
	uint8_t *t;

	l.units = l.names + NAMES_LEN;
	l.files = l.units + 32;
	l.programs = l.files + 32;
	l.functions = (l.programs + programs + 7) & ~7ULL;
	l.end = l.functions + 3 * 2 * l.entry + 2 * FUNC;
	t = calloc(1, l.end);
	if (!t)
		abort();
	put_u(t, magic, 4);
	t[6] = data[1] & 4 ? 4 : 1;
	t[7] = 8;
	memcpy(t + 8, head, has_text ? 24 : 16);
	memcpy(t + (has_text ? 32 : 24),
	       (uint64_t[]){ l.names, l.units, l.files, l.programs, l.functions }, 40);
	memcpy(t + l.names, names, NAMES_LEN);
	memcpy(t + l.files, "a.go\0b/c.go", 12);
	memcpy(t + l.programs, data + HEAD + SAID, programs);
	for (unsigned int i = 0; i < 2; i++)
		put_function(t, &l, i, text, data + HEAD + i * ONE);
	put_u(t + l.functions + 2 * 2 * l.entry, l.entry == 8 ? text + 2 * CODE : 2 * CODE,
	      l.entry);
	if (text_add(out, t, l.end))
		abort();
	free(t);
}

static void look(struct bin *b, uint64_t text, uint64_t pc)
{
	struct bin_frame frame[FRAMES];
	uint64_t entry;
	uint32_t delta;
	size_t n = 0;

	if (!bin_go_frames(b, text, pc, frame, FRAMES, &n) && (n == 0 || n > FRAMES))
		abort();
	for (size_t i = 0; i < n; i++)
		if (!frame[i].func || strlen(frame[i].func) > 1 << 16 ||
		    (frame[i].file && strlen(frame[i].file) > 1 << 16))
			abort();
	if (!bin_go_sp_delta(b, text, pc, &delta, &entry) && entry > pc)
		abort();
	bin_go_is_wrapper(b, text, pc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_text_ struct text table = { 0 };
	_text_ struct text t = { 0 };
	_close_ int fd = -1;
	size_t programs;
	struct gow_place p;
	struct bin *b;
	struct gow g;

	if (size < HEAD + SAID + 8 || size > 1 << 16)
		return 0;
	programs = (data[2] | (size_t)data[3] << 8) % (size - HEAD - SAID);
	g = (struct gow){ .magic = magics[1 + (data[0] >> 6) % 3],
			  .machine = EM_X86_64,
			  .pie = data[0] & 1,
			  .sections = true,
			  .version = data[0] & 2 ? "go1.26.1" : "go1.19.1",
			  .extra = data + HEAD + SAID + programs,
			  .extra_len = size - HEAD - SAID - programs };
	make_table(data, g.magic, g.pie ? 0x1000 : 0x401000, programs, &table);
	g.table = table.p;
	g.table_len = table.n;
	gow_make(&g, &t, &p);
	fd = bytes_fd(t.p, t.n);
	if (bin_open(fd, &b, NULL))
		abort(); /* the ELF file is sound */
	for (uint64_t pc = p.text; pc < p.text + 2 * CODE + 8; pc += 3)
		look(b, p.text, pc);
	bin_close(b);
	return 0;
}
