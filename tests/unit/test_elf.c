/* SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "binary/binary.h"
#include "bytes.h"
#include "elf_writer.h"
#include "test.h"

static int open_result(const struct text *t, const char *want)
{
	struct err e = { 0 };
	struct bin *b;
	int r = bytes_open_bin(t->p, t->n, &b, &e);

	if (r && !strstr(e.text, want))
		test_failed(__FILE__, __LINE__, "the text is \"%s\", want \"%s\" in it", e.text,
			    want);
	bin_close(b);
	return r;
}

/* note: name, desc, both padded to 4 bytes */
static const char build_id_note[] = "\4\0\0\0\3\0\0\0\1\0\0\0Go\0\0abc\0" /* Go's own */
				    "\4\0\0\0\24\0\0\0\3\0\0\0GNU\0"
				    "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\xff";

static void small(struct elfw *w, uint16_t type)
{
	uint64_t base = type == ET_DYN ? 0 : 0x400000;

	elfw_init(w, type, EM_X86_64);
	elfw_load(w, PF_R | PF_X, base + 0x1040, "the code", 8, 0);
	elfw_load(w, PF_R | PF_W, base + 0x3000, build_id_note, sizeof(build_id_note) - 1, 0x2345);
	elfw_part(w, PT_NOTE, base + 0x3000, sizeof(build_id_note) - 1, 4);
	elfw_part(w, PT_TLS, base + 0x3000, 0x10, 8);
	elfw_section(w, ".text", SHT_PROGBITS, base + 0x1040, 8);
}

TEST(elf_headers)
{
	_text_ struct text t = { 0 };
	const struct bin_segment *seg;
	struct err e = { 0 };
	uint64_t x, y;
	struct elfw w;
	struct bin *b;
	char buf[8];

	small(&w, ET_EXEC);
	elfw_finish(&w, &t);
	REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
	CHECK_INT(bin_arch(b), BIN_ARCH_AMD64);
	CHECK(!bin_is_pie(b));
	CHECK(bin_is_stripped(b));
	CHECK_STR(bin_build_id(b), "0102030405060708090a0b0c0d0e0f10111213ff");
	REQUIRE(bin_segments(b, &seg) == 2);
	CHECK_INT(seg[0].vaddr, 0x401040);
	CHECK_INT(seg[0].filesz, 8);
	CHECK_INT(seg[0].flags, BIN_SEG_R | BIN_SEG_X);
	CHECK_INT(seg[1].vaddr, 0x403000);
	CHECK_INT(seg[1].memsz, 0x2345);
	CHECK(bin_tls(b, &x, &y) && x == 0x10 && y == 8);
	CHECK(bin_section(b, ".text", &x, &y) && x == 0x401040 && y == 8);
	CHECK(!bin_section(b, ".data", &x, &y));
	CHECK_INT(bin_read(b, 0x401044, buf, 4), 0);
	CHECK(!memcmp(buf, "code", 4));
	CHECK_INT(bin_read(b, 0x401044, buf, 5), -EFAULT);
	CHECK_INT(bin_read(b, 0x403000 + sizeof(build_id_note), buf, 1), -EFAULT); /* bss */
	CHECK_INT(bin_read(b, UINT64_MAX, buf, 8), -EFAULT);
	CHECK_INT(bin_bias(b, 0x400000, 0), 0);
	bin_close(b);
	elfw_free(&w);
}

TEST(elf_build_id_without_note_segment)
{
	_text_ struct text t = { 0 };
	struct err e = { 0 };
	struct elfw w;
	struct bin *b;

	elfw_init(&w, ET_EXEC, EM_AARCH64);
	elfw_load(&w, PF_R, 0x400000, build_id_note, sizeof(build_id_note) - 1, 0);
	elfw_section(&w, ".note.gnu.build-id", SHT_NOTE, 0x400000, sizeof(build_id_note) - 1);
	elfw_finish(&w, &t);
	REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
	CHECK_STR(bin_build_id(b), "0102030405060708090a0b0c0d0e0f10111213ff");
	CHECK_INT(bin_arch(b), BIN_ARCH_ARM64);
	bin_close(b);
	elfw_free(&w);
}

