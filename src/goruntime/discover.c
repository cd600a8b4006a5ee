/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the runtime's globals by what they hold: no instruction decoding, and no symbols needed.
 *
 * The steps are in find_*.c; here is their order, for each layout that may fit, and what is said
 * about the outcome.
 */
#include "goruntime/discover.h"

#include <stdio.h>

#include "base/log.h"
#include "goruntime/rd.h"

enum {
	TRIES = 8,
	KNOWN_TRIES = 4, /* at once, before all is searched */
	SEQ_MAPS = 16,
};

/* Without profiling there is no table, and then little is charged to it. */
static bool has_buckhash(const struct go_runtime *rt)
{
	uint64_t sys;

	return rd_u64(rt, PASS_DISCOVER, rt->g.memstats + rt->l->f[GO_MSTATS_BUCKHASH_SYS], &sys) ||
	       sys >= (uint64_t)rt->l->f[GO_CONST_BUCKHASHSIZE] * 8;
}

static bool has_gccontroller(const struct go_layout *l)
{
	return go_has(l, GO_GCC_HEAPINUSE) || go_has(l, GO_GCC_HEAPGOAL);
}

/* Ambiguous ones are none; what is not there and should be is named. */
static void settle(struct go_runtime *rt)
{
	struct go_globals *a = &rt->g;
	struct {
		const char *name;
		uint64_t *addr;
		bool wanted;
	} g[] = {
		{ "gcController", &a->gccontroller, has_gccontroller(rt->l) },
		{ "allp", &a->allp, true },
		{ "allgs", &a->allgs, true },
		{ "allm", &a->allm, true },
		{ "sched", &a->sched, true },
		{ "buckhash", &a->buckhash, has_buckhash(rt) },
		{ "gcBitsArenas", &a->gcbits_arenas, true },
		{ "persistentChunks", &a->persistent_chunks, true },
		{ "gcCPULimiter", &a->limiter, go_has(rt->l, GO_LIMITER_CAPACITY) },
	};
	size_t n = 0;

	rt->missing[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		if (*g[i].addr == UINT64_MAX)
			*g[i].addr = 0;
		if (*g[i].addr || !g[i].wanted || n >= sizeof(rt->missing))
			continue;
		n += snprintf(rt->missing + n, sizeof(rt->missing) - n, "%s%s", n ? ", " : "",
			      g[i].name);
	}
}

static int find_swapped(struct go_runtime *rt)
{
	range_vec pages = { 0 };
	int r = memsrc_pages(rt->m, SEQ_VARIABLES, page_down(rt, rt->g.noptrdata),
			     page_up(rt, rt->g.end), &pages);

	rt->swapped = false;
	for (size_t i = 0; i < pages.n; i++)
		rt->swapped |= !!(pages.v[i].flags & PAGE_SWAPPED);
	vec_free(&pages);
	return r;
}

/* New blocks may lie in new mappings. */
static void maps_again(struct search *s, unsigned int i)
{
	struct maps fresh = { 0 };

	if (maps_read(memsrc_texts(s->rt->m), SEQ_MAPS + i, &fresh, NULL))
		return;
	maps_free(&s->own);
	s->own = fresh;
	s->maps = &s->own;
}

static int try_layout(struct search *s, unsigned int tries)
{
	struct go_runtime *rt = s->rt;
	unsigned int looks = s->known ? KNOWN_TRIES : TRIES;
	int r;

	memset(&rt->g, 0, sizeof(rt->g));
	if (!s->known && !go_layout_is_sane(rt->l))
		return search_refuse(s, "the layout table contradicts itself");
	r = find_moduledata(s);
	if (!r)
		r = find_swapped(rt);
	if (!r)
		r = find_heap(s);
	/* a span may have been read in the middle of a change; the right layout deserves another
	 * look
	 */
	for (unsigned int i = 1; i < tries && r == -ENOENT && rt->g.moduledata; i++) {
		maps_again(s, i);
		rd_again(rt, i);
		r = find_heap(s);
	}
	if (!r)
		r = find_samples(s);
	if (r)
		return r;
	s->want_buckhash = has_buckhash(rt);
	/* Under load the figures that recognise a variable may move between two reads: look again.
	 */
	for (unsigned int i = 0; i < looks && (!i || rt->missing[0]); i++) {
		if (i)
			maps_again(s, i);
		rd_again(rt, i);
		r = find_vars(s);
		if (r >= 0)
			r = find_sched(s);
		if (r < 0)
			return r;
		settle(rt);
	}
	r = selfcheck(s);
	if (!r)
		r = check_symbols(s);
	if (r)
		return r;
	settle(rt);
	r = find_stack_sizes(s);
	return r ? r : find_code(s);
}

