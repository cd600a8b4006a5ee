/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF cores, put together here byte by byte. */
#include "bytes.h"
#include "ranges.h"
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/maps.h"
#include "source/memsrc.h"
#include "proc/status.h"

static void close_source(struct memsrc **m)
{
	memsrc_close(*m);
}
#define _memsrc_ _cleanup_(close_source) struct memsrc *

enum {
	PAGE = 4096,
	EXE = 0x400000,
	HEAP = 0x900000,
	LIB = 0x7f0000000000,
	STACK = 0x7ffd00000000,
};
#define EXE_PATH "/opt/no such/prog"

struct image {
	uint8_t *p;
	size_t n;
	int nseg;
};

static void put(struct text *t, const void *p, size_t n)
{
	REQUIRE(!text_add(t, p, n));
}

static void put_u64(struct text *t, uint64_t x)
{
	put(t, &x, 8);
}

static void put_note(struct text *t, uint32_t type, const void *desc, uint32_t n)
{
	uint32_t head[3] = { 5, n, type };

	put(t, head, sizeof(head));
	put(t, "CORE\0\0\0", 8);
	put(t, desc, n);
	put(t, "\0\0\0", -n & 3);
}

static void put_prstatus(struct text *t, uint32_t tid, uint64_t sp, uint64_t pc)
{
	uint8_t d[336] = { 0 };

	memcpy(d + 32, &tid, 4);
	memcpy(d + 112 + 19 * 8, &sp, 8);
	memcpy(d + 112 + 16 * 8, &pc, 8);
	put_note(t, NT_PRSTATUS, d, sizeof(d));
}

static void put_psinfo(struct text *t)
{
	uint8_t d[136] = { 0 };
	uint32_t pid = 4711;

	memcpy(d + 24, &pid, 4);
	strcpy((char *)d + 40, "prog");
	strcpy((char *)d + 56, EXE_PATH " -x 1 ");
	put_note(t, NT_PRPSINFO, d, sizeof(d));
}

static void put_files(struct text *t)
{
	_text_ struct text d = { 0 };

	put_u64(&d, 3);
	put_u64(&d, PAGE);
	for (int i = 0; i < 2; i++) {
		put_u64(&d, EXE + i * 2 * PAGE);
		put_u64(&d, EXE + (i + 1) * 2 * PAGE);
		put_u64(&d, i * 2); /* in pages */
	}
	put_u64(&d, LIB);
	put_u64(&d, LIB + 2 * PAGE);
	put_u64(&d, 5);
	put(&d, EXE_PATH "\0" EXE_PATH "\0/lib/a\nb.so",
	    sizeof(EXE_PATH "\0" EXE_PATH "\0/lib/a\nb.so"));
	put_note(t, 0x46494c45, d.p, d.n);
}

static void put_auxv(struct text *t)
{
	uint64_t v[] = { AT_PAGESZ, PAGE,      AT_PHDR,	    EXE + 64, AT_ENTRY,
			 EXE + 100, AT_RANDOM, STACK + 300, AT_NULL,  0 };

	put_note(t, NT_AUXV, v, sizeof(v));
}

static const struct seg {
	uint64_t addr;
	uint32_t pages, dumped, flags;
} segs[] = {
	{ EXE, 2, 1, PF_R | PF_X },	       /* only the page with the headers */
	{ EXE + 2 * PAGE, 2, 2, PF_R | PF_W }, /* data */
	{ EXE + 4 * PAGE, 3, 3, PF_R | PF_W }, /* bss: touches it */
	{ HEAP, 4, 4, PF_R | PF_W },	       /* [heap] */
	{ LIB, 2, 0, PF_R },		       /* not dumped */
	{ LIB + 2 * PAGE, 2, 0, 0 },	       /* PROT_NONE */
	{ STACK, 2, 2, PF_R | PF_W },
	{ 0xffffffffff600000, 1, 1, PF_X },
};
enum { NSEG = sizeof(segs) / sizeof(*segs) };

/* Page i of a segment: zeros when i is odd. */
static uint8_t core_byte(uint64_t addr)
{
	return addr / PAGE % 2 ? 0 : (addr * 7 >> 3) | 1;
}

