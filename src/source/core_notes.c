/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "source/core_impl.h"

enum {
	NOTE_FILE = 0x46494c45, /* NT_FILE */
	/* struct elf_prpsinfo */
	PSINFO_SIZE = 136,
	PSINFO_PID = 24,
	PSINFO_FNAME = 40,
	PSINFO_ARGS = 56,
	/* struct elf_prstatus */
	PRSTATUS_PID = 32,
	PRSTATUS_REGS = 112,
	/* user_regs_struct (x86), user_pt_regs (arm64): index of the register */
	X86_RIP = 16,
	X86_RSP = 19,
	ARM64_SP = 31,
	ARM64_PC = 32,
};

bool core_auxv(const struct core *c, uint64_t type, uint64_t *out)
{
	for (size_t i = 0; i + 16 <= c->auxv.n; i += 16) {
		uint64_t t = load_u64(c->auxv.p + i);

		if (t == AT_NULL)
			return false;
		if (t == type) {
			*out = load_u64(c->auxv.p + i + 8);
			return true;
		}
	}
	return false;
}

static void take_string(char *to, size_t size, const uint8_t *from)
{
	memcpy(to, from, size - 1);
	to[size - 1] = 0;
}

static void take_psinfo(struct core *c, const uint8_t *p, size_t n)
{
	if (n < PSINFO_SIZE)
		return;
	c->m.pid = load_u32(p + PSINFO_PID);
	take_string(c->comm, sizeof(c->comm), p + PSINFO_FNAME);
	take_string(c->args, sizeof(c->args), p + PSINFO_ARGS);
}

static int take_prstatus(struct core *c, const uint8_t *p, size_t n)
{
	bool x86 = c->machine == EM_X86_64;
	size_t sp = PRSTATUS_REGS + 8 * (x86 ? X86_RSP : ARM64_SP);
	size_t pc = PRSTATUS_REGS + 8 * (x86 ? X86_RIP : ARM64_PC);

	if (n < sp + 8 || n < pc + 8)
		return 0;
	return vec_push(&c->threads, (struct core_thread){ .tid = load_u32(p + PRSTATUS_PID),
							   .sp = load_u64(p + sp),
							   .pc = load_u64(p + pc) });
}

static int file_order(const void *a, const void *b)
{
	const struct core_file *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* fill_files_note(): count, unit, count × {start, end, offset in units}, then the names. */
static int take_files(struct core *c, const uint8_t *p, size_t n)
{
	struct cursor k = cursor_make(p, n);
	uint64_t count = cursor_u64(&k), unit = cursor_u64(&k);
	const char *name;
	int rc = 0;

	if (k.bad || count > (n - k.pos) / 24 || !unit || unit > 1 << 20)
		return 0;
	name = (const char *)p + k.pos + count * 24;
	for (uint64_t i = 0; i < count && !rc; i++) {
		struct core_file f = { .start = cursor_u64(&k), .path = name };
		const char *end = memchr(name, 0, (const char *)p + n - name);

		f.end = cursor_u64(&k);
		f.offset = cursor_u64(&k) * unit;
		if (!end)
			break;
		if (*name && f.start < f.end)
			rc = vec_push(&c->files, f);
		name = end + 1;
	}
	if (c->files.n)
		qsort(c->files.v, c->files.n, sizeof(*c->files.v), file_order);
	return rc;
}

static int take_note(struct core *c, uint32_t type, const uint8_t *p, size_t n)
{
	switch (type) {
	case NT_PRPSINFO:
		take_psinfo(c, p, n);
		return 0;
	case NT_PRSTATUS:
		return take_prstatus(c, p, n);
	case NT_AUXV:
		return c->auxv.n ? 0 : text_add(&c->auxv, p, n);
	case NOTE_FILE:
		return c->files.n ? 0 : take_files(c, p, n);
	default:
		return 0;
	}
}

int core_notes(struct core *c)
{
	struct cursor k = cursor_make(c->notes.p, c->notes.n);
	int rc = 0;

	while (!rc && k.pos < k.len) {
		uint32_t namesz = cursor_u32(&k), descsz = cursor_u32(&k), type = cursor_u32(&k);
		const char *name = cursor_bytes(&k, ((uint64_t)namesz + 3) & ~3ULL);
		const uint8_t *desc = cursor_bytes(&k, descsz);

		if (!desc)
			break;
		if (namesz == 5 && !memcmp(name, "CORE", 5))
			rc = take_note(c, type, desc, descsz);
		cursor_seek(&k, (k.pos + 3) & ~(size_t)3);
	}
	if (c->m.pid <= 0 && c->threads.n)
		c->m.pid = c->threads.v[0].tid;
	return rc;
}
