/* SPDX-License-Identifier: BSD-2-Clause */
/* packed FILE OUT: makes OUT, which holds the static program FILE in disguise and, when it is run,
 * puts it into anonymous memory and jumps there, as packers of executables do. amd64, ET_EXEC. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark[8] = "disguise";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t *slurp(const char *path, size_t *n)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	*n = st.st_size;
	return p;
}

/* OUT is this program, the other one in disguise, its size, and the mark. */
static int pack(const char *file, const char *out)
{
	size_t nself, n;
	uint8_t *self = slurp("/proc/self/exe", &nself), *p = slurp(file, &n);
	int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	uint64_t size = n;

	for (size_t i = 0; i < n; i++)
		p[i] ^= 0x5a;
	if (fd < 0 || write(fd, self, nself) != (ssize_t)nself || write(fd, p, n) != (ssize_t)n ||
	    write(fd, &size, 8) != 8 || write(fd, mark, 8) != 8 || close(fd))
		die(out);
	return 0;
}

static void load(const Elf64_Phdr *ph, const uint8_t *file)
{
	uint64_t start = ph->p_vaddr & ~4095ULL, end = ph->p_vaddr + ph->p_memsz;
	uint8_t *to = (uint8_t *)ph->p_vaddr;
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);

	if (mmap((void *)start, end - start, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		die("mmap");
	for (uint64_t i = 0; i < ph->p_filesz; i++)
		to[i] = file[ph->p_offset + i] ^ 0x5a;
	if (mprotect((void *)start, end - start, prot))
		die("mprotect");
}

int main(int argc, char **argv)
{
	size_t n;
	uint8_t *self = slurp("/proc/self/exe", &n), head[4096];
	Elf64_auxv_t *aux;
	const Elf64_Ehdr *eh = (void *)head;
	const Elf64_Phdr *ph;
	uint64_t size;
	char **env;

	if (n < 16 || memcmp(self + n - 8, mark, 8)) {
		if (argc == 3)
			return pack(argv[1], argv[2]);
		fprintf(stderr, "packed FILE OUT\n");
		return 2;
	}
	memcpy(&size, self + n - 16, 8);
	self += n - 16 - size;
	for (size_t i = 0; i < sizeof(head); i++)
		head[i] = self[i] ^ 0x5a;
	ph = (void *)(head + eh->e_phoff);
	for (unsigned int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			load(&ph[i], self);
	for (env = argv + argc + 1; *env; env++)
		;
	for (aux = (void *)(env + 1); aux->a_type; aux++) {
		if (aux->a_type == AT_ENTRY)
			aux->a_un.a_val = eh->e_entry;
		if (aux->a_type == AT_PHNUM)
			aux->a_un.a_val = eh->e_phnum;
		if (aux->a_type == AT_PHDR)
			aux->a_un.a_val = ph[0].p_vaddr - ph[0].p_offset + eh->e_phoff;
	}
#ifdef __x86_64__
	__asm__ volatile("mov %0, %%rsp; xor %%edx, %%edx; jmp *%1"
			 :
			 : "r"(argv - 1), "r"(eh->e_entry)
			 : "memory");
#endif
	return 1;
}
