/* SPDX-License-Identifier: BSD-2-Clause */
#include "elf_writer.h"

#include <string.h>

static void add(struct text *t, const void *p, size_t n)
{
	if (text_add(t, p, n))
		abort();
}

static void zeros(struct text *t, size_t n)
{
	static const char z[64];

	for (; n > sizeof(z); n -= sizeof(z))
		add(t, z, sizeof(z));
	add(t, z, n);
}

static void align_to(struct text *t, size_t a)
{
	zeros(t, -t->n & (a - 1));
}

void elfw_init(struct elfw *w, uint16_t type, uint16_t machine)
{
	*w = (struct elfw){ .h = { .e_type = type,
				   .e_machine = machine,
				   .e_version = EV_CURRENT,
				   .e_phoff = sizeof(Elf64_Ehdr),
				   .e_ehsize = sizeof(Elf64_Ehdr),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_shnum = 1,
				   .e_shentsize = sizeof(Elf64_Shdr) } };
	memcpy(w->h.e_ident, ELFMAG, SELFMAG);
	w->h.e_ident[EI_CLASS] = ELFCLASS64;
	w->h.e_ident[EI_DATA] = ELFDATA2LSB;
	w->h.e_ident[EI_VERSION] = EV_CURRENT;
	add(&w->names, "", 1);
}

void elfw_free(struct elfw *w)
{
	text_free(&w->names);
	text_free(&w->body);
}

static Elf64_Phdr *new_phdr(struct elfw *w)
{
	if (w->h.e_phnum == ARRAY_LEN(w->ph))
		abort();
	return &w->ph[w->h.e_phnum++];
}

void elfw_load(struct elfw *w, uint32_t flags, uint64_t vaddr, const void *p, size_t n,
	       uint64_t memsz)
{
	align_to(&w->body, ELFW_PAGE);
	zeros(&w->body, vaddr % ELFW_PAGE);
	*new_phdr(w) = (Elf64_Phdr){ .p_type = PT_LOAD,
				     .p_flags = flags,
				     .p_offset = ELFW_BODY + w->body.n,
				     .p_vaddr = vaddr,
				     .p_paddr = vaddr,
				     .p_filesz = n,
				     .p_memsz = memsz > n ? memsz : n,
				     .p_align = ELFW_PAGE };
	add(&w->body, p, n);
}

uint64_t elfw_off(const struct elfw *w, uint64_t vaddr)
{
	for (unsigned int i = 0; i < w->h.e_phnum; i++)
		if (w->ph[i].p_type == PT_LOAD && vaddr >= w->ph[i].p_vaddr &&
		    vaddr - w->ph[i].p_vaddr <= w->ph[i].p_filesz)
			return vaddr - w->ph[i].p_vaddr + w->ph[i].p_offset;
	abort();
}

void elfw_part(struct elfw *w, uint32_t type, uint64_t vaddr, uint64_t size, uint64_t align)
{
	*new_phdr(w) = (Elf64_Phdr){ .p_type = type,
				     .p_flags = PF_R,
				     .p_offset = elfw_off(w, vaddr),
				     .p_vaddr = vaddr,
				     .p_filesz = size,
				     .p_memsz = size,
				     .p_align = align };
}

static unsigned int new_section(struct elfw *w, const char *name, const Elf64_Shdr *s)
{
	if (w->h.e_shnum == ARRAY_LEN(w->sh))
		abort();
	w->sh[w->h.e_shnum] = *s;
	w->sh[w->h.e_shnum].sh_name = w->names.n;
	add(&w->names, name, strlen(name) + 1);
	return w->h.e_shnum++;
}

unsigned int elfw_section(struct elfw *w, const char *name, uint32_t type, uint64_t vaddr,
			  uint64_t size)
{
	return new_section(w, name,
			   &(Elf64_Shdr){ .sh_type = type,
					  .sh_flags = SHF_ALLOC,
					  .sh_addr = vaddr,
					  .sh_offset = elfw_off(w, vaddr),
					  .sh_size = size,
					  .sh_entsize = type == SHT_RELA ? 24 : 0 });
}

unsigned int elfw_unloaded(struct elfw *w, const char *name, uint32_t type, const void *p, size_t n,
			   uint32_t link, uint64_t entsize)
{
	align_to(&w->body, 8);
	add(&w->body, p, n);
	return new_section(w, name,
			   &(Elf64_Shdr){ .sh_type = type,
					  .sh_offset = ELFW_BODY + w->body.n - n,
					  .sh_size = n,
					  .sh_link = link,
					  .sh_entsize = entsize });
}

void elfw_finish(struct elfw *w, struct text *out)
{
	Elf64_Ehdr h = w->h;
	struct text names = { 0 };
	Elf64_Shdr str = { .sh_name = w->names.n, .sh_type = SHT_STRTAB };
	size_t start = out->n;

	add(&names, w->names.p, w->names.n);
	add(&names, ".shstrtab", 10);
	str.sh_offset = ELFW_BODY + w->body.n;
	str.sh_size = names.n;
	if (w->no_sections) {
		h.e_shnum = 0;
	} else {
		h.e_shstrndx = h.e_shnum++;
		h.e_shoff = (ELFW_BODY + w->body.n + names.n + 7) & ~7ULL;
	}
	add(out, &h, sizeof(h));
	add(out, w->ph, h.e_phnum * sizeof(w->ph[0]));
	zeros(out, start + ELFW_BODY - out->n);
	add(out, w->body.p, w->body.n);
	if (!w->no_sections) {
		add(out, names.p, names.n);
		zeros(out, start + h.e_shoff - out->n);
		add(out, w->sh, w->h.e_shnum * sizeof(w->sh[0]));
		add(out, &str, sizeof(str));
	}
	text_free(&names);
}
