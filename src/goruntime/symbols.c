/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the file has a symbol table, it must say what the search found: one more witness, and the
 * only one for variables that hold a bare number. What it said is noted, for captures keep no
 * symbols.
 */
#include "goruntime/discover.h"

#include <stdio.h>

#include "goruntime/rd.h"

#define GLOBAL(field) offsetof(struct go_globals, field)

/* Found by what they hold too, and those that only symbols tell. */
static const struct variable {
	const char *name;
	size_t at;
	bool bare;
} variables[] = {
	{ "runtime.firstmoduledata", GLOBAL(moduledata), false },
	{ "runtime.mheap_", GLOBAL(mheap), false },
	{ "runtime.memstats", GLOBAL(memstats), false },
	{ "runtime.gcController", GLOBAL(gccontroller), false },
	{ "runtime.allp", GLOBAL(allp), false },
	{ "runtime.allgs", GLOBAL(allgs), false },
	{ "runtime.allm", GLOBAL(allm), false },
	{ "runtime.persistentChunks", GLOBAL(persistent_chunks), false },
	{ "runtime.gcBitsArenas", GLOBAL(gcbits_arenas), false },
	{ "runtime.buckhash", GLOBAL(buckhash), false },
	{ "runtime.sched", GLOBAL(sched), false },
	{ "runtime.gcCPULimiter", GLOBAL(limiter), false },
	{ "runtime.work", GLOBAL(work), false },
	{ "runtime.startingStackSize", GLOBAL(starting_stack), true },
	{ "runtime.ncgocall", GLOBAL(ncgocall), true },
	{ "runtime.finqueued", GLOBAL(finqueued), true },
	{ "runtime.finexecuted", GLOBAL(finexecuted), true },
};

static uint64_t *global(struct go_globals *g, const struct variable *v)
{
	return (uint64_t *)((char *)g + v->at);
}

/* The file's addresses, from the file or from what the look noted. -ENOENT: none. */
static int read_symbols(struct search *s, uint64_t addr[ARRAY_LEN(variables)])
{
	const struct go_globals *g = &s->rt->g;
	const char *name[ARRAY_LEN(variables)];
	uint64_t lo = g->noptrdata, known = 0, md;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		name[i] = variables[i].name;
	/* moduledata can lie in a section of its own, before or behind the others */
	md = g->moduledata;
	lo = md < lo ? md : lo;
	r = bin_variables(s->b, lo - s->rt->bias, (g->end > md ? g->end : md + 8) - s->rt->bias,
			  name, ARRAY_LEN(name), addr);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		char note[64];

		if (r)
			addr[i] = 0;
		snprintf(note, sizeof(note), "symbol %s", name[i]);
		if (memsrc_note(s->rt->m, note, &addr[i]))
			addr[i] = 0;
		known += addr[i] != 0;
	}
	return known ? 0 : r == -ENOENT || !r ? -ENOENT : r;
}

/* What the file said when it was looked at. */
static void know_symbols(struct search *s)
{
	s->rt->symbols = s->known->symbols;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		struct go_globals g = s->known->g;
		uint64_t said = *global(&g, &variables[i]);

		if (variables[i].bare && said)
			*global(&s->rt->g, &variables[i]) = said + s->rt->bias;
	}
}

static bool is_candidate(const struct candidates *c, uint64_t addr)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (c->v[i].addr == addr)
			return true;
	return false;
}

/* Whether what the search looks for lies at the place that the file names: it found none, or could
 * not tell several apart. */
static bool fits(struct search *s, const uint64_t *mine, uint64_t said)
{
	const struct go_globals *g = &s->rt->g;

	return mine == &g->gccontroller	       ? fits_gccontroller(s, said)
	       : mine == &g->limiter	       ? s->ps.n && fits_limiter(s, said)
	       : mine == &g->allp	       ? is_candidate(&s->allp, said)
	       : mine == &g->allgs	       ? is_candidate(&s->allgs, said)
	       : mine == &g->allm	       ? is_candidate(&s->allm, said)
	       : mine == &g->persistent_chunks ? is_candidate(&s->chunks, said)
					       : false;
}

int check_symbols(struct search *s)
{
	struct go_runtime *rt = s->rt;
	uint64_t addr[ARRAY_LEN(variables)];
	int r;

	if (s->known) {
		know_symbols(s);
		return 0;
	}
	r = read_symbols(s, addr);
	rt->symbols = false;
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const struct variable *v = &variables[i];
		uint64_t *mine = global(&rt->g, v), said = addr[i] + rt->bias;

		if (!addr[i] || addr[i] == UINT64_MAX)
			continue;
		if (v->bare) {
			*mine = said;
		} else if (!*mine && fits(s, mine, said)) {
			*mine = said;
		} else if (*mine != said) {
			if (i < 3) {
				s->why = "the symbol table names other places";
				return -ENOENT;
			}
			*mine = 0;
		}
	}
	rt->symbols = true;
	return 0;
}

/* ---- startingStackSize */

static void look_stack_sizes(struct search *s, uint64_t at, const uint8_t *b, size_t n)
{
	struct go_runtime *rt = s->rt;

	for (size_t i = 0; i + 4 <= n; i += 4) {
		if (load_u32(b + i) != rt->l->f[GO_CONST_FIXEDSTACK])
			continue;
		if (rt->nstack_sizes < GO_STACK_SIZES)
			rt->stack_sizes[rt->nstack_sizes] = at + i;
		rt->nstack_sizes++;
	}
}

int find_stack_sizes(struct search *s)
{
	struct go_runtime *rt = s->rt;
	uint64_t at = rt->g.noptrdata, n;
	uint8_t b[16384];

	rt->nstack_sizes = s->known ? s->known->nstack_sizes : 0;
	for (unsigned int i = 0; i < rt->nstack_sizes; i++)
		rt->stack_sizes[i] = s->known->stack_sizes[i] + rt->bias;
	if (s->known)
		return 0;
	/* metrics of it came with the limiter */
	if (!go_has(rt->l, GO_LIMITER_CAPACITY) || !go_has(rt->l, GO_CONST_FIXEDSTACK))
		return 0;
	if (memsrc_kind(rt->m) != MEMSRC_CAPTURE)
		for (; at < rt->g.enoptrdata; at += n) {
			n = rt->g.enoptrdata - at < sizeof(b) ? rt->g.enoptrdata - at : sizeof(b);
			if (bin_read(s->b, at - rt->bias, b, n))
				break;
			look_stack_sizes(s, at, b, n);
		}
	n = rt->nstack_sizes > GO_STACK_SIZES ? 0 : rt->nstack_sizes;
	if (memsrc_note(rt->m, "stack size places", &n) || n > GO_STACK_SIZES)
		n = 0;
	for (unsigned int i = 0; i < n; i++) {
		char note[32];

		snprintf(note, sizeof(note), "stack size place %u", i);
		if (memsrc_note(rt->m, note, &rt->stack_sizes[i]))
			n = i;
	}
	rt->nstack_sizes = n;
	return 0;
}
