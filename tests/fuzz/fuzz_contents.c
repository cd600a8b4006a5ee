/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sound Go program whose pclntab and read-only data (type descriptors, tables of embedded files,
 * itabs) are the input. Its first byte says how it is built: bit 0 PIE, bit 1 sections, bits 6 and
 * 7 the format; the second, in 256 bytes, where the read-only data begins (0: the table is sound).
 * Whatever it holds: things in order, apart, with names; the same on a second walk.
 */
#include <stdlib.h>
#include <string.h>

/* a fuzz target is one source and the library */
#include "../unit/bytes.c"
#include "../unit/elf_writer.c"
#include "../unit/go_writer.c"
#include "binary/contents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };
static const char *const versions[] = { "go1.15.1", "go1.16.1", "go1.18.1", "go1.26.1" };

static uint64_t walk(struct bin_contents *c)
{
	_text_ struct text name = { 0 };
	_text_ struct text group = { 0 };
	uint64_t start, end, last = 0, h = 0;
	int r;

	while ((r = bin_contents_next(c, &start, &end)) == 1) {
		if (start < last || end <= start || bin_contents_name(c, &name, &group) ||
		    !name.p || !group.p || !group.n || name.n > 8192 || group.n > 8192)
			abort();
		last = end;
		h = (h ^ start ^ end << 20 ^ name.n << 40 ^ group.n << 50) * 1099511628211ULL;
	}
	if (r)
		abort();
	return h;
}

/* Every aligned word of the read-only data that could be a pointer is one. */
static size_t find_pointers(const uint8_t *p, size_t n, uint64_t base, uint32_t out[100])
{
	size_t k = 0;

	for (size_t i = 0; i + 8 <= n && k < 100; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, 8);
		if (v >= base && v - base <= n)
			out[k++] = i;
	}
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t split = size > 2 ? data[1] * 256UL : 0;
	_text_ struct text table = { 0 };
	_text_ struct text t = { 0 };
	struct bin_contents *c;
	uint32_t pointers[100];
	_close_ int fd = -1;
	struct gow_place p;
	struct bin *b;
	struct gow g;
	uint64_t h;

	if (size < 32 || size > 1 << 17 || split + 2 > size)
		return 0;
	g = (struct gow){ .magic = magics[data[0] >> 6],
			  .machine = EM_X86_64,
			  .pie = data[0] & 1,
			  .sections = data[0] & 2,
			  .version = versions[data[0] >> 6],
			  .extra = data + 2 + split,
			  .extra_len = size - 2 - split,
			  .pointers = pointers };
	if (split >= 17) {
		if (text_add(&table, data + 2, split))
			abort();
		memcpy(table.p, &g.magic, 4);
		memcpy(table.p + 4, "\0\0\1\10", 4);
		g.table = table.p;
		g.table_len = table.n;
	}
	g.npointers = find_pointers(g.extra, g.extra_len, gow_extra(g.pie), pointers);
	gow_make(&g, &t, &p);
	fd = bytes_fd(t.p, t.n);
	if (bin_open(fd, &b, NULL))
		abort(); /* the ELF file is sound */
	if (bin_contents_open(b, NULL, 0, &c))
		abort();
	h = walk(c);
	bin_contents_rewind(c);
	if (walk(c) != h)
		abort();
	bin_contents_close(c);
	bin_close(b);
	return 0;
}