static struct text make_core(void)
{
	_text_ struct text notes = { 0 };
	struct text t = { 0 };
	uint64_t off = 64 + 56 * (NSEG + 1);
	Elf64_Ehdr eh = { .e_ident = ELFMAG,
			  .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_phoff = 64,
			  .e_phentsize = 56,
			  .e_phnum = NSEG + 1 };
	Elf64_Phdr ph = { .p_type = PT_NOTE, .p_offset = off };

	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	put_prstatus(&notes, 4713, HEAP + 8, EXE + 200); /* the one that crashed comes first */
	put_psinfo(&notes);
	put_prstatus(&notes, 4711, STACK + 128, EXE + 300);
	put_auxv(&notes);
	put_files(&notes);
	put(&t, &eh, sizeof(eh));
	ph.p_filesz = notes.n;
	put(&t, &ph, sizeof(ph));
	off += notes.n;
	for (int i = 0; i < NSEG; i++) {
		ph = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_flags = segs[i].flags,
				   .p_offset = off,
				   .p_vaddr = segs[i].addr,
				   .p_filesz = segs[i].dumped * PAGE,
				   .p_memsz = segs[i].pages * PAGE };
		off += ph.p_filesz;
		put(&t, &ph, sizeof(ph));
	}
	put(&t, notes.p, notes.n);
	for (int i = 0; i < NSEG; i++)
		for (uint64_t b = 0; b < segs[i].dumped * PAGE; b++) {
			uint8_t x = core_byte(segs[i].addr + b);

			put(&t, &x, 1);
		}
	return t;
}

static struct memsrc *open_core(void)
{
	_text_ struct text t = make_core();
	struct memsrc *m = NULL;
	struct err e;

	if (bytes_open_memsrc(t.p, t.n, &m, &e)) {
		fprintf(stderr, "%s\n", e.text);
		REQUIRE(false);
	}
	return m;
}

static void check_text(struct memsrc *m, const char *key, const char *want)
{
	_text_ struct text t = { 0 };

	CHECK_INT(memsrc_text(m, key, 0, &t), 0);
	CHECK_STR(t.p ? t.p : "(none)", want);
}

TEST(core_texts)
{
	_memsrc_ m = open_core();
	_text_ struct text t = { 0 };
	struct proc_status st;

	CHECK_INT(memsrc_kind(m), MEMSRC_CORE);
	CHECK_INT(memsrc_pid(m), 4711);
	CHECK_INT(memsrc_page_size(m), PAGE);
	CHECK_INT(memsrc_alive(m), 0);
	check_text(m, "proc/task", "4711\n4713\n");
	check_text(m, "proc/task/4713/syscall", "-1 0x900008 0x4000c8\n");
	check_text(m, "proc/task/4711/syscall", "-1 0x7ffd00000080 0x40012c\n");
	check_text(m, "proc/comm", "prog\n");
	check_text(m, "proc/exe", EXE_PATH);
	check_text(m, "host/page_size", "4096\n");
	check_text(m, "host/uname", "\nx86_64\n");
	CHECK_INT(memsrc_text(m, "proc/task/4712/syscall", 0, &t), -ENOENT);
	CHECK_INT(memsrc_text(m, "proc/smaps", 0, &t), -ENOENT);
	CHECK_INT(memsrc_text(m, "host/boot_id", 0, &t), -ENOENT);
	CHECK_INT(memsrc_text(m, "proc/cmdline", 0, &t), 0);
	/* psargs does not tell blanks in arguments from those between */
	CHECK(t.n == 23 && !memcmp(t.p, "/opt/no\0such/prog\0-x\0001\0", 23));
	CHECK_INT(proc_status_read(memsrc_texts(m), 0, &st, NULL), 0);
	CHECK_STR(st.comm, "prog");
	CHECK_INT(st.threads, 2);
	CHECK(!st.kernel_thread);
}

