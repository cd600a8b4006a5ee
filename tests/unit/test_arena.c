/* SPDX-License-Identifier: BSD-2-Clause */
/* From an address to its arena, by an index that is an array. */
#include "test.h"

#include <errno.h>

#include "goruntime/discover.h"
#include "source/memsrc_impl.h"

enum {
	MHEAP = 0x1000,
	ARENAS = 64, /* the field */
	INDEX = 0x100000,
	ABSENT = INDEX + 2 * 4096, /* from here to INDEX_END nobody has touched it */
	INDEX_END = INDEX + (1 << 25),
};

static const uint64_t arena_bytes = 64 << 20, base = 0xffff800000000000, an_arena = 0x7f0000000000;

/* The index knows arena 3 alone. */
static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	uint64_t v = addr == MHEAP + ARENAS ? INDEX : addr == INDEX + 3 * 8 ? an_arena : 0;
	bool mapped = addr == MHEAP + ARENAS || (addr >= INDEX && addr < INDEX_END);

	memset(buf, 0, len);
	if (!mapped || addr >= ABSENT)
		return range_append(holes, addr, addr + len, mapped ? HOLE_ABSENT : HOLE_UNMAPPED);
	memcpy(buf, &v, len);
	return 0;
}

TEST(arena_of_an_address)
{
	static const struct memsrc_ops ops = { .read = read_mem };
	struct memsrc m = { .ops = &ops, .page_size = 4096 };
	struct go_layout l = { .f = { [GO_CONST_HEAPARENABYTES] = arena_bytes,
				      [GO_CONST_ARENABASEOFFSET] = base,
				      [GO_MHEAP_ARENAS] = ARENAS } };
	struct go_runtime rt = { .m = &m, .l = &l, .g = { .mheap = MHEAP } };
	struct search s = { .rt = &rt };
	uint64_t arena = 0;

	CHECK_INT(search_arena(&s, base + 3 * arena_bytes, &arena), 0);
	CHECK(arena == an_arena);
	CHECK_INT(search_arena(&s, base + 4 * arena_bytes - 1, &arena), 0);
	CHECK(arena == an_arena);
	CHECK_INT(search_arena(&s, base + 4 * arena_bytes, &arena), -ENOENT);
	CHECK_INT(search_arena(&s, base + 3 * arena_bytes - 1, &arena), -ENOENT);
	/* a part of the index that is not resident, and the end of the address space */
	CHECK_INT(search_arena(&s, base + 1024 * arena_bytes, &arena), -ENODATA);
	CHECK_INT(search_arena(&s, base + (1ULL << 48), &arena), -ENOENT);
	/* no index */
	rt.g.mheap = 0;
	CHECK_INT(search_arena(&s, base + 3 * arena_bytes, &arena), -EFAULT);
	vec_free(&m.holes);
}
