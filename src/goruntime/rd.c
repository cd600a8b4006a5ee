/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/rd.h"

enum { PORTION = 1 << 16 }; /* addresses at once */

int rd_each(const struct go_runtime *rt, enum memsrc_pass pass, const uint64_t *at, size_t count,
	    int64_t off, size_t n, rd_each_fn *fn, void *ctx)
{
	size_t most = count < PORTION ? count + 1 : PORTION;
	_free_ uint64_t *addr = malloc(most * sizeof(*addr));
	_free_ uint32_t *index = malloc(most * sizeof(*index));
	_free_ bool *bad = malloc(most * sizeof(*bad));
	_free_ uint8_t *buf = malloc(most * n);
	int r = addr && index && bad && buf ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !r;) {
		size_t first = i, k = 0;

		for (; i < count && i - first < PORTION; i++) {
			if (!at[i])
				continue;
			addr[k] = at[i] + off;
			index[k++] = i - first;
		}
		r = memsrc_gather(rt->m, pass, addr, k, n, buf, bad);
		for (size_t j = 0; j < k && !r; j++)
			if (!bad[j])
				fn(ctx, first + index[j], buf + j * n);
	}
	return r;
}