static void describe(struct go_runtime *rt, const struct search *s, const struct bin_go *bg,
		     unsigned int tried)
{
	const char *first = rt->l->releases, *last = strrchr(first, ' ');
	int n = strcspn(first, " ");

	if (last)
		snprintf(rt->layout, sizeof(rt->layout), "%.*s-%s %s", n, first, last + 1,
			 rt->l->arch);
	else
		snprintf(rt->layout, sizeof(rt->layout), "%s %s", first, rt->l->arch);
	snprintf(rt->identified_by, sizeof(rt->identified_by),
		 "%s, pclntab (%.12s), moduledata, allspans, mspan and mcache sizes, %u "
		 "sysStats%s%s",
		 bg->from_string ? "version string" : "build info", bg->found_by,
		 s->mstat_witnesses, rt->symbols ? ", symbols" : "",
		 tried > 1 ? "; not the release's own layout" : "");
}

static int try_layouts(struct search *s, const struct go_layout *const *l, size_t n, struct err *e)
{
	const struct bin_go *bg = bin_go(s->b);
	const char *first = "";
	int r;

	for (size_t i = 0; i < n; i++) {
		s->rt->l = l[i];
		s->why = "";
		r = try_layout(s, i ? 1 : TRIES);
		if (!r) {
			s->rt->inline_marks = go_layout_has_inline_marks(l[i]);
			describe(s->rt, s, bg, i + 1);
			return 0;
		}
		if (!i)
			first = s->why;
		if (r != -ENOENT)
			return err_set(e, r, "reading the Go runtime's data: %s", strerror(-r));
	}
	return err_set(e, -ENOENT,
		       "the runtime of %s could not be identified: none of %zu known layouts fits "
		       "the memory%s%s; only the kernel's view is shown",
		       bg->version[0] ? bg->version : "an unnamed Go release", n,
		       first[0] ? "; its own failed on: " : "", first);
}

/* ---- a binary that is known */

static void add_place(struct search *s, uint64_t base, enum go_field f)
{
	unsigned int i = s->nplace;
	uint64_t at = base + s->rt->bias;

	if (!base || i == SEARCH_PLACES)
		return;
	if (f != GO_FIELD_COUNT) {
		if (!go_has(s->rt->l, f))
			return;
		at += go_off(s->rt->l, f);
	}
	for (; i && s->place[i - 1] > at; i--)
		s->place[i] = s->place[i - 1];
	s->place[i] = at;
	s->nplace++;
}

/* The words by which the search recognises each variable. */
static void add_places(struct search *s, const struct go_globals *g)
{
	const struct go_layout *l = s->rt->l;

	s->nplace = 0;
	add_place(s, g->moduledata, GO_FIELD_COUNT);
	add_place(s, g->mheap, GO_MHEAP_ALLSPANS);
	add_place(s, g->gccontroller,
		  go_has(l, GO_GCC_HEAPINUSE) ? GO_GCC_HEAPINUSE : GO_GCC_GCPERCENT);
	add_place(s, g->allp, GO_FIELD_COUNT);
	add_place(s, g->allgs, GO_FIELD_COUNT);
	add_place(s, g->allm, GO_FIELD_COUNT);
	add_place(s, g->sched, GO_SCHED_MNEXT);
	add_place(s, g->buckhash, GO_FIELD_COUNT);
	add_place(s, g->persistent_chunks, GO_FIELD_COUNT);
	add_place(s, g->limiter, GO_LIMITER_CAPACITY);
	for (unsigned int i = 2; i < 4 && g->gcbits_arenas;
	     i++) /* the lists that spans' bits are in */
		add_place(s, g->gcbits_arenas + 8 * i, GO_FIELD_COUNT);
}

