/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF cores. An input that does not begin as one gets a fitting ELF header. */
#include <elf.h>

#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Elf64_Ehdr eh = { .e_ident = ELFMAG,
			  .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr) };
	uint8_t *p;

	if (size >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG)) {
		ask_bytes(data, size, core_open);
		return 0;
	}
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_phnum = size ? data[0] % 16 : 0;
	p = malloc(sizeof(eh) + size);
	memcpy(p, &eh, sizeof(eh));
	memcpy(p + sizeof(eh), data + !!size, size - !!size);
	ask_bytes(p, sizeof(eh) + size - !!size, core_open);
	free(p);
	return 0;
}
