/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare numbers, and lists that are mostly empty, have nothing to be recognised by. What is known of
 * them is which functions use them: their code must name the same place, each in its way. Where a
 * structure that holds them was found, that must be the place that the layout leads to.
 */
#include "goruntime/discover.h"

#include <inttypes.h>
#include <stdio.h>

#include "goruntime/coderefs.h"
#include "goruntime/histograms.h"

#define GLOBAL(field) offsetof(struct go_globals, field)

static const struct {
	const char *note; /* captures keep no code */
	size_t at;
} variables[] = {
	{ "histogram of GC pauses", GLOBAL(hist[GO_HIST_PAUSES_GC]) },
	{ "histogram of other pauses", GLOBAL(hist[GO_HIST_PAUSES_OTHER]) },
	{ "histogram of GC stops", GLOBAL(hist[GO_HIST_STOPPING_GC]) },
	{ "histogram of other stops", GLOBAL(hist[GO_HIST_STOPPING_OTHER]) },
	{ "histogram of latencies", GLOBAL(hist[GO_HIST_LATENCIES]) },
	{ "allfin", GLOBAL(allfin) },
	{ "finqueued", GLOBAL(finqueued) },
	{ "finexecuted", GLOBAL(finexecuted) },
	{ "gcCleanups", GLOBAL(cleanups) },
};

static uint64_t *global(struct go_globals *g, size_t i)
{
	return (uint64_t *)((char *)g + variables[i].at);
}

/* A function that is not there names nothing. 0 or -ENOMEM. */
static int read_refs(struct search *s, const char *func, struct code_refs *refs)
{
	const struct go_runtime *rt = s->rt;
	int r;

	refs->lo = rt->g.noptrdata - rt->bias;
	refs->hi = rt->g.end - rt->bias;
	r = code_refs_read(s->b, rt->g.text - rt->bias, func, refs);
	return r == -ENOMEM ? r : 0;
}

/* ---- histograms: proc.go, mgc.go */

/* Of those that `func` counts in: where the layout says that they are, as far as it names that. */
static int find_counted(struct search *s, const char *func, const enum go_hist_id *id, size_t n,
			struct go_globals *out)
{
	struct code_refs refs = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		uint64_t at = go_histogram_place(s->rt, id[i]);

		if (!at)
			continue;
		if (!refs.hi)
			r = read_refs(s, func, &refs);
		if (!r && code_refs_find(&refs, at - s->rt->bias))
			out->hist[id[i]] = at - s->rt->bias;
	}
	vec_free(&refs.v);
	return r;
}

static int find_histograms(struct search *s, struct go_globals *out)
{
	static const enum go_hist_id at_start[] = { GO_HIST_PAUSES_GC, GO_HIST_PAUSES_OTHER };
	static const enum go_hist_id at_stop[] = { GO_HIST_STOPPING_GC, GO_HIST_STOPPING_OTHER };
	static const enum go_hist_id at_run[] = { GO_HIST_LATENCIES };
	bool splits = go_has(s->rt->l, GO_SCHED_STWTOTALGC); /* from 1.22 on */
	int r = find_counted(s,
			     splits ? "runtime.startTheWorldWithSema" : "runtime.gcMarkTermination",
			     at_start, ARRAY_LEN(at_start), out);

	if (!r)
		r = find_counted(s, "runtime.stopTheWorldWithSema", at_stop, ARRAY_LEN(at_stop),
				 out);
	return r ? r : find_counted(s, "runtime.casgstatus", at_run, ARRAY_LEN(at_run), out);
}

/* ---- finalizers and cleanups: mfinal.go, mcleanup.go, mgcmark.go, proc.go */

/* What the functions name that use the two queues. */
struct queues {
	struct code_refs queue;	  /* queuefinalizer: writes finq, finc, allfin; adds to finqueued */
	struct code_refs run;	  /* runFinalizers: finq, finc, fing; adds to finexecuted */
	struct code_refs mark;	  /* markroot: goes along allfin and gcCleanups.all */
	struct code_refs clean;	  /* runCleanups: gcCleanups, as a whole and some of its fields */
	struct code_refs destroy; /* (*p).destroy: adds to gcCleanups.queued */
};

static bool is_written(const struct code_ref *r)
{
	return r->store || r->add;
}

/* Takes the one place that `in` writes and that is named, or not, by the others. Several are none.
 */