TEST(elf_bias)
{
	_text_ struct text t = { 0 };
	const struct bin_segment *seg;
	struct err e = { 0 };
	struct elfw w;
	struct bin *b;

	small(&w, ET_DYN);
	elfw_finish(&w, &t);
	REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
	CHECK(bin_is_pie(b));
	REQUIRE(bin_segments(b, &seg) == 2);
	/* the first segment's page, address 0x1000, lies at file offset 0x1000 */
	CHECK_INT(seg[0].offset, 0x1040);
	CHECK_INT(bin_bias(b, 0x7f0000001000, 0x1000), 0x7f0000000000);
	/* the second's, address 0x3000, at 0x2000 */
	CHECK_INT(seg[1].offset, 0x2000);
	CHECK_INT(bin_bias(b, 0x7f0000003000, 0x2000), 0x7f0000000000);
	bin_close(b);
	elfw_free(&w);
}

TEST(elf_that_is_refused)
{
	_text_ struct text t = { 0 };
	struct elfw w;
	struct err e;
	struct bin *b;

	small(&w, ET_EXEC);
	elfw_finish(&w, &t);
	CHECK_INT(bytes_open_bin("", 0, &b, &e), -EINVAL);
	CHECK_INT(bytes_open_bin("#!/bin/sh\n", 10, &b, &e), -EINVAL);
	CHECK(strstr(e.text, "not an ELF file"));
	t.p[EI_CLASS] = ELFCLASS32;
	CHECK_INT(open_result(&t, "32-bit"), -ENOTSUP);
	t.p[EI_CLASS] = ELFCLASS64;
	t.p[EI_DATA] = ELFDATA2MSB;
	CHECK_INT(open_result(&t, "big-endian"), -ENOTSUP);
	t.p[EI_DATA] = ELFDATA2LSB;
	((Elf64_Ehdr *)t.p)->e_type = ET_CORE;
	CHECK_INT(open_result(&t, "type 4"), -EINVAL);
	((Elf64_Ehdr *)t.p)->e_type = ET_EXEC;
	((Elf64_Ehdr *)t.p)->e_phnum = 0;
	CHECK_INT(open_result(&t, "program headers"), -EINVAL);
	((Elf64_Ehdr *)t.p)->e_phnum = PN_XNUM;
	CHECK_INT(open_result(&t, "65535 program headers"), -EINVAL);
	((Elf64_Ehdr *)t.p)->e_phnum = 5;
	CHECK_INT(open_result(&t, ""), 0);
	((Elf64_Phdr *)(t.p + 64))->p_filesz = 1 << 20; /* larger than in memory */
	CHECK_INT(open_result(&t, "size is out of range"), -EINVAL);
	((Elf64_Phdr *)(t.p + 64))->p_memsz = 1 << 20; /* the file is shorter */
	CHECK_INT(open_result(&t, ""), 0);
	((Elf64_Phdr *)(t.p + 64))->p_vaddr = -0x1000ULL;
	CHECK_INT(open_result(&t, "size is out of range"), -EINVAL);
	elfw_free(&w);
}

TEST(elf_that_is_no_file)
{
	_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };
	struct bin *b;
	int p[2];

	CHECK_INT(bin_open(dir, &b, &e), -EINVAL);
	REQUIRE(pipe(p) == 0);
	CHECK_INT(bin_open(p[0], &b, &e), -EINVAL);
	close(p[0]);
	close(p[1]);
	CHECK_INT(bin_open(-1, &b, &e), -EBADF);
	CHECK(e.text[0]);
}

