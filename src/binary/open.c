/* SPDX-License-Identifier: BSD-2-Clause */
#include "binary/binary.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "binary/internal.h"

/* io_scan's allowance for opening: the searches pass over the file a few times at most. */
enum { SCAN_PASSES = 6, SCAN_EXTRA = 1 << 20 };

static void bin_closep(struct bin **b)
{
	bin_close(*b);
}

/* Sections that Go's linker makes. With section headers and none of these in a library, there is
 * no Go in it. */
static bool has_go_sections(const struct bin *b)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab",
					     ".go.buildinfo", ".note.go.buildid", ".noptrdata" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (section_find(b, names[i]))
			return true;
	return false;
}

/* Go's parts. What is not found is absent, no failure: most ELF files are not Go's. */
static int read_go(struct bin *b)
{
	int r;

	io_allow(b->io, io_size(b->io) * SCAN_PASSES + SCAN_EXTRA);
	r = buildinfo_read(b);
	if (!r)
		r = pclntab_find(b);
	if (!r && b->go.pclntab && !b->go.version[0]) {
		r = version_search(b);
		if (!r && b->go.version[0])
			b->go.cgo = symbols_cgo(b);
	}
	if (!r && b->go.pclntab && b->type == ET_DYN)
		b->go.shared = symbols_shared_runtime(b);
	return r;
}

static int open_bin(int fd, bool lib, struct bin **out, struct err *e)
{
	_cleanup_(bin_closep) struct bin *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(e, -ENOMEM, "out of memory");
	r = io_open(fd, &b->io, e);
	if (r)
		return r;
	r = headers_read(b, e);
	if (r)
		return r;
	r = lib && b->sec.n && !has_go_sections(b) ? 0 : read_go(b);
	if (r)
		return err_set(e, r, "cannot read the ELF file: %s", strerror(-r));
	io_record_end(b->io);
	*out = b;
	b = NULL;
	return 0;
}

int bin_open(int fd, struct bin **out, struct err *e)
{
	return open_bin(fd, false, out, e);
}

int bin_open_lib(int fd, struct bin **out, struct err *e)
{
	return open_bin(fd, true, out, e);
}

void bin_close(struct bin *b)
{
	if (!b)
		return;
	io_close(b->io);
	vec_free(&b->seg);
	vec_free(&b->sec);
	vec_free(&b->note);
	vec_free(&b->syms.v);
	free(b->secnames);
	free(b->pcln.entries);
	vec_free(&b->pcln.pointers);
	intern_free(&b->names);
	free(b);
}

enum bin_arch bin_arch(const struct bin *b)
{
	if (b->machine == EM_X86_64)
		return BIN_ARCH_AMD64;
	return b->machine == EM_AARCH64 ? BIN_ARCH_ARM64 : BIN_ARCH_OTHER;
}

bool bin_is_pie(const struct bin *b)
{
	return b->type == ET_DYN;
}

bool bin_is_stripped(const struct bin *b)
{
	for (size_t i = 0; i < b->sec.n; i++)
		if (b->sec.v[i].type == SHT_SYMTAB)
			return false;
	return true;
}

const char *bin_build_id(const struct bin *b)
{
	return b->build_id;
}

const char *bin_go_build_id(const struct bin *b)
{
	return b->go_build_id;
}

void bin_identity(const struct bin *b, struct bin_identity *out)
{
	io_identity(b->io, out);
}

size_t bin_segments(const struct bin *b, const struct bin_segment **out)
{
	*out = b->seg.v;
	return b->seg.n;
}

bool bin_tls(const struct bin *b, uint64_t *memsz, uint64_t *align)
{
	if (!b->tls.memsz)
		return false;
	*memsz = b->tls.memsz;
	*align = b->tls.align;
	return true;
}

bool bin_section(const struct bin *b, const char *name, uint64_t *vaddr, uint64_t *size)
{
	const struct bin_sec *s = section_find(b, name);

	if (!s)
		return false;
	*vaddr = s->addr;
	*size = s->size;
	return true;
}

const struct bin_go *bin_go(const struct bin *b)
{
	return &b->go;
}

int bin_fd(struct bin *b)
{
	return io_fd(b->io);
}

int bin_pieces(const struct bin *b, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx)
{
	const range_vec *v = io_pieces(b->io);

	for (size_t i = 0; i < v->n; i++) {
		int r = fn(ctx, v->v[i].start, v->v[i].end - v->v[i].start);

		if (r)
			return r;
	}
	return 0;
}

int bin_record(struct bin *b)
{
	gofunc_forget(b);
	return io_record_again(b->io);
}

int bin_scraps(struct bin *b, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx)
{
	return io_scraps(b->io, fn, ctx);
}