TEST(core_maps)
{
	static const struct {
		const char *name;
		uint64_t offset;
		bool file;
	} want[NSEG] = {
		{ EXE_PATH, 0, true },
		{ EXE_PATH, 2 * PAGE, true },
		{ "", 0, false },
		{ "[heap]", 0, false },
		{ "/lib/a\\012b.so", 5 * PAGE, true },
		{ "", 0, false },
		{ "[stack]", 0, false },
		{ "[vsyscall]", 0, false },
	};
	_memsrc_ m = open_core();
	_cleanup_(maps_free) struct maps maps = { 0 };

	REQUIRE(!maps_read(memsrc_texts(m), 0, &maps, NULL));
	CHECK_INT(maps.vma.n, NSEG);
	for (int i = 0; i < NSEG; i++) {
		const struct vma *v = &maps.vma.v[i];

		CHECK_INT(v->start, segs[i].addr);
		CHECK_INT(v->end, segs[i].addr + segs[i].pages * PAGE);
		CHECK_STR(v->name, want[i].name);
		CHECK_INT(v->offset, want[i].offset);
		CHECK_INT(!!v->inode, want[i].file);
		CHECK_INT(!!(v->flags & VMA_W), !!(segs[i].flags & PF_W));
		CHECK_INT(!!(v->flags & VMA_X), !!(segs[i].flags & PF_X));
	}
}

TEST(core_memory)
{
	_memsrc_ m = open_core();
	uint8_t buf[8 * PAGE];
	range_vec v = { 0 };

	CHECK_INT(memsrc_read(m, PASS_BOOKS, EXE + 2 * PAGE + 100, buf, 5 * PAGE - 100), 0);
	for (int i = 0; i < 5 * PAGE - 100; i++)
		if (buf[i] != core_byte(EXE + 2 * PAGE + 100 + i)) {
			test_failed(__FILE__, __LINE__, "byte %d", i);
			break;
		}
	CHECK_INT(memsrc_read(m, PASS_BOOKS, EXE + PAGE - 4, buf, 8), -ENODATA);
	CHECK(buf[3] == core_byte(EXE + PAGE - 1) && !buf[4]);
	CHECK_INT(memsrc_stats(m)->not_resident, 4);
	CHECK_INT(memsrc_read(m, PASS_BOOKS, EXE - 4, buf, 8), -EFAULT);
	CHECK(!buf[3] && buf[4] == core_byte(EXE));
	CHECK_INT(memsrc_read(m, PASS_BOOKS, LIB + 3 * PAGE, buf, 8), -ENODATA);
	CHECK_INT(memsrc_read(m, PASS_BOOKS, HEAP + 4 * PAGE, buf, 8), -EFAULT);
	CHECK_INT(memsrc_read(m, PASS_BOOKS, 0xfffffffffffffff0, buf, 8), -EFAULT);
	CHECK_STR(memsrc_pages_how(m), "core (non-zero pages)");
	CHECK_INT(memsrc_pages(m, 0, 0, UINT64_MAX, &v), 0);
	/* the even pages of what was dumped: 1 + 1 + 2 + 2 + 1 + 1 */
	CHECK_INT(range_sum(v.v, v.n, PAGE_PRESENT), 8 * PAGE);
	/* what is read-only and of a file */
	CHECK_INT(range_sum(v.v, v.n, PAGE_FILE), PAGE);
	v.n = 0;
	CHECK_INT(memsrc_pages(m, 0, HEAP + PAGE, HEAP + 3 * PAGE, &v), 0);
	CHECK_INT(v.n, 1);
	CHECK(v.v[0].start == HEAP + 2 * PAGE && v.v[0].end == HEAP + 3 * PAGE);
	vec_free(&v);
}

TEST(core_files)
{
	_memsrc_ m = open_core();
	int fd = -1;

	CHECK_INT(memsrc_file(m, "exe", 0, 0, &fd), -ENOENT); /* not on this machine */
	CHECK_INT(memsrc_file(m, "relative", 0, 0, &fd), -ENOENT);
	CHECK_INT(memsrc_file(m, "/dev/null", 0, 0, &fd), -ENOENT);
	CHECK_INT(memsrc_file(m, "/proc/self/status", 0, 0, &fd), -ENOENT);
	CHECK_INT(fd, -1);
	CHECK_INT(memsrc_file(m, "/proc/self/exe", 0, 0, &fd), 0);
	close(fd);
}

