/* SPDX-License-Identifier: BSD-2-Clause */
/* The profile's buckets of a process whose memory is the input: bounded, and nothing outside of it.
 */
#include <stdlib.h>
#include <string.h>

#include "goruntime/profile.h"

#include "fuzz_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct memsrc_ops ops = { .read = fuzz_read, .gather = fuzz_gather };

static int take(void *ctx, const struct go_bucket *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->npc; i++)
		sum += b->pc[i];
	if (b->npc > 4096 || (b->kind == GO_PROFILE_MEMORY && b->all.frees > b->all.allocs))
		abort();
	*(uint64_t *)ctx += sum;
	return 0;
}

/* A table of few slots, so that little input fills it. */
static void look(const uint8_t *data, size_t size, const char *release)
{
	struct fuzz_memory p = { .m = { .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE },
				 .p = data,
				 .n = size };
	const struct go_layout *known = go_layout_find(release, "amd64");
	struct go_runtime rt = { .m = &p.m,
				 .g = { .buckhash = FUZZ_BASE, .memstats = FUZZ_BASE + 8 } };
	struct go_profile_info info;
	struct go_layout l;
	uint64_t sum = 0;

	if (!known)
		abort();
	l = *known;
	l.f[GO_CONST_BUCKHASHSIZE] = 16;
	l.f[GO_MSTATS_NUMGC] = 0;
	l.f[GO_MSTATS_BUCKHASH_SYS] = 0;
	rt.l = &l;
	for (int kind = GO_PROFILE_MEMORY; kind <= GO_PROFILE_MUTEX; kind++)
		go_profile_read(&rt, kind, take, &sum, &info);
	vec_free(&p.m.holes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look(data, size, "go1.22.1");
	look(data, size, "go1.27.1");
	return 0;
}
