/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a GC cycle is told, its beginning, and the heap's growth: the places of the probes in the
 * executable's file. */
#include <string.h>

#include "base/cursor.h"
#include "session/gc.h"

/* Where the file holds the code at a link-time address; 0 when it does not. */
static uint64_t file_offset(const struct bin *b, uint64_t vaddr)
{
	const struct bin_segment *seg;
	size_t n = bin_segments(b, &seg);

	for (size_t i = 0; i < n; i++)
		if (seg[i].flags & BIN_SEG_X && vaddr >= seg[i].vaddr &&
		    vaddr - seg[i].vaddr < seg[i].filesz)
			return vaddr - seg[i].vaddr + seg[i].offset;
	return 0;
}

static size_t starts(const uint8_t *p, const char *with, size_t n)
{
	return memcmp(p, with, n) ? 0 : n;
}

/* cmd/internal/obj/x86/obj6.go, stacksplit(), for a small frame: with g in R14 (Go 1.17), or loaded
 * from thread-local storage first. */
static size_t check_amd64(const uint8_t *p)
{
	size_t n = starts(p, "\x64\x48\x8b\x0c\x25\xf8\xff\xff\xff", 9);

	if (!n)
		n = starts(p, "\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x8b\x09", 11);
	if (starts(p + n, n ? "\x48\x3b\x61\x10" : "\x49\x3b\x66\x10", 4)) /* cmp stackguard0, sp */
		n += 4;
	else
		return 0;
	if (starts(p + n, "\x76", 1)) /* jbe */
		return n + 2;
	return starts(p + n, "\x0f\x86", 2) ? n + 6 : 0;
}

/* cmd/internal/obj/arm64/obj7.go, stacksplit(): ldr from 16(x28), comparison, b.ls */
static size_t check_arm64(const uint8_t *p)
{
	if ((load_u32(p) & ~0x1fU) != 0xf9400b80)
		return 0;
	for (size_t i = 2; i <= 3; i++)
		if ((load_u32(p + 4 * i) & 0xff00001f) == 0x54000009)
			return 4 * (i + 1);
	return 0;
}

/* Bytes of the check at a function's entry whether its stack has to grow: when it has, the function
 * begins anew, and a probe at its very entry would be hit twice. 0 when it is not known. */
static size_t stack_check(const struct bin *b, uint64_t entry)
{
	uint8_t code[32];

	if (bin_read(b, entry, code, sizeof(code)))
		return 0;
	switch (bin_arch(b)) {
	case BIN_ARCH_AMD64:
		return check_amd64(code);
	case BIN_ARCH_ARM64:
		return check_arm64(code);
	default:
		return 0;
	}
}

/* With the code that is there. */
static uint64_t place_of(struct go_facts *known, struct bin *b, uint64_t text, enum go_func_id id,
			 uint8_t code[EV_CODE])
{
	struct bin_func fn;
	uint64_t at;

	if (go_facts_func(known, b, text, id, &fn))
		return 0;
	at = fn.entry + stack_check(b, fn.entry);
	return bin_read(b, at, code, EV_CODE) ? 0 : file_offset(b, at);
}

/* Arguments are in registers from Go 1.17 on, for arm64 from 1.18 on; before, they lie above the
 * return address, or where it would be. */
static bool argument_place(const struct bin *b, uint32_t *out)
{
	/* go_version_number: after the last of the release before, its own betas included */
	enum { FIRST_AMD64 = 161000, FIRST_ARM64 = 171000, ABOVE_SP = 8 };
	int version = go_version_number(bin_go(b)->version);
	int first = bin_arch(b) == BIN_ARCH_ARM64 ? FIRST_ARM64 : FIRST_AMD64;

	*out = version < first ? ABOVE_SP : 0;
	return version > 0;
}

void gc_places_find(struct go_facts *known, struct bin *b, uint64_t text, struct ev_gc *gc)
{
	gc->offset = place_of(known, b, text, GO_FUNC_GC_END, gc->code);
	gc->start_offset = 0;
	gc->grow_offset = place_of(known, b, text, GO_FUNC_GROW, gc->grow_code);
	if (argument_place(b, &gc->start_arg))
		gc->start_offset = place_of(known, b, text, GO_FUNC_GC_START, gc->start_code);
}
