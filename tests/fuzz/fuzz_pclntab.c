/* SPDX-License-Identifier: BSD-2-Clause */
/* A sound Go program with the input as its pclntab. Its first byte says how it is built: bit 0
 * PIE, bit 1 sections, bit 2 arm64; the magic is put right, so that no input is wasted on it. */
#include <stdlib.h>
#include <string.h>

/* a fuzz target is one source and the library */
#include "../unit/bytes.c"
#include "../unit/elf_writer.c"
#include "../unit/go_writer.c"
#include "binary/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct bin *b, uint64_t text, uint64_t pc)
{
	struct bin_func f;
	const char *file;
	uint32_t line;
	struct bin_frame frame[8];
	size_t n;

	if (!bin_go_func(b, text, pc, &f) &&
	    (f.entry > pc || f.end <= pc || strlen(f.name) > 1 << 20))
		abort();
	if (!bin_go_line(b, text, pc, &file, &line) && strlen(file) > 1 << 20)
		abort();
	if (!bin_go_frames(b, text, pc, frame, ARRAY_LEN(frame), &n) &&
	    (n == 0 || n > ARRAY_LEN(frame)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	_text_ struct text table = { 0 };
	_text_ struct text t = { 0 };
	_close_ int fd = -1;
	struct gow_place p;
	struct bin_func f;
	struct bin *b;
	struct gow g;

	if (size < 17 || size > 1 << 16 || text_add(&table, data + 1, size - 1))
		return 0;
	memcpy(table.p, &magics[data[0] >> 6], 4);
	memcpy(table.p + 4, "\0\0\1\10", 4);
	g = (struct gow){ .magic = magics[data[0] >> 6],
			  .machine = data[0] & 4 ? EM_AARCH64 : EM_X86_64,
			  .pie = data[0] & 1,
			  .sections = data[0] & 2,
			  .version = "go1.20.1",
			  .table = table.p,
			  .table_len = table.n };
	gow_make(&g, &t, &p);
	fd = bytes_fd(t.p, t.n);
	if (bin_open(fd, &b, NULL))
		abort(); /* the ELF file is sound */
	for (uint64_t pc = p.text - 16; pc < p.etext + 64; pc += 5) {
		look(b, p.text, pc);
		look(b, 0, pc);
	}
	bin_go_lookup(b, p.text, "main.main", &f);
	bin_go_lookup(b, 0, "main.leak", &f);
	bin_close(b);
	return 0;
}
