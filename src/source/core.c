/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/file.h"
#include "source/core_impl.h"

enum {
	PHDR_SIZE = 56,
	SHDR_SIZE = 64,
	NOTES_MAX = 64 << 20, /* bytes of notes that are looked at */
	CHUNK = 1 << 20,
	HEAD = 4096, /* bytes of a file that are compared with the core's copy */
};

static struct core *core_of(struct memsrc *m)
{
	return (struct core *)m;
}

/* ---- headers */

struct headers {
	struct core *c;
	struct err *e;
	uint64_t phoff;
	uint32_t phnum;
};

static int bad(const struct headers *h, const char *why)
{
	return err_set(h->e, -EINVAL, "%s: %s", h->c->path, why);
}

/* More than 65,534 program headers: their number is in the first section header (PN_XNUM). */
static int read_phnum(struct headers *h, uint64_t shoff)
{
	uint8_t sh[SHDR_SIZE];

	if (h->phnum != PN_XNUM)
		return 0;
	if (shoff > h->c->size || h->c->size - shoff < sizeof(sh) ||
	    file_read_at(h->c->fd, shoff, sh, sizeof(sh)))
		return bad(h, "the core file is cut short: its table of segments can't be found");
	h->phnum = load_u32(sh + 44); /* sh_info */
	return 0;
}

static int read_ehdr(struct headers *h)
{
	struct core *c = h->c;
	uint8_t eh[64];
	uint64_t shoff;
	uint16_t type;
	int rc;

	if (c->size < sizeof(eh) || file_read_at(c->fd, 0, eh, sizeof(eh)))
		return bad(h, "the file ends within its ELF header");
	if (eh[EI_CLASS] != ELFCLASS64 || eh[EI_DATA] != ELFDATA2LSB)
		return bad(h, "not a 64-bit little-endian core: 32-bit processes are not "
			      "supported");
	type = eh[16] | eh[17] << 8;
	c->machine = eh[18] | eh[19] << 8;
	if (type != ET_CORE)
		return bad(h, "an ELF file, but not a core of a process: name a core, a capture "
			      "or a PID");
	if (c->machine != EM_X86_64 && c->machine != EM_AARCH64)
		return bad(h, "unsupported architecture (only amd64, arm64)");
	h->phoff = load_u64(eh + 32);
	shoff = load_u64(eh + 40);
	h->phnum = eh[56] | eh[57] << 8;
	if ((eh[54] | eh[55] << 8) != PHDR_SIZE)
		return bad(h, "program header size out of range");
	rc = read_phnum(h, shoff);
	if (rc)
		return rc;
	if (h->phoff > c->size || h->phnum > (c->size - h->phoff) / PHDR_SIZE)
		return bad(h, "the core file is cut short: its table of segments is incomplete");
	return h->phnum ? 0 : bad(h, "a core without segments");
}

static int add_notes(struct core *c, uint64_t off, uint64_t len)
{
	_free_ uint8_t *buf = NULL;
	int rc;

	if (off >= c->size)
		len = 0;
	else if (len > c->size - off)
		len = c->size - off;
	if (len > NOTES_MAX - c->notes.n)
		len = NOTES_MAX - c->notes.n;
	if (!len)
		return 0;
	buf = malloc(len);
	rc = buf ? file_read_at(c->fd, off, buf, len) : -ENOMEM;
	return rc ? rc : text_add(&c->notes, buf, len);
}

static int add_segment(struct headers *h, const uint8_t *ph, uint64_t *total)
{
	struct core *c = h->c;
	struct core_segment s = { .flags = load_u32(ph + 4),
				  .offset = load_u64(ph + 8),
				  .start = load_u64(ph + 16),
				  .filesz = load_u64(ph + 32) };
	uint64_t memsz = load_u64(ph + 40);

	if (!memsz)
		return 0;
	if (s.start + memsz < s.start)
		return bad(h, "a segment beyond the end of the address space");
	s.end = s.start + memsz;
	if (s.filesz > memsz)
		s.filesz = memsz;
	if (s.filesz && (s.offset > c->size || s.filesz > c->size - s.offset)) {
		c->cut = true;
		s.filesz = s.offset < c->size ? c->size - s.offset : 0;
	}
	*total += s.filesz;
	/* else a small file could keep us busy with the same bytes over and over */
	if (*total > c->size)
		return bad(h, "segments overlap in the file");
	return vec_push(&c->seg, s);
}

