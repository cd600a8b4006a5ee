/* SPDX-License-Identifier: BSD-2-Clause */
/* A process whose memory at FUZZ_BASE is the input, and nothing else. */
#ifndef RSSCOPE_TESTS_FUZZ_MEMORY_H
#define RSSCOPE_TESTS_FUZZ_MEMORY_H

#include <string.h>

#include "source/memsrc_impl.h"

#define FUZZ_BASE 0x100000ULL

/* First of whatever else a target keeps. */
struct fuzz_memory {
	struct memsrc m;
	const uint8_t *p;
	size_t n;
};

static inline int fuzz_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
			    void *buf, size_t len, range_vec *holes)
{
	const struct fuzz_memory *p = (const struct fuzz_memory *)m;

	memset(buf, 0, len);
	if (addr < FUZZ_BASE || addr - FUZZ_BASE > p->n || len > p->n - (addr - FUZZ_BASE))
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	memcpy(buf, p->p + (addr - FUZZ_BASE), len);
	return 0;
}

static inline int fuzz_gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr,
			      size_t n, size_t each, void *buf, bool *bad, range_vec *holes)
{
	for (size_t i = 0; i < n; i++)
		bad[i] = m->ops->read(m, pass, 0, addr[i], (uint8_t *)buf + i * each, each,
				      holes) != 0;
	holes->n = 0;
	return 0;
}

#endif