static uint64_t only_written(const struct code_refs *in, const struct code_refs *also,
			     const struct code_refs *not_1, const struct code_refs *not_2,
			     uint64_t lo, uint64_t hi)
{
	uint64_t found = 0;

	for (size_t i = 0; i < in->v.n; i++) {
		const struct code_ref *r = &in->v.v[i];

		if (!is_written(r) || r->addr % 8 || r->addr == found || r->addr < lo ||
		    r->addr >= hi || (also && !code_refs_find(also, r->addr)) ||
		    (not_1 && code_refs_find(not_1, r->addr)) ||
		    (not_2 && code_refs_find(not_2, r->addr)))
			continue;
		if (found)
			return 0;
		found = r->addr;
	}
	return found;
}

/* The place of gcCleanups: a field of it is named by each function that uses it. */
static uint64_t fit_cleanups(const struct queues *q, const struct go_layout *l)
{
	uint64_t found = 0;

	if (!go_has(l, GO_SIZE_CLEANUPQUEUE))
		return 0;
	for (size_t i = 0; i < q->clean.v.n; i++) {
		uint64_t base = q->clean.v.v[i].addr;

		if (base % 8 || base == found ||
		    !code_refs_find(&q->clean, base + go_off(l, GO_CLEANUPQUEUE_RUNNING)) ||
		    !code_refs_find(&q->clean, base + go_off(l, GO_CLEANUPQUEUE_EXECUTED)) ||
		    !code_refs_find(&q->mark, base + go_off(l, GO_CLEANUPQUEUE_ALL)) ||
		    !code_refs_find(&q->destroy, base + go_off(l, GO_CLEANUPQUEUE_QUEUED)))
			continue;
		if (found)
			return 0;
		found = base;
	}
	return found;
}

static int read_queues(struct search *s, struct queues *q)
{
	const struct {
		const char *func;
		struct code_refs *refs;
	} f[] = {
		{ "runtime.queuefinalizer", &q->queue }, { "runtime.runFinalizers", &q->run },
		{ "runtime.runfinq", &q->run }, /* up to 1.24 */
		{ "runtime.markroot", &q->mark },	 { "runtime.runCleanups", &q->clean },
		{ "runtime.(*p).destroy", &q->destroy },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(f) && !r; i++)
		r = read_refs(s, f[i].func, f[i].refs);
	return r;
}

/* Pointers to blocks are no pointers to the collector: they lie with the numbers, fing does not. */
static int find_queues(struct search *s, struct go_globals *out)
{
	uint64_t bss = s->bss - s->rt->bias, ebss = s->ebss - s->rt->bias;
	struct queues q = { 0 };
	int r = read_queues(s, &q);

	if (!r)
		out->allfin = only_written(&q.queue, &q.mark, NULL, NULL, 0, UINT64_MAX);
	if (!r && go_has(s->rt->l, GO_SIZE_CLEANUPQUEUE)) {
		out->finqueued = only_written(&q.queue, NULL, &q.run, &q.mark, 0, UINT64_MAX);
		out->finexecuted = only_written(&q.run, NULL, &q.queue, &q.mark, ebss, UINT64_MAX);
		if (!out->finexecuted)
			out->finexecuted = only_written(&q.run, NULL, &q.queue, &q.mark, 0, bss);
		out->cleanups = fit_cleanups(&q, s->rt->l);
	}
	vec_free(&q.queue.v);
	vec_free(&q.run.v);
	vec_free(&q.mark.v);
	vec_free(&q.clean.v);
	vec_free(&q.destroy.v);
	return r;
}

/* ---- */

static int read_code(struct search *s, struct go_globals *out)
{
	int r = find_histograms(s, out);

	return r ? r : find_queues(s, out);
}

int find_code(struct search *s)
{
	struct go_globals said = { 0 }, *g = &s->rt->g;
	int r = 0;

	if (s->known)
		said = s->known->g;
	else if (memsrc_kind(s->rt->m) != MEMSRC_CAPTURE)
		r = read_code(s, &said);
	for (size_t i = 0; i < ARRAY_LEN(variables) && !r; i++) {
		uint64_t at = *global(&said, i), *mine = global(g, i);
		char note[64];

		/* of several runtimes each has its own */
		snprintf(note, sizeof(note), "code %s of %" PRIx64, variables[i].note, s->rt->bias);
		if (memsrc_note(s->rt->m, note, &at) || !at)
			continue;
		at += s->rt->bias;
		*mine = *mine && *mine != at ? 0 : at; /* the symbol table contradicts */
	}
	return r;
}