/* Section headers are not needed: absent, beyond the end, or of senseless number or names. */
TEST(elf_with_broken_section_headers)
{
	_text_ struct text t = { 0 };
	Elf64_Ehdr *h, ok;
	struct elfw w;
	uint64_t x, y;
	struct err e;
	struct bin *b;

	small(&w, ET_EXEC);
	elfw_finish(&w, &t);
	h = (Elf64_Ehdr *)t.p;
	ok = *h;
	for (int i = 0; i < 7; i++) {
		*h = ok;
		if (i == 0)
			h->e_shoff = h->e_shnum = h->e_shstrndx = 0;
		else if (i == 1)
			h->e_shoff = t.n - 10;
		else if (i == 2)
			h->e_shoff = UINT64_MAX - 63;
		else if (i == 3)
			h->e_shnum = 60000;
		else if (i == 4)
			h->e_shentsize = 40;
		else if (i == 5)
			h->e_shoff = 0;
		else
			h->e_shstrndx = 0xfff0;
		REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
		CHECK(!bin_section(b, ".text", &x, &y));
		CHECK(bin_build_id(b)[0]);
		bin_close(b);
	}
	*h = ok;
	memset(t.p + h->e_shoff, 0, t.n - h->e_shoff); /* zeroed */
	REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
	CHECK(!bin_section(b, "", &x, &y));
	bin_close(b);
	/* the number of sections in section 0, and it is absurd */
	h->e_shnum = 0;
	((Elf64_Shdr *)(t.p + h->e_shoff))->sh_size = 1ULL << 40;
	CHECK_INT(open_result(&t, "section headers"), -EINVAL);
	elfw_free(&w);
}

/* ---- symbols */

static uint32_t add_name(struct text *t, const char *s)
{
	uint32_t at = t->n;

	REQUIRE(text_add(t, s, strlen(s) + 1) == 0);
	return at;
}

static Elf64_Sym sym(struct text *str, const char *name, unsigned int bind, unsigned int type,
		     uint16_t shndx, uint64_t addr, uint64_t size)
{
	return (Elf64_Sym){ .st_name = add_name(str, name),
			    .st_info = ELF64_ST_INFO(bind, type),
			    .st_shndx = shndx,
			    .st_value = addr,
			    .st_size = size };
}

static void check_symbol(struct bin *b, uint64_t addr, const char *want, uint64_t want_start)
{
	const char *name = "none";
	uint64_t start = 0;
	int r = bin_symbol(b, addr, &name, &start);

	CHECK_INT(r, want ? 0 : -ENOENT);
	CHECK_STR(name, want ? want : "none");
	CHECK_INT(start, want_start);
}

