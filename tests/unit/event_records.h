/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as the probes make them, for tests. */
#ifndef RSSCOPE_TEST_EVENT_RECORDS_H
#define RSSCOPE_TEST_EVENT_RECORDS_H

#include <string.h>

#include <rsscope/wire.h>

static inline struct rsc_rec rec_header(__u16 type, __u32 size)
{
	return (struct rsc_rec){ .type = type,
				 .size = size,
				 .tgid = 4242,
				 .tid = 4243,
				 .cpu = 3,
				 .enter_ns = 1000,
				 .exit_ns = 1000 };
}

static inline struct rsc_rec_call rec_mmap(__u16 nstack, __u16 ngo)
{
	struct rsc_rec_call r = { .hdr = rec_header(RSC_CALL, 104 + 8 * (nstack + ngo)),
				  .call = RSC_MMAP,
				  .nstack = nstack,
				  .ngo = ngo,
				  .args = { 0, 8192, 3, 0x22, (__u64)-1, 0 },
				  .ret = 0x7f0000000000 };

	r.hdr.exit_ns = 2500;
	for (int i = 0; i < nstack + ngo && i < RSC_STACK_MAX; i++)
		r.stack[i] = 0x400000 + 16 * i;
	return r;
}

static inline struct rsc_rec_gc rec_gc(__u64 cycle)
{
	struct rsc_rec_gc r = { .hdr = rec_header(RSC_GC, sizeof(r)), .have = 1, .ip = 0x401000 };

	r.words[0] = cycle;
	return r;
}

#endif
