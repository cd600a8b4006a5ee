/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function table of 144 MB, as the largest programs have: what a lookup reads and what stays in
 * memory, by the kernel's counts of both.
 */
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "binary/shelf.h"
#include "collect/owned.h"
#include "collect/profile_impl.h"

enum {
	FUNCS = 1650000,
	CODE = 32, /* bytes of each */
	FUNC = 44, /* sizeof(_func) of Go 1.20 */
	LINE = 42,
	NAME = 40, /* bytes of each name, its end included */
	FTAB = 8 * FUNCS + 4,
	AT_ONCE = 8192,
	TEXT = 0x400000,
	RO = 0x10000000,
	DATA = 0x20000000,
	RO_OFF = 0x2000,
};

/* Parts of the table, by offset: header, names, units, files, programs of lines, functions. */
enum {
	NAMES = 72,
	UNITS = NAMES + FUNCS * NAME,
	FILES = UNITS + 8,
	PROGRAMS = FILES + 8,
	FUNCTIONS = PROGRAMS + 64,
	TABLE = FUNCTIONS + FTAB + FUNCS * FUNC,
	DATA_OFF = (RO_OFF + TABLE + 0xfff) & ~0xfff,
	SECTIONS_OFF = DATA_OFF + 0x1000,
#ifdef __SANITIZE_ADDRESS__
	SANITIZED = true,
#else
	SANITIZED = false,
#endif
};
_Static_assert(TABLE >= 144 << 20, "as large as those that are meant");

static void name_of(unsigned int i, char out[NAME])
{
	snprintf(out, NAME, "example.org/module/p%07u.(*T).Method", i);
}

static void put(int fd, uint64_t off, const void *p, size_t n)
{
	REQUIRE(pwrite(fd, p, n, off) == (ssize_t)n);
}

/* The functions from `from` on: their names, places and descriptions. */
static void put_functions(int fd, unsigned int from, unsigned int n)
{
	static char names[AT_ONCE][NAME];
	static uint32_t ftab[AT_ONCE][2], funcs[AT_ONCE][FUNC / 4];

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = from + k;

		name_of(i, names[k]);
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
static int program(void)
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

	REQUIRE(fd >= 0);
	put(fd, 0, &h, sizeof(h));
	put(fd, sizeof(h), ph, sizeof(ph));
	put(fd, DATA_OFF, info, sizeof(info));
	put(fd, DATA_OFF + 32, "\x08go1.26.8", 10); /* and no modules */
	put(fd, DATA_OFF + 0x800, names, sizeof(names));
	put(fd, SECTIONS_OFF, sh, sizeof(sh));
	put_table(fd);
	return fd;
}

/* ---- witnesses */

static uint64_t field(const char *path, const char *name)
{
	_text_ struct text t = { 0 };
	uint64_t v = 0;

	REQUIRE(!text_read_at(AT_FDCWD, path, 1 << 16, &t) && text_field_u64(t.p, name, &v));
	return v;
}

/* Bytes that this process has read so far. */
static uint64_t bytes_read(void)
{
	return field("/proc/self/io", "rchar:");
}

/* From here on the peak is that of what follows. The resident set, bytes. */
static uint64_t forget_peak(void)
{
	_close_ int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, "5", 1) == 1);
	return field("/proc/self/status", "VmRSS:");
}

static void between(uint64_t x, uint64_t low, uint64_t high)
{
	if (x < low || x > high)
		test_failed(__FILE__, __LINE__, "%" PRIu64 ", want %" PRIu64 " to %" PRIu64, x, low,
			    high);
}

/* ---- */