static int read_phdrs(struct headers *h)
{
	uint8_t ph[PHDR_SIZE];
	uint64_t total = 0;
	int rc = 0;

	for (uint32_t i = 0; i < h->phnum && !rc; i++) {
		rc = file_read_at(h->c->fd, h->phoff + (uint64_t)i * PHDR_SIZE, ph, sizeof(ph));
		if (rc)
			return rc;
		if (load_u32(ph) == PT_LOAD)
			rc = add_segment(h, ph, &total);
		else if (load_u32(ph) == PT_NOTE)
			rc = add_notes(h->c, load_u64(ph + 8), load_u64(ph + 32));
	}
	return rc;
}

static int segment_order(const void *a, const void *b)
{
	const struct core_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static bool all_aligned(const struct core *c, uint64_t page)
{
	for (size_t i = 0; i < c->seg.n; i++)
		if (c->seg.v[i].start % page || c->seg.v[i].end % page)
			return false;
	return true;
}

static int check_segments(struct headers *h)
{
	struct core *c = h->c;
	uint64_t page;

	if (!c->seg.n)
		return bad(h, "a core without memory");
	qsort(c->seg.v, c->seg.n, sizeof(*c->seg.v), segment_order);
	for (size_t i = 1; i < c->seg.n; i++)
		if (c->seg.v[i].start < c->seg.v[i - 1].end)
			return bad(h, "segments that overlap in memory");
	if (!core_auxv(c, AT_PAGESZ, &page) || page < 4096 || page > 65536 || (page & (page - 1)) ||
	    !all_aligned(c, page))
		page = 4096;
	if (!all_aligned(c, page))
		return bad(h, "segments that are not whole pages");
	c->m.page_size = page;
	return 0;
}

/* ---- memory */

/* Zeros, for a reason. */
static int zeros(uint64_t addr, uint8_t *buf, uint64_t len, enum hole why, range_vec *holes)
{
	memset(buf, 0, len);
	return range_append(holes, addr, addr + len, why);
}

/* The part of [addr, addr + *len) that one segment, or one gap, holds; shortens *len to it. */
static int read_part(const struct core *c, uint64_t addr, uint8_t *buf, uint64_t *len,
		     range_vec *holes)
{
	size_t i = core_segment_lower(c, addr);
	const struct core_segment *s = i < c->seg.n ? &c->seg.v[i] : NULL;
	uint64_t stop = addr + *len;

	if (!s || s->start > addr) {
		if (s && s->start < stop)
			stop = s->start;
		*len = stop - addr;
		return zeros(addr, buf, *len, HOLE_UNMAPPED, holes);
	}
	if (addr - s->start >= s->filesz) {
		if (s->end < stop)
			stop = s->end;
		*len = stop - addr;
		return zeros(addr, buf, *len, HOLE_ABSENT, holes);
	}
	if (s->start + s->filesz < stop)
		stop = s->start + s->filesz;
	*len = stop - addr;
	if (file_read_at(c->fd, s->offset + (addr - s->start), buf, *len))
		return zeros(addr, buf, *len, HOLE_FAILED, holes);
	return 0;
}

static int core_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		     void *buf, size_t len, range_vec *holes)
{
	uint8_t *p = buf;
	int rc = 0;

	while (len && !rc) {
		uint64_t n = len;

		rc = read_part(core_of(m), addr, p, &n, holes);
		addr += n;
		p += n;
		len -= n;
	}
	return rc;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* Clean pages of a file that can't be written are its own; else they may have been changed. */
static uint32_t page_flags(const struct core *c, const struct core_segment *s)
{
	return PAGE_PRESENT | (!(s->flags & PF_W) && core_file_at(c, s->start) ? PAGE_FILE : 0);
}

static int scan_chunk(struct core *c, const struct core_segment *s, uint64_t at, const uint8_t *buf,
		      size_t n)
{
	uint32_t flags = page_flags(c, s);
	size_t page = c->m.page_size;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i += page) {
		uint64_t addr = s->start + at + i;

		if (!all_zero(buf + i, n - i < page ? n - i : page))
			rc = range_append(&c->present, addr, addr + page, flags);
	}
	return rc;
}