TEST(elf_symbols)
{
	_text_ struct text t = { 0 };
	_text_ struct text str = { 0 };
	struct err e = { 0 };
	uint64_t a, size;
	struct elfw w;
	struct bin *b;
	char code[0x200] = { 0 };

	add_name(&str, "");
	elfw_init(&w, ET_EXEC, EM_X86_64);
	elfw_load(&w, PF_R | PF_X, 0x401000, code, sizeof(code), 0);
	elfw_section(&w, ".text", SHT_PROGBITS, 0x401000, 0x100);
	elfw_section(&w, ".fini", SHT_PROGBITS, 0x401100, 0x100);
	{
		Elf64_Sym s[] = {
			{ 0 },
			sym(&str, "file.c", STB_LOCAL, STT_FILE, SHN_ABS, 0, 0),
			sym(&str, "second", STB_GLOBAL, STT_FUNC, 1, 0x401040, 0x10),
			sym(&str, "first", STB_LOCAL, STT_FUNC, 1, 0x401000, 0x20),
			sym(&str, "alias", STB_LOCAL, STT_NOTYPE, 1, 0x401000, 0),
			sym(&str, "outer", STB_GLOBAL, STT_FUNC, 1, 0x401060, 0x40),
			sym(&str, "inner", STB_GLOBAL, STT_FUNC, 1, 0x401070, 0x8),
			sym(&str, "assembly", STB_LOCAL, STT_NOTYPE, 1, 0x4010c0, 0),
			sym(&str, "undefined", STB_GLOBAL, STT_FUNC, SHN_UNDEF, 0x401080, 0x10),
			sym(&str, "twice", STB_LOCAL, STT_OBJECT, 1, 0x401010, 4),
			sym(&str, "twice", STB_GLOBAL, STT_OBJECT, 1, 0x401020, 4),
			sym(&str, "tls", STB_GLOBAL, STT_TLS, 1, 0x401000, 0x100),
			{ .st_name = 0x7fffffff,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			  .st_shndx = 1,
			  .st_value = 0x4010a8,
			  .st_size = 8 },
		};
		unsigned int link = elfw_unloaded(&w, ".strtab", SHT_STRTAB, str.p, str.n, 0, 0);

		elfw_unloaded(&w, ".symtab", SHT_SYMTAB, s, sizeof(s), link, sizeof(s[0]));
	}
	elfw_finish(&w, &t);
	REQUIRE(bytes_open_bin(t.p, t.n, &b, &e) == 0);
	CHECK(!bin_is_stripped(b));
	check_symbol(b, 0x401000, "first", 0x401000);
	check_symbol(b, 0x40101f, "first", 0x401000);
	check_symbol(b, 0x401030, NULL, 0);
	check_symbol(b, 0x40104f, "second", 0x401040);
	check_symbol(b, 0x401074, "inner", 0x401070);
	check_symbol(b, 0x401078, "outer", 0x401060);
	check_symbol(b, 0x4010d0, "assembly", 0x4010c0);
	check_symbol(b, 0x401110, NULL, 0); /* another section */
	check_symbol(b, 0x400fff, NULL, 0);
	CHECK_INT(bin_symbol(b, 0x4010aa, &(const char *){ NULL }, &a), -EINVAL);
	CHECK_INT(bin_symbol_addr(b, "second", &a, &size), 0);
	CHECK(a == 0x401040 && size == 0x10);
	CHECK_INT(bin_symbol_addr(b, "twice", &a, &size), 0);
	CHECK(a == 0x401020); /* global before local */
	CHECK_INT(bin_symbol_addr(b, "undefined", &a, &size), -ENOENT);
	CHECK_INT(bin_symbol_addr(b, "sec", &a, &size), -ENOENT);
	CHECK_INT(bin_symbol_addr(b, "econd", &a, &size), -ENOENT);
	bin_close(b);
	elfw_free(&w);
}

/* A program that is not Go's and that we know from inside: this one. */
TEST(elf_self)
{
	_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t bias = 0, addr, size, start;
	struct err e = { 0 };
	const char *name;
	char line[4096];
	struct bin *b;
	struct stat st;
	Dl_info info;
	FILE *maps;

	REQUIRE(bin_open(fd, &b, &e) == 0);
	CHECK(!bin_go(b)->is_go);
	CHECK(!bin_is_stripped(b));
	REQUIRE(fstat(fd, &st) == 0);
	maps = fopen("/proc/self/maps", "re");
	REQUIRE(maps);
	while (fgets(line, sizeof(line), maps)) { /* our lowest mapping */
		uint64_t lo, hi, off, inode;

		REQUIRE(sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64, &lo,
			       &hi, &off, &inode) == 4);
		if (inode != st.st_ino)
			continue;
		bias = bin_bias(b, lo, off);
		break;
	}
	fclose(maps);
	CHECK_INT(bin_symbol_addr(b, "bin_open", &addr, &size), 0);
	CHECK_INT(addr + bias, (uintptr_t)bin_open);
	REQUIRE(bin_symbol(b, (uintptr_t)bin_open - bias + size - 1, &name, &start) == 0);
	CHECK_STR(name, "bin_open");
	CHECK_INT(start + bias, (uintptr_t)bin_open);
	if (bin_is_pie(b) && dladdr((void *)bin_open, &info))
		CHECK_INT(bias, (uintptr_t)info.dli_fbase);
	bin_close(b);
}

