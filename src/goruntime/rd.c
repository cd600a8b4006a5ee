/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/rd.h"

enum {
	PORTION = 1 << 16, /* addresses at once */
	PORTION_MAX = 1 << 18,
};

/*
 * How many of the addresses at[0..count) are read together: more when the others lie among the
 * first. What is near each other is one copy, and would be copied with each portion.
 */
static size_t portion(const uint64_t *at, size_t count)
{
	uint64_t lo = UINT64_MAX, hi = 0, margin;
	size_t n = count < PORTION ? count : PORTION;

	for (size_t i = 0; i < n; i++) {
		lo = at[i] && at[i] < lo ? at[i] : lo;
		hi = at[i] > hi ? at[i] : hi;
	}
	margin = hi > lo ? (hi - lo) / 16 : 0;
	lo = lo > margin ? lo - margin : 0;
	for (; n < count && n < PORTION_MAX; n++)
		if (at[n] && (at[n] < lo || (at[n] > hi && at[n] - hi > margin)))
			break;
	return n;
}

int rd_each(const struct go_runtime *rt, enum memsrc_pass pass, const uint64_t *at, size_t count,
	    int64_t off, size_t n, rd_each_fn *fn, void *ctx)
{
	size_t most = count < PORTION_MAX ? count : PORTION_MAX;
	_free_ uint64_t *addr = malloc(most * sizeof(*addr) + 1);
	_free_ uint32_t *index = malloc(most * sizeof(*index) + 1);
	_free_ bool *bad = malloc(most * sizeof(*bad) + 1);
	_free_ uint8_t *buf = malloc(most * n + 1);
	int r = addr && index && bad && buf ? 0 : -ENOMEM;

	for (size_t i = 0, end; i < count && !r; i = end) {
		size_t k = 0;

		end = i + portion(at + i, count - i);
		for (size_t j = i; j < end; j++) {
			if (!at[j])
				continue;
			addr[k] = at[j] + off;
			index[k++] = j;
		}
		r = memsrc_gather(rt->m, pass, addr, k, n, buf, bad);
		for (size_t j = 0; j < k && !r; j++)
			if (!bad[j])
				fn(ctx, index[j], buf + j * n);
	}
	return r;
}