static int scan_segment(struct core *c, const struct core_segment *s, uint8_t *buf)
{
	uint64_t at = 0;

	while (at < s->filesz) {
		/* holes of a sparse core are zeros */
		off_t data = lseek(c->fd, s->offset + at, SEEK_DATA);
		uint64_t n = CHUNK;
		int rc;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data > (off_t)(s->offset + at)) {
			at = data - s->offset;
			at -= at % c->m.page_size;
		}
		if (at >= s->filesz)
			return 0;
		if (n > s->filesz - at)
			n = s->filesz - at;
		rc = file_read_at(c->fd, s->offset + at, buf, n);
		if (!rc)
			rc = scan_chunk(c, s, at, buf, n);
		if (rc)
			return rc;
		at += n;
	}
	return 0;
}

static int scan(struct core *c)
{
	_free_ uint8_t *buf = malloc(CHUNK);
	int rc = buf ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->seg.n && !rc; i++)
		rc = scan_segment(c, &c->seg.v[i], buf);
	c->scanned = !rc;
	if (rc)
		c->present.n = 0;
	return rc;
}

static int core_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
		      range_vec *out)
{
	struct core *c = core_of(m);
	int rc = c->scanned ? 0 : scan(c);

	for (size_t i = range_lower(c->present.v, c->present.n, start);
	     i < c->present.n && c->present.v[i].start < end && !rc; i++) {
		const struct range *r = &c->present.v[i];

		rc = range_append(out, r->start > start ? r->start : start,
				  r->end < end ? r->end : end, r->flags);
	}
	return rc;
}

static const char *core_how(const struct memsrc *m)
{
	return ((const struct core *)m)->cut ? "core (non-zero pages; cut short)"
					     : "core (non-zero pages)";
}

/* ---- files */

/* Where the core has the beginning of a file, it must be that of the one found here. */
static bool same_beginning(const struct core *c, const char *path, int fd)
{
	for (size_t i = 0; i < c->files.n; i++) {
		const struct core_file *f = &c->files.v[i];
		const struct core_segment *s = core_segment_at(c, f->start);
		uint8_t a[HEAD], b[HEAD];

		if (strcmp(f->path, path) || f->offset || !s || s->start != f->start ||
		    s->filesz < HEAD)
			continue;
		return !file_read_at(c->fd, s->offset, a, HEAD) && pread(fd, b, HEAD, 0) == HEAD &&
		       !memcmp(a, b, HEAD);
	}
	return true;
}

static int core_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	const struct core *c = core_of(m);
	_close_ int f = -1;
	struct stat st;

	if (!strcmp(path, "exe")) {
		if (!core_exe(c))
			return -ENOENT;
		path = core_exe(c)->path;
	}
	if (*path != '/')
		return -ENOENT;
	f = file_open_regular(AT_FDCWD, path, 0, &st);
	if (f < 0)
		return f == -ENOTSUP ? -ENOENT : f;
	/* those of procfs and their like, which say 0, are no mappings' */
	if (!st.st_size || !same_beginning(c, path, f))
		return -ENOENT;
	*fd = f;
	f = -1;
	return 0;
}

/* ---- life */

static int core_alive(const struct memsrc *m)
{
	return 0;
}

static void core_close(struct memsrc *m)
{
	struct core *c = core_of(m);

	vec_free(&c->seg);
	vec_free(&c->files);
	vec_free(&c->threads);
	vec_free(&c->present);
	text_free(&c->notes);
	text_free(&c->auxv);
	close_fd(&c->fd);
	free(c->path);
	free(c);
}

static const struct memsrc_ops core_ops = {
	.alive = core_alive,
	.text = core_text,
	.read = core_read,
	.pages = core_pages,
	.pages_how = core_how,
	.file = core_file,
	.close = core_close,
};

int core_open(const char *path, int fd, uint64_t size, struct memsrc **out, struct err *e)
{
	struct core *c = calloc(1, sizeof(*c));
	struct headers h = { .c = c, .e = e };
	int rc;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->m.ops = &core_ops;
	c->m.kind = MEMSRC_CORE;
	c->fd = fd;
	c->size = size;
	c->path = strdup(path);
	rc = c->path ? read_ehdr(&h) : -ENOMEM;
	if (!rc)
		rc = read_phdrs(&h);
	if (!rc)
		rc = core_notes(c);
	if (!rc)
		rc = check_segments(&h);
	if (rc)
		memsrc_close(&c->m);
	else
		*out = &c->m;
	return rc;
}