/* ---- pieces */

struct copy {
	const struct text *from;
	int fd;
	uint64_t last_end, bytes;
};

static int copy_piece(void *ctx, uint64_t off, uint64_t len)
{
	struct copy *c = ctx;

	CHECK(len > 0 && off + len <= c->from->n);
	CHECK(off >= c->last_end); /* sorted, apart */
	c->last_end = off + len;
	c->bytes += len;
	return pwrite(c->fd, c->from->p + off, len, off) == (ssize_t)len ? 0 : -EIO;
}

static int stop(void *ctx, uint64_t off, uint64_t len)
{
	++*(int *)ctx;
	return 7;
}

static void check_same(const struct bin *a, const struct bin *b)
{
	const struct bin_go *x = bin_go(a), *y = bin_go(b);
	const struct bin_segment *s, *t;
	size_t n = bin_segments(a, &s);

	REQUIRE(bin_segments(b, &t) == n);
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(s[i].vaddr, t[i].vaddr);
		CHECK_INT(s[i].memsz, t[i].memsz);
		CHECK_INT(s[i].offset, t[i].offset);
		CHECK_INT(s[i].filesz, t[i].filesz);
		CHECK_INT(s[i].flags, t[i].flags);
	}
	CHECK_STR(bin_build_id(a), bin_build_id(b));
	CHECK_STR(x->version, y->version);
	CHECK_STR(x->module, y->module);
	CHECK_INT(x->is_go, y->is_go);
	CHECK_INT(x->from_string, y->from_string);
	CHECK_INT(x->cgo, y->cgo);
	CHECK_INT(x->pclntab, y->pclntab);
	CHECK_INT(x->magic, y->magic);
	CHECK_INT(x->nfunc, y->nfunc);
	CHECK_STR(x->found_by ? x->found_by : "", y->found_by ? y->found_by : "");
	CHECK_INT(bin_arch(a), bin_arch(b));
	CHECK_INT(bin_is_pie(a), bin_is_pie(b));
	CHECK_INT(bin_is_stripped(a), bin_is_stripped(b));
}

TEST(elf_pieces_open_the_same_way)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		for (int bits = 0; bits < 12; bits++) {
			_close_ int fd = memfd_create("sparse", MFD_CLOEXEC);
			_text_ struct text t = { 0 };
			struct gow g = { .magic = magics[i],
					 .machine = EM_X86_64,
					 .pie = bits & 1,
					 .sections = bits & 2,
					 .buildinfo = bits / 4,
					 .version = i == 0   ? "go1.15.1"
						    : i == 1 ? "go1.16"
						    : i == 2 ? "go1.18.2"
							     : "go1.22.0",
					 .modinfo = "path\tx\nmod\tx\tv1\nbuild\tCGO_ENABLED=1\n" };
			struct copy c = { .from = &t, .fd = fd };
			struct gow_place p;
			struct bin *a, *b;
			struct err e = { 0 };
			int calls = 0;

			gow_make(&g, &t, &p);
			REQUIRE(bytes_open_bin(t.p, t.n, &a, &e) == 0);
			REQUIRE(ftruncate(fd, t.n) == 0);
			CHECK_INT(bin_pieces(a, copy_piece, &c), 0);
			CHECK_INT(bin_pieces(a, stop, &calls), 7);
			CHECK_INT(calls, 1);
			REQUIRE(bin_open(fd, &b, &e) == 0);
			CHECK_STR(bin_go(a)->version, g.version);
			CHECK_INT(bin_go(a)->pclntab, p.pclntab);
			check_same(a, b);
			/* code is no part of it */
			CHECK(c.bytes < t.n - (p.etext - p.text));
			bin_close(a);
			bin_close(b);
		}
}

