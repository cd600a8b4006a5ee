/* SPDX-License-Identifier: BSD-2-Clause */
#include "large_writer.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void large_name(unsigned int i, char out[NAME])
{
	snprintf(out, NAME, "example.org/module/p%07u.(*T).Method", i);
}

static void put(int fd, uint64_t off, const void *p, size_t n)
{
	if (pwrite(fd, p, n, off) != (ssize_t)n)
		abort();
}

/* The functions from `from` on: their names, places and descriptions. */
static void put_functions(int fd, unsigned int from, unsigned int n)
{
	static char names[AT_ONCE][NAME];
	static uint32_t ftab[AT_ONCE][2], funcs[AT_ONCE][FUNC / 4];

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = from + k;

		large_name(i, names[k]);
		ftab[k][0] = i * CODE;
		ftab[k][1] = FTAB + i * FUNC;
		/* entry, name, …, programs of file and line, …, unit, first line */
		memcpy(funcs[k],
		       (uint32_t[FUNC / 4]){ i * CODE, i * NAME, 0, 0, 0, 1, 4, 0, 0, LINE }, FUNC);
	}
	put(fd, RO_OFF + NAMES + (uint64_t)from * NAME, names, n * sizeof(names[0]));
	put(fd, RO_OFF + FUNCTIONS + from * 8, ftab, n * sizeof(ftab[0]));
	put(fd, RO_OFF + FUNCTIONS + FTAB + from * FUNC, funcs, n * sizeof(funcs[0]));
}

/* runtime/symtab.go, pcHeader; magic of Go 1.20 to 1.27. */
static void put_table(int fd)
{
	const uint64_t header[] = { 0x08010000fffffff1, FUNCS,	  1, TEXT, NAMES, UNITS, FILES,
				    PROGRAMS,		FUNCTIONS };
	/* {file 0 − −1, 32 bytes, end}, {line 42 − −1, 32 bytes, end}, from 1 on */
	const uint8_t programs[] = { 0, 2, CODE, 0, 2 * (LINE + 1), CODE, 0 };
	const uint32_t end = FUNCS * CODE;

	_Static_assert(sizeof(header) == NAMES, "names follow the header");
	put(fd, RO_OFF, header, sizeof(header));
	put(fd, RO_OFF + FILES, "big.go", 7);
	put(fd, RO_OFF + PROGRAMS, programs, sizeof(programs));
	for (unsigned int i = 0; i < FUNCS; i += AT_ONCE)
		put_functions(fd, i, FUNCS - i < AT_ONCE ? FUNCS - i : AT_ONCE);
	put(fd, RO_OFF + FUNCTIONS + 8 * FUNCS, &end, 4);
}

static Elf64_Phdr load(uint32_t flags, uint64_t off, uint64_t vaddr, uint64_t filesz,
		       uint64_t memsz)
{
	return (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = flags,
			     .p_offset = off,
			     .p_vaddr = vaddr,
			     .p_filesz = filesz,
			     .p_memsz = memsz,
			     .p_align = 0x1000 };
}

/* An executable with that table, in memory: for the caller to close. */
int large_program(void)
{
	static const char names[] = "\0.gopclntab\0.go.buildinfo\0.shstrtab";
	static const char info[64] = "\xff Go buildinf:\x08\x02";
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(h),
			 .e_shoff = SECTIONS_OFF,
			 .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3,
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shnum = 4,
			 .e_shstrndx = 3 };
	const Elf64_Phdr ph[] = {
		load(PF_R | PF_X, 0x1000, TEXT, 0x1000, FUNCS * CODE),
		load(PF_R, RO_OFF, RO, TABLE, TABLE),
		load(PF_R | PF_W, DATA_OFF, DATA, 0x400, 0x400),
	};
	const Elf64_Shdr sh[] = {
		{ 0 },
		{ 1, SHT_PROGBITS, SHF_ALLOC, RO, RO_OFF, TABLE, 0, 0, 32, 0 },
		{ 12, SHT_PROGBITS, SHF_ALLOC, DATA, DATA_OFF, sizeof(info), 0, 0, 16, 0 },
		{ 26, SHT_STRTAB, 0, 0, DATA_OFF + 0x800, sizeof(names), 0, 0, 1, 0 },
	};
	int fd = memfd_create("large", MFD_CLOEXEC);

	put(fd, 0, &h, sizeof(h));
	put(fd, sizeof(h), ph, sizeof(ph));
	put(fd, DATA_OFF, info, sizeof(info));
	put(fd, DATA_OFF + 32, "\x08go1.26.8", 10); /* and no modules */
	put(fd, DATA_OFF + 0x800, names, sizeof(names));
	put(fd, SECTIONS_OFF, sh, sizeof(sh));
	put_table(fd);
	return fd;
}