/* Looks where the runtime of another process of this binary was. Whatever does not fit, be it for a
 * moment, is reason enough to search. 0, -ENOENT, or another -errno. */
static int try_known(struct search *s, struct go_facts *f)
{
	int r;

	if (!f || !f->has_runtime)
		return -ENOENT;
	s->rt->l = &go_layouts[f->layout];
	if (strcmp(s->rt->l->arch, bin_arch(s->b) == BIN_ARCH_ARM64 ? "arm64" : "amd64"))
		return -ENOENT;
	s->known = f;
	add_places(s, &f->g);
	r = try_layout(s, KNOWN_TRIES);
	s->known = NULL;
	if (r || s->rt->missing[0])
		return r ? r : -ENOENT;
	s->rt->inline_marks = go_layout_has_inline_marks(s->rt->l);
	describe(s->rt, s, bin_go(s->b), f->own_layout ? 1 : 2);
	go_facts_learn(f, s->rt, f->own_layout, true);
	return 0;
}

static int search(struct search *s, const struct go_layout *const *l, size_t n, struct go_facts *f,
		  struct err *e)
{
	int r = try_known(s, f);

	log_debug("the Go runtime %s",
		  !r ? "is where it was in another process" : "is searched for");
	if (r != -ENOENT)
		return r ? err_set(e, r, "reading the Go runtime's data: %s", strerror(-r)) : 0;
	r = try_layouts(s, l, n, e);
	if (!r && f)
		go_facts_learn(f, s->rt, s->rt->l == l[0], false);
	return r;
}

int go_runtime_try(struct memsrc *m, struct bin *b, uint64_t bias, const struct maps *maps,
		   const struct go_layout *const *l, size_t n, struct go_facts *facts,
		   struct go_runtime *out, struct err *e)
{
	const struct bin_go *bg = bin_go(b);
	struct search s = { .rt = out, .maps = maps, .b = b, .why = "" };
	uint64_t cgo = bg->cgo; /* the collector may know better, and captures keep that */
	int r;

	*out = (struct go_runtime){ .m = m, .bias = bias };
	out->cgo = memsrc_note(m, "cgo", &cgo) ? bg->cgo : cgo;
	if (!bg->is_go)
		return err_set(e, -ENOENT, "not a Go program: no build info and no pclntab");
	if (!bg->pclntab)
		return err_set(e, -ENOENT, "Go %s, but no pclntab was found", bg->version);
	r = search(&s, l, n, facts, e);
	vec_free(&s.ms);
	vec_free(&s.ps);
	maps_free(&s.own);
	return r;
}

int go_runtime_open(struct memsrc *m, struct bin *b, uint64_t bias, const struct maps *maps,
		    struct go_facts *facts, struct go_runtime *out, struct err *e)
{
	const char *version = bin_go(b)->version;
	const char *arch = bin_arch(b) == BIN_ARCH_ARM64 ? "arm64" : "amd64";
	const struct go_layout *try[64];
	char refused[64];
	size_t n = go_layout_candidates(version, arch, try, ARRAY_LEN(try));

	if (go_layout_refused_experiments(version, arch, refused, sizeof(refused)))
		return err_set(
			e, -ENOENT,
			"%s: built with GOEXPERIMENT=%s, and rsscope has no structure layout for "
			"it; only the kernel's view is shown",
			version, refused);
	return go_runtime_try(m, b, bias, maps, try, n, facts, out, e);
}

int go_runtime_renew(struct go_runtime *rt)
{
	return find_swapped(rt);
}