/* What of each byte of the first function is asked for, in one line. */
static void ask_names(struct bin *b, uint64_t text, const struct gow_place *p, struct text *out)
{
	struct bin_frame f[8];
	struct bin_func fn = { 0 };
	uint64_t entry = 0;
	uint32_t delta = 0;
	size_t n = 0;

	for (uint64_t pc = p->text; pc < p->text + gow_funcs[0].row[0].size; pc++) {
		int r[] = { bin_go_func(b, text, pc, &fn),
			    bin_go_frames(b, text, pc, f, ARRAY_LEN(f), &n),
			    bin_go_sp_delta(b, text, pc, &delta, &entry) };

		REQUIRE(!r[0] && !r[1] && n);
		REQUIRE(!text_printf(out, "%s %llx %d %u %llx %d:", fn.name,
				     (unsigned long long)fn.end, r[2], delta,
				     (unsigned long long)entry, bin_go_is_wrapper(b, text, pc)));
		for (size_t i = 0; i < n; i++)
			REQUIRE(!text_printf(out, " %s %s:%u", f[i].func, f[i].file, f[i].line));
	}
}

/* What was asked between bin_record and bin_scraps is answered by these parts alone, also when all
 * of it was asked before; and they are not the whole file. */
TEST(elf_scraps_give_the_same_names)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		for (int bits = 0; bits < 16; bits++) {
			_close_ int fd = memfd_create("sparse", MFD_CLOEXEC);
			_text_ struct text t = { 0 }, first = { 0 }, live = { 0 }, again = { 0 };
			struct gow g = { .magic = magics[i],
					 .machine = EM_X86_64,
					 .pie = bits & 1,
					 .sections = bits & 2,
					 .no_text_start = (bits & 4) && i > 1,
					 .version = "go1.22.0" };
			struct copy c = { .from = &t, .fd = fd };
			struct gow_place p;
			struct bin_func f;
			struct bin *a, *b;
			struct err e = { 0 };
			uint64_t bytes;

			gow_make(&g, &t, &p);
			REQUIRE(bytes_open_bin(t.p, t.n, &a, &e) == 0);
			REQUIRE(ftruncate(fd, t.n) == 0);
			CHECK_INT(bin_pieces(a, copy_piece, &c), 0);
			ask_names(a, bits & 8 ? p.text : 0, &p, &first);
			bytes = c.bytes;
			REQUIRE(!bin_record(a));
			CHECK_INT(bin_go_lookup(a, p.text, gow_funcs[0].name, &f), 0);
			ask_names(a, bits & 8 ? p.text : 0, &p, &live);
			CHECK_STR(live.p, first.p);
			c.last_end = 0;
			CHECK_INT(bin_scraps(a, copy_piece, &c), 0);
			CHECK(c.bytes > bytes);
			CHECK_INT(bin_scraps(a, copy_piece, &c), 0); /* it has ended */
			REQUIRE(bin_open(fd, &b, &e) == 0);
			ask_names(b, bits & 8 ? p.text : 0, &p, &again);
			CHECK_STR(again.p, live.p);
			CHECK(c.bytes - bytes < t.n - (p.etext - p.text));
			bin_close(a);
			bin_close(b);
		}
}

/* ---- hostile */

static void exercise(const void *p, size_t n)
{
	struct err e = { 0 };
	struct bin_func f;
	const char *s;
	uint32_t line;
	uint64_t x, y;
	struct bin *b;
	char buf[16];
	int r = bytes_open_bin(p, n, &b, &e);

	if (r) {
		CHECK(r == -EINVAL || r == -ENOTSUP);
		CHECK_INT(e.code, r);
		CHECK(e.text[0]);
		return;
	}
	bin_section(b, ".text", &x, &y);
	bin_symbol(b, 0x401010, &s, &x);
	bin_symbol_addr(b, "main", &x, &y);
	bin_go_func(b, 0, 0x401010, &f);
	bin_go_lookup(b, 0x401000, "main.main", &f);
	bin_go_line(b, 0x401000, 0x401060, &s, &line);
	bin_read(b, 0x401000, buf, sizeof(buf));
	bin_close(b);
}

