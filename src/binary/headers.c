/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF, program and section headers, notes. libelf turns them into numbers; what it reads is
 * checked before (its tables are as large as the header claims) and noted for bin_pieces.
 */
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "base/cursor.h"
#include "binary/internal.h"

enum {
	PHNUM_MAX = 1024,
	SHNUM_MAX = 16384,
	SECNAMES_MAX = 1 << 20,
	NOTE_MAX = 64 << 10,
	DYNAMIC_MAX = 64 << 10,
	NT_GO_BUILD_ID = 4, /* cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG */
};

static void elf_close(Elf **elf)
{
	elf_end(*elf);
}

/* What libelf would believe: class, byte order, table sizes. */
static int check_ehdr(struct bin *b, Elf64_Ehdr *h, struct err *e)
{
	uint8_t id[EI_NIDENT];

	if (io_read(b->io, 0, id, sizeof(id)) || memcmp(id, ELFMAG, SELFMAG))
		return err_set(e, -EINVAL, "not an ELF file");
	if (id[EI_CLASS] != ELFCLASS64)
		return err_set(e, -ENOTSUP,
			       "a 32-bit ELF file: only 64-bit programs are supported");
	if (id[EI_DATA] != ELFDATA2LSB)
		return err_set(e, -ENOTSUP,
			       "a big-endian ELF file: only little-endian programs are supported");
	if (io_read(b->io, 0, h, sizeof(*h)))
		return err_set(e, -EINVAL, "the ELF file is truncated: it ends in its header");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return err_set(e, -EINVAL,
			       "the ELF file is of type %u: neither an executable nor a shared "
			       "library",
			       h->e_type);
	if (!h->e_phnum || h->e_phentsize != sizeof(Elf64_Phdr))
		return err_set(e, -EINVAL, "the ELF file has no usable program headers");
	if (h->e_phnum > PHNUM_MAX)
		return err_set(e, -EINVAL, "the ELF file claims %u program headers", h->e_phnum);
	return 0;
}

/* With e_shnum 0 the number stands in section 0's sh_size; libelf allocates what it says. */
static bool sections_sane(struct bin *b, const Elf64_Ehdr *h)
{
	Elf64_Shdr first;

	if (!h->e_shoff || h->e_shentsize != sizeof(Elf64_Shdr) ||
	    io_read(b->io, h->e_shoff, &first, sizeof(first)))
		return false;
	return (h->e_shnum ? h->e_shnum : first.sh_size) <= SHNUM_MAX;
}

static int add_segment(struct bin *b, const GElf_Phdr *p, struct err *e)
{
	if (p->p_filesz > p->p_memsz || p->p_vaddr > UINT64_MAX - p->p_memsz ||
	    p->p_offset > UINT64_MAX - p->p_filesz)
		return err_set(e, -EINVAL, "the ELF file has a segment whose size is out of range");
	if (vec_push(&b->seg, (struct bin_segment){ .vaddr = p->p_vaddr,
						    .memsz = p->p_memsz,
						    .offset = p->p_offset,
						    .filesz = p->p_filesz,
						    .flags = p->p_flags }))
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int read_phdrs(struct bin *b, Elf *elf, const Elf64_Ehdr *h, struct err *e)
{
	for (unsigned int i = 0; i < h->e_phnum; i++) {
		struct bin_part part;
		GElf_Phdr p;
		int r = 0;

		if (!gelf_getphdr(elf, i, &p))
			return err_set(e, -EINVAL, "the ELF file is truncated: %s", elf_errmsg(-1));
		part = (struct bin_part){ .vaddr = p.p_vaddr,
					  .off = p.p_offset,
					  .filesz = p.p_filesz,
					  .memsz = p.p_memsz,
					  .align = p.p_align };
		if (p.p_type == PT_LOAD)
			r = add_segment(b, &p, e);
		else if (p.p_type == PT_DYNAMIC)
			b->dynamic = part;
		else if (p.p_type == PT_TLS)
			b->tls = part;
		else if (p.p_type == PT_NOTE && vec_push(&b->note, part))
			r = err_set(e, -ENOMEM, "out of memory");
		if (r)
			return r;
	}
	if (!b->seg.n)
		return err_set(e, -EINVAL, "the ELF file has no segment to load");
	return io_note(b->io, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr));
}

/* The section names, NUL-terminated, "" on any doubt. */
static int read_secnames(struct bin *b, Elf *elf, size_t *len)
{
	size_t i, n = 0;
	GElf_Shdr s;

	if (!elf_getshdrstrndx(elf, &i) && gelf_getshdr(elf_getscn(elf, i), &s) &&
	    s.sh_type == SHT_STRTAB && s.sh_size <= SECNAMES_MAX)
		n = s.sh_size;
	b->secnames = calloc(1, n + 1);
	if (!b->secnames)
		return -ENOMEM;
	if (n && io_read(b->io, s.sh_offset, b->secnames, n))
		memset(b->secnames, 0, n);
	*len = n;
	return 0;
}

