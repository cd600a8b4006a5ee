/* SPDX-License-Identifier: BSD-2-Clause */
/* A source that plays back given records: for tests, without privilege or a kernel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/stream.h"

struct synth {
	struct ev base;
	const struct ev_synth_record *rec;
	size_t n, at;
	uint64_t counters[RSC_N_COUNT];
};

static int synth_poll(struct ev *s, int timeout_ms, ev_record_fn *fn, void *ctx)
{
	struct synth *y = (struct synth *)s;

	if (y->at == y->n)
		return -ENODATA;
	while (y->at < y->n) {
		const struct ev_synth_record *r = &y->rec[y->at++];

		if (fn(ctx, r->p, r->n))
			break;
	}
	return 0;
}

static void synth_counters(const struct ev *s, uint64_t *n)
{
	memcpy(n, ((const struct synth *)s)->counters, RSC_N_COUNT * sizeof(*n));
}

static void synth_close(struct ev *s)
{
	free(s);
}

static const struct ev_ops synth_ops = {
	.poll = synth_poll,
	.counters = synth_counters,
	.close = synth_close,
};

int ev_open_synthetic(const struct ev_synth_record *r, size_t n, const uint64_t *counters,
		      struct ev **out)
{
	struct synth *y = calloc(1, sizeof(*y));

	if (!y)
		return -ENOMEM;
	y->base.ops = &synth_ops;
	y->base.fd = -1;
	y->base.groups = EV_ALL;
	y->rec = r;
	y->n = n;
	if (counters)
		memcpy(y->counters, counters, sizeof(y->counters));
	*out = &y->base;
	return 0;
}