TEST(elf_survives_truncation_everywhere)
{
	_text_ struct text t = { 0 };
	struct gow g = { .magic = 0xfffffff1,
			 .machine = EM_X86_64,
			 .pie = true,
			 .sections = true,
			 .version = "go1.22.0" };
	struct gow_place p;

	gow_make(&g, &t, &p);
	for (size_t n = 0; n < t.n; n += n < 0x200 || n > t.n - 0x900 ? 1 : 61)
		exercise(t.p, n);
}

TEST(elf_survives_flipped_headers)
{
	static const uint8_t flips[] = { 0x01, 0x10, 0x80, 0xff };

	for (int pie = 0; pie < 2; pie++) {
		_text_ struct text t = { 0 };
		struct gow g = { .magic = 0xfffffffa,
				 .machine = EM_X86_64,
				 .pie = pie,
				 .sections = true,
				 .buildinfo = GOW_POINTER,
				 .version = "go1.17.0" };
		struct gow_place p;
		uint64_t shoff;

		gow_make(&g, &t, &p);
		shoff = ((Elf64_Ehdr *)t.p)->e_shoff;
		for (size_t i = 0; i < t.n * 4; i++) {
			size_t at = i / 4;

			if (at >= 64 + 4 * 56 && at < shoff)
				continue;
			t.p[at] ^= flips[i % 4];
			exercise(t.p, t.n);
			t.p[at] ^= flips[i % 4];
		}
	}
}

/* A library can be overwritten in place while we read it. */
TEST(elf_that_shrinks_while_open)
{
	_text_ struct text t = { 0 };
	struct gow g = {
		.magic = 0xfffffff1, .machine = EM_X86_64, .sections = true, .version = "go1.22.0"
	};
	struct err e = { 0 };
	struct gow_place p;
	struct bin_func f;
	struct bin *b;
	char buf[16];
	int fd;

	gow_make(&g, &t, &p);
	for (size_t i = 0; i < 2000; i++) /* past what a cache may hold */
		REQUIRE(text_add(&t, build_id_note, sizeof(build_id_note)) == 0);
	fd = bytes_fd(t.p, t.n);
	REQUIRE(bin_open(fd, &b, &e) == 0);
	REQUIRE(ftruncate(fd, 100) == 0);
	bin_go_lookup(b, p.text, "main.main", &f);
	CHECK(bin_read(b, p.text, buf, sizeof(buf)) == -EFAULT || buf[0] == (char)0xcc);
	bin_close(b);
	close(fd);
}

/* Segments that all claim a huge file: the time must not follow. */
TEST(elf_huge_and_sparse)
{
	_close_ int fd = memfd_create("huge", MFD_CLOEXEC);
	struct err e = { 0 };
	Elf64_Phdr ph[200];
	Elf64_Ehdr h;
	struct elfw w;
	struct bin *b;

	elfw_init(&w, ET_EXEC, EM_X86_64);
	h = w.h;
	h.e_phnum = ARRAY_LEN(ph);
	h.e_shnum = 0;
	for (size_t i = 0; i < ARRAY_LEN(ph); i++)
		ph[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
				      .p_flags = PF_R | PF_W,
				      .p_filesz = 1ULL << 40,
				      .p_memsz = 1ULL << 40 };
	REQUIRE(pwrite(fd, &h, sizeof(h), 0) == sizeof(h));
	REQUIRE(pwrite(fd, ph, sizeof(ph), sizeof(h)) == sizeof(ph));
	if (ftruncate(fd, 1ULL << 40))
		SKIP("no sparse file of 1 TiB here");
	REQUIRE(bin_open(fd, &b, &e) == 0);
	CHECK(!bin_go(b)->is_go);
	bin_close(b);
	elfw_free(&w);
}