static int open_it(void *owner, const char *path, uint64_t start, uint64_t end, int *fd)
{
	*fd = fcntl(*(int *)owner, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static void is_function(const struct bin_func *f, unsigned int i)
{
	char name[NAME];

	name_of(i, name);
	CHECK_STR(f->name, name);
	CHECK_INT(f->entry, TEXT + (uint64_t)i * CODE);
	CHECK_INT(f->end, TEXT + (uint64_t)(i + 1) * CODE);
}

static void by_address(struct bin *b, unsigned int i, uint64_t *most)
{
	uint64_t before = bytes_read(), pc = TEXT + (uint64_t)i * CODE + CODE - 1, n;
	struct bin_func f = { 0 };
	const char *file = "";
	uint32_t line = 0;

	CHECK_INT(bin_go_func(b, 0, pc, &f), 0);
	is_function(&f, i);
	CHECK_INT(bin_go_line(b, 0, pc, &file, &line), 0);
	CHECK_STR(file, "big.go");
	CHECK_INT(line, LINE);
	n = bytes_read() - before;
	*most = n > *most ? n : *most;
}

static void by_name(struct bin *b, unsigned int i, uint64_t *most)
{
	uint64_t before = bytes_read(), n;
	struct bin_func f = { 0 };
	char name[NAME];

	name_of(i, name);
	CHECK_INT(bin_go_lookup(b, 0, name, &f), 0);
	is_function(&f, i);
	n = bytes_read() - before;
	*most = n > *most ? n : *most;
}

static void check_lookups(struct bin *b)
{
	static const unsigned int chosen[] = { 0, 1, FUNCS / 2, FUNCS - 2, FUNCS - 1 };
	/* one block of 16 KiB for each step of a search among 2^21, and some for what it finds */
	const uint64_t search = (21 + 11) * (16 << 10);
	uint64_t address = 0, name = 0, before, seed = 1;
	struct bin_func f;

	for (size_t i = 0; i < ARRAY_LEN(chosen); i++) {
		by_address(b, chosen[i], &address);
		by_name(b, chosen[i], &name);
	}
	for (int i = 0; i < 200; i++)
		by_address(b, test_random(&seed) % FUNCS, &address);
	CHECK(address && address < search);
	/* by name: one pass over the names, none over the functions */
	CHECK(name > (uint64_t)FUNCS * NAME / 2 && name < (uint64_t)FUNCS * NAME + search);
	before = bytes_read();
	CHECK_INT(bin_go_lookup(b, 0, "example.org/module/p1650000.(*T).Method", &f), -ENOENT);
	CHECK_INT(bin_go_func(b, 0, TEXT + (uint64_t)FUNCS * CODE, &f), -ENOENT);
	CHECK_INT(bin_go_func(b, 0, TEXT - 1, &f), -ENOENT);
	CHECK(bytes_read() - before < (uint64_t)FUNCS * NAME + 2 * search);
}

/* The executable's profile: all functions one after another, the largest by name. */
static void check_profile(struct bin *b)
{
	range_vec owned = { 0 };
	struct making *k = calloc(1, sizeof(*k));
	struct profile p = { 0 };
	uint64_t rss = forget_peak(), before = bytes_read(), sum = 0;
	const uint64_t code = (uint64_t)FUNCS * CODE;

	REQUIRE(k && !profile_init(&p));
	k->p = &p;
	p.ntypes = 2;
	REQUIRE(!range_append(&owned, TEXT, TEXT + code,
			      OWNED_RESIDENT | OWNED_MAPPED | CAT_BINARY_TEXT));
	REQUIRE(!range_append(&owned, RO, RO + TABLE,
			      OWNED_RESIDENT | OWNED_MAPPED | CAT_BINARY_RODATA));
	CHECK_INT(profile_fill_binary(k, b, 0, NULL, 0, &owned), 0);
	for (size_t i = 0; i < p.samples.n; i++)
		sum += p.samples.v[i].value[0];
	CHECK_INT(sum, code + TABLE);
	between(p.samples.n, 65000, 90000); /* 65,536 names, 16,384 packages */
	/* the table of functions twice, their names once, and blocks that several of them share */
	between(bytes_read() - before, TABLE / 2, 4ULL * TABLE);
	/* what is named, 300 bytes each */
	CHECK(SANITIZED || field("/proc/self/status", "VmHWM:") < rss + (48 << 20));
	profile_free(&p);
	vec_free(&owned);
	free(k);
}

TEST(pclntab_of_144_MB_is_never_read_whole)
{
	_close_ int fd = program();
	struct shelf_opener o = { .open = open_it, .owner = &fd, .path = "large" };
	struct shelf *shelf = NULL;
	struct err e = { 0 };
	struct bin *b = NULL;
	uint64_t before, rss;

	REQUIRE(!shelf_create(0, &shelf));
	rss = forget_peak();
	before = bytes_read();
	REQUIRE(!shelf_get(shelf, &o, &b, &e));
	CHECK(bytes_read() - before < 1 << 20);
	CHECK_INT(bin_go(b)->nfunc, FUNCS);
	CHECK_STR(bin_go(b)->version, "go1.26.8");
	check_lookups(b);
	/* an index of 8 bytes a function would be 12 MiB; sanitizers keep what is freed */
	CHECK(SANITIZED || field("/proc/self/status", "VmHWM:") < rss + (8 << 20));
	check_profile(b);
	shelf_put(shelf, b, &fd);
	shelf_destroy(shelf);
}
