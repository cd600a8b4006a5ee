/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare numbers have nothing to be recognised by. Where a structure that holds them was found, the
 * layout says where they are; the code of those who count there must name the same place.
 */
#include "goruntime/discover.h"

#include <inttypes.h>
#include <stdio.h>

#include "goruntime/coderefs.h"
#include "goruntime/histograms.h"

/* ---- histograms: of proc.go and mgc.go */

static const char *const counts_in[GO_HIST_COUNT] = {
	[GO_HIST_PAUSES_GC] = "runtime.startTheWorldWithSema",
	[GO_HIST_PAUSES_OTHER] = "runtime.startTheWorldWithSema",
	[GO_HIST_STOPPING_GC] = "runtime.stopTheWorldWithSema",
	[GO_HIST_STOPPING_OTHER] = "runtime.stopTheWorldWithSema",
	[GO_HIST_LATENCIES] = "runtime.casgstatus",
};

/* The link-time address of that histogram as far as the code names it, else 0. */
static int read_place(struct search *s, enum go_hist_id id, uint64_t *out)
{
	const struct go_runtime *rt = s->rt;
	const struct go_globals *g = &rt->g;
	struct code_refs refs = { .lo = g->noptrdata - rt->bias, .hi = g->end - rt->bias };
	uint64_t at = go_histogram_place(rt, id);
	const char *func = counts_in[id];
	int r;

	*out = 0;
	if (!at)
		return 0;
	if (id == GO_HIST_PAUSES_GC && !go_has(rt->l, GO_SCHED_STWTOTALGC)) /* up to 1.21 */
		func = "runtime.gcMarkTermination";
	r = code_refs_read(s->b, g->text - rt->bias, func, &refs);
	if (!r && code_refs_find(&refs, at - rt->bias))
		*out = at - rt->bias;
	vec_free(&refs.v);
	return r == -ENOMEM ? r : 0;
}

static int find_histogram(struct search *s, enum go_hist_id id)
{
	struct go_runtime *rt = s->rt;
	uint64_t at = 0;
	char note[64];
	int r = 0;

	if (s->known)
		at = s->known->g.hist[id];
	else if (memsrc_kind(rt->m) != MEMSRC_CAPTURE)
		r = read_place(s, id, &at);
	/* of several runtimes each has its own */
	snprintf(note, sizeof(note), "code histogram %d of %" PRIx64, id, rt->bias);
	if (memsrc_note(rt->m, note, &at))
		at = 0;
	rt->g.hist[id] = at ? at + rt->bias : 0;
	return r;
}

int find_code(struct search *s)
{
	int r = 0;

	for (int i = 0; i < GO_HIST_COUNT && !r; i++)
		r = find_histogram(s, i);
	return r;
}
