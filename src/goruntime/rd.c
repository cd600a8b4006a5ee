/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/rd.h"

enum { PORTION = 1 << 16 }; /* addresses at once */

struct portion {
	uint64_t addr[PORTION];
	uint32_t index[PORTION];
	bool bad[PORTION];
};

int rd_each(const struct go_runtime *rt, enum memsrc_pass pass, const uint64_t *at, size_t count,
	    int64_t off, size_t n, rd_each_fn *fn, void *ctx)
{
	_free_ struct portion *p = malloc(sizeof(*p));
	_free_ uint8_t *buf = malloc((count < PORTION ? count + 1 : PORTION) * n);
	int r = p && buf ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !r;) {
		size_t first = i, k = 0;

		for (; i < count && i - first < PORTION; i++) {
			if (!at[i])
				continue;
			p->addr[k] = at[i] + off;
			p->index[k++] = i - first;
		}
		r = memsrc_gather(rt->m, pass, p->addr, k, n, buf, p->bad);
		for (size_t j = 0; j < k && !r; j++)
			if (!p->bad[j])
				fn(ctx, first + p->index[j], buf + j * n);
	}
	return r;
}