/* Absent, truncated or senseless section headers leave b without sections: sstrip does that. */
static int read_shdrs(struct bin *b, Elf *elf, const Elf64_Ehdr *h)
{
	size_t n, names;
	int r;

	if (!sections_sane(b, h) || elf_getshdrnum(elf, &n) || !n || n > SHNUM_MAX)
		return 0;
	r = io_note(b->io, h->e_shoff, n * sizeof(Elf64_Shdr));
	if (!r)
		r = read_secnames(b, elf, &names);
	for (size_t i = 0; i < n && !r; i++) { /* sh_link counts the unused ones too */
		struct bin_sec sec = { .name = b->secnames + names };
		GElf_Shdr s;

		if (gelf_getshdr(elf_getscn(elf, i), &s) && s.sh_type != SHT_NULL)
			sec = (struct bin_sec){
				.name = b->secnames + (s.sh_name < names ? s.sh_name : names),
				.addr = s.sh_addr,
				.size = s.sh_size,
				.off = s.sh_offset,
				.flags = s.sh_flags,
				.entsize = s.sh_entsize,
				.type = s.sh_type,
				.link = s.sh_link,
			};
		r = vec_push(&b->sec, sec);
	}
	return r;
}

static void put_hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[2 * n] = 0;
}

/* The first of each kind counts. */
static void take_note(struct bin *b, const char *name, uint32_t type, const uint8_t *desc, size_t n)
{
	if (type == NT_GNU_BUILD_ID && !memcmp(name, "GNU", 4) && n && !b->build_id[0] &&
	    n * 2 < sizeof(b->build_id))
		put_hex(b->build_id, desc, n);
	if (type == NT_GO_BUILD_ID && !memcmp(name, "Go\0", 4) && !b->go_build_id[0]) {
		n = n < sizeof(b->go_build_id) ? n : sizeof(b->go_build_id) - 1;
		memcpy(b->go_build_id, desc, n);
	}
}

/* elf(5): a note is namesz, descsz, type, then name and desc, each padded to 4 bytes. */
static void take_notes(struct bin *b, const void *p, size_t len)
{
	struct cursor c = cursor_make(p, len);

	while (!c.bad && c.pos < len) {
		uint32_t namesz = cursor_u32(&c), descsz = cursor_u32(&c), type = cursor_u32(&c);
		const char *name = cursor_bytes(&c, ((size_t)namesz + 3) & ~3ULL);
		const uint8_t *desc = cursor_bytes(&c, descsz);

		if (c.bad)
			break;
		if (namesz == 4)
			take_note(b, name, type, desc, descsz);
		if (c.pos & 3 && len - c.pos >= 4 - (c.pos & 3))
			cursor_bytes(&c, 4 - (c.pos & 3));
	}
}

static int read_notes(struct bin *b)
{
	for (size_t i = 0; i < b->sec.n; i++) {
		const struct bin_sec *s = &b->sec.v[i];

		if (s->type == SHT_NOTE &&
		    vec_push(&b->note, (struct bin_part){ .off = s->off, .filesz = s->size }))
			return -ENOMEM;
	}
	for (size_t i = 0; i < b->note.n && !(b->build_id[0] && b->go_build_id[0]); i++) {
		size_t n = b->note.v[i].filesz < NOTE_MAX ? b->note.v[i].filesz : NOTE_MAX;
		_free_ void *p = malloc(n + 1);

		if (!p)
			return -ENOMEM;
		if (!io_read(b->io, b->note.v[i].off, p, n))
			take_notes(b, p, n);
	}
	return 0;
}

int headers_read(struct bin *b, struct err *e)
{
	_cleanup_(elf_close) Elf *elf = NULL;
	Elf64_Ehdr h;
	int r;

	r = check_ehdr(b, &h, e);
	if (r)
		return r;
	b->type = h.e_type;
	b->machine = h.e_machine;
	if (h.e_shoff && !h.e_shnum && !sections_sane(b, &h))
		return err_set(e, -EINVAL, "the ELF file's section headers make no sense");
	if (elf_version(EV_CURRENT) == EV_NONE)
		return err_set(e, -EINVAL, "libelf: %s", elf_errmsg(-1));
	elf = elf_begin(io_fd(b->io), ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return err_set(e, -EINVAL, "libelf cannot read the ELF file: %s", elf_errmsg(-1));
	r = read_phdrs(b, elf, &h, e);
	if (r)
		return r;
	r = read_shdrs(b, elf, &h);
	if (!r)
		r = read_notes(b);
	if (!r)
		r = io_note(b->io, b->dynamic.off,
			    b->dynamic.filesz < DYNAMIC_MAX ? b->dynamic.filesz : DYNAMIC_MAX);
	return r ? err_set(e, r, "cannot read the ELF file's headers: %s", strerror(-r)) : 0;
}

const struct bin_sec *section_find(const struct bin *b, const char *name)
{
	for (size_t i = 0; i < b->sec.n; i++)
		if (b->sec.v[i].type != SHT_NULL && !strcmp(b->sec.v[i].name, name))
			return &b->sec.v[i];
	return NULL;
}
