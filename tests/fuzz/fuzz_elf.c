/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file as the input says. Whatever it holds: an error, or values within bounds. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "binary/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int piece(void *ctx, uint64_t off, uint64_t len)
{
	if (!len || off > *(size_t *)ctx || len > *(size_t *)ctx - off)
		abort();
	return 0;
}

static void look_around(struct bin *b, uint64_t vaddr, uint64_t len)
{
	const char *name;
	struct bin_func f;
	uint32_t line;
	uint64_t x;
	char buf[64];

	if (len > 4096)
		len = 4096;
	for (uint64_t at = 0; at < len; at += 1 + len / 64) {
		if (!bin_go_func(b, 0, vaddr + at, &f) &&
		    (f.entry > vaddr + at || f.end <= vaddr + at || strlen(f.name) > 1 << 20))
			abort();
		bin_go_line(b, vaddr, vaddr + at, &name, &line);
		if (!bin_symbol(b, vaddr + at, &name, &x) && (x > vaddr + at || !name))
			abort();
		bin_read(b, vaddr + at, buf, sizeof(buf));
		bin_bias(b, vaddr, at);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
	const struct bin_segment *seg;
	struct bin_func f;
	uint64_t x, y;
	struct err e;
	struct bin *b;
	size_t n;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (bin_open(fd, &b, &e)) {
		if (!e.code || !e.text[0])
			abort();
		return 0;
	}
	n = bin_segments(b, &seg);
	for (size_t i = 0; i < n && i < 4; i++)
		look_around(b, seg[i].vaddr, seg[i].memsz);
	bin_go_lookup(b, 0, "runtime.main", &f);
	bin_symbol_addr(b, "main", &x, &y);
	bin_section(b, ".text", &x, &y);
	bin_tls(b, &x, &y);
	if (strlen(bin_go(b)->version) >= sizeof(bin_go(b)->version) ||
	    strlen(bin_go(b)->module) >= sizeof(bin_go(b)->module))
		abort();
	bin_pieces(b, piece, &size);
	bin_close(b);
	return 0;
}