/* Whatever is cut off: an error with a text, or a core that can be looked at. */
TEST(core_cut_short)
{
	_text_ struct text t = make_core();
	struct memsrc *m = NULL;
	int usable = 0;
	struct err e;

	for (size_t n = 1; n < t.n; n += n < 4000 ? 7 : 1021) {
		uint8_t buf[64];
		range_vec v = { 0 };
		int rc = bytes_open_memsrc(t.p, n, &m, &e);

		if (rc) {
			CHECK_INT(rc, -EINVAL);
			CHECK(e.text[0]);
			continue;
		}
		usable++;
		CHECK_STR(memsrc_pages_how(m), "core (non-zero pages; cut short)");
		CHECK_INT(memsrc_read(m, PASS_BOOKS, 0xffffffffff600fc0, buf, 64), -ENODATA);
		CHECK_INT(memsrc_pages(m, 0, 0, UINT64_MAX, &v), 0);
		CHECK(range_sum(v.v, v.n, PAGE_PRESENT) <= 8 * PAGE);
		vec_free(&v);
		memsrc_close(m);
	}
	CHECK(usable > 10);
}

static void check_refused(struct text *t, size_t off, const void *p, size_t n, const char *says)
{
	_free_ uint8_t *copy = malloc(t->n);
	struct memsrc *m = NULL;
	struct err e;
	int rc;

	memcpy(copy, t->p, t->n);
	memcpy(copy + off, p, n);
	rc = bytes_open_memsrc(copy, t->n, &m, &e);
	CHECK_INT(rc, -EINVAL);
	if (!strstr(e.text, says))
		test_failed(__FILE__, __LINE__, "says \"%s\", not \"%s\"", e.text, says);
	if (!rc)
		memsrc_close(m);
}

TEST(core_refused)
{
	_text_ struct text t = make_core();
	size_t load = 64 + 56;
	uint64_t x;

	check_refused(&t, EI_CLASS, "\1", 1, "32-bit");
	check_refused(&t, EI_DATA, "\2", 1, "little-endian");
	check_refused(&t, 16, "\3\0", 2, "not a core");
	check_refused(&t, 18, "\10\0", 2, "architecture");
	check_refused(&t, 54, "\70\1", 2, "size out of range");
	check_refused(&t, 56, "\0\0", 2, "without segments");
	check_refused(&t, 56, "\376\377", 2, "cut short");
	check_refused(&t, 56, "\377\377", 2, "without segments"); /* PN_XNUM, no sections */
	x = UINT64_MAX - 8;
	check_refused(&t, 32, &x, 8, "cut short");
	check_refused(&t, load + 16, &x, 8, "end of the address space");
	x = EXE + 3 * PAGE;
	check_refused(&t, load + 16, &x, 8, "overlap");
	x = STACK + 1;
	check_refused(&t, load + 6 * 56 + 16, &x, 8, "whole pages");
	/* two segments from the same bytes, more than the file has */
	x = 1 << 30;
	{
		_text_ struct text twice = make_core();

		memcpy(twice.p + load + 56 + 32, &x, 8); /* p_filesz */
		memcpy(twice.p + load + 56 + 40, &x, 8); /* p_memsz */
		check_refused(&twice, 0, ELFMAG, 4, "overlap in the file");
	}
}

/* Notes of any content must not matter beyond what they say. */
TEST(core_with_damaged_notes)
{
	_text_ struct text t = make_core();
	size_t notes = 64 + 56 * (NSEG + 1);
	uint32_t seed = 3;

	for (int i = 0; i < 3000; i++) {
		_text_ struct text out = { 0 };
		struct memsrc *m = NULL;
		struct err e;
		size_t at;
		char old;

		seed = seed * 1664525 + 1013904223;
		at = notes + (seed >> 8) % 1400;
		old = t.p[at];
		t.p[at] = seed >> 3;
		if (!bytes_open_memsrc(t.p, t.n, &m, &e)) {
			memsrc_text(m, "proc/maps", 0, &out);
			memsrc_text(m, "proc/task", 0, &out);
			memsrc_text(m, "proc/cmdline", 0, &out);
			memsrc_text(m, "proc/exe", 0, &out);
			memsrc_close(m);
		}
		if (i % 20)
			t.p[at] = old;
	}
}
