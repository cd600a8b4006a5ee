/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executable's resident bytes by function or thing, package and section. A ledger of the same
 * pass says which bytes are the executable's; the file says what lies in them. Both come in order
 * of address and are walked together, so that each byte is counted once, whatever the file says.
 */
#include "collect/profile_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "binary/contents.h"
#include "collect/collect.h"
#include "collect/owned.h"

enum {
	SECTIONS = CAT_BINARY_BSS - CAT_BINARY_TEXT + 1,
	NAMES_MAX = 1 << 16,   /* functions and variables that are named: the largest resident */
	GROUPS_MAX = 1 << 14,  /* packages that are named */
	SIZES = (1 << 16) + 1, /* resident bytes that a histogram tells apart; the last: more */
	KNOWN = 8,
};

static const char *const sections[SECTIONS] = { "text", "rodata", "data", "bss" };

/* Bytes of one thing, by section. */
struct bytes {
	uint64_t resident[SECTIONS], size[SECTIONS];
};

struct walk {
	struct making *k;
	struct bin_contents *c;
	uint64_t bias;
	const range_vec *owned; /* OWNED_* */
	size_t at;		/* the first of them that is not done */
	uint64_t done;		/* up to which address, inside that one */
	struct bytes rest;	/* what nothing names */
	/* which things are named */
	uint64_t things;
	uint64_t least; /* those with more resident bytes, */
	uint64_t room;	/* and so many of those with just as many */
	uint64_t unnamed;
	uint64_t groups[2 * GROUPS_MAX]; /* hashes of packages that are named; 0: free */
	size_t ngroups;
	bool groups_left; /* there were more */
	struct text name, group;
};

/* ---- bytes */

static void count(struct bytes *b, const struct range *r, uint64_t n)
{
	unsigned int i = (r->flags & OWNED_CATEGORY) - CAT_BINARY_TEXT;

	b->resident[i] += r->flags & OWNED_RESIDENT ? n : 0;
	b->size[i] += r->flags & OWNED_MAPPED ? n : 0;
}

/* What the executable has of [start, end), at or above where the last one ended; what lies before
 * is nobody's. */
static void take(struct walk *w, uint64_t start, uint64_t end, struct bytes *out)
{
	for (; w->at < w->owned->n; w->at++) {
		const struct range *r = &w->owned->v[w->at];
		uint64_t from = w->done > r->start ? w->done : r->start, to;

		if (from < start && from < r->end) {
			to = start < r->end ? start : r->end;
			count(&w->rest, r, to - from);
			from = to;
		}
		if (from < end && from < r->end) {
			to = end < r->end ? end : r->end;
			count(out, r, to - from);
			from = to;
		}
		w->done = from;
		if (from < r->end)
			break;
	}
}

static uint64_t sum(const uint64_t v[SECTIONS])
{
	return v[0] + v[1] + v[2] + v[3];
}

/* The next thing of which the executable has bytes: 1, 0, -errno. */
static int next(struct walk *w, struct bytes *out)
{
	for (;;) {
		uint64_t start, end;
		int r = bin_contents_next(w->c, &start, &end);

		if (r != 1)
			return r;
		*out = (struct bytes){ 0 };
		if (end + w->bias <= start + w->bias)
			continue;
		take(w, start + w->bias, end + w->bias, out);
		if (sum(out->size) || sum(out->resident))
			return 1;
	}
}

/* ---- which ones are named */

/* The largest: found by counting how many there are of each size. */
static int choose(struct walk *w)
{
	_free_ uint32_t *of_size = calloc(SIZES, sizeof(*of_size));
	uint64_t named = 0;
	struct bytes b;
	int64_t s = SIZES - 1;
	int r;

	if (!of_size)
		return -ENOMEM;
	while ((r = next(w, &b)) == 1) {
		uint64_t n = sum(b.resident);

		if (!bin_contents_has_name(w->c))
			continue;
		of_size[n < SIZES ? n : SIZES - 1]++;
		w->things++;
	}
	for (; s >= 0 && named + of_size[s] <= NAMES_MAX; s--)
		named += of_size[s];
	w->least = s < 0 ? 0 : s;
	w->room = s < 0 ? NAMES_MAX : NAMES_MAX - named;
	w->at = 0;
	w->done = 0;
	w->rest = (struct bytes){ 0 };
	bin_contents_rewind(w->c);
	return r;
}

static bool is_named(struct walk *w, const struct bytes *b)
{
	uint64_t n = sum(b->resident);

	n = n < SIZES ? n : SIZES - 1;
	if (w->things <= NAMES_MAX || n > w->least)
		return true;
	if (n < w->least || !w->room) {
		w->unnamed++;
		return false;
	}
	w->room--;
	return true;
}

/* Whether the package has a name in the profile, or there is room for one more. */
static bool is_group(struct walk *w, const char *name)
{
	uint64_t h = hash_bytes(HASH_START, name, strlen(name)) | 1;
	size_t i = h >> 32 & (ARRAY_LEN(w->groups) - 1);

	for (; w->groups[i]; i = (i + 1) & (ARRAY_LEN(w->groups) - 1))
		if (w->groups[i] == h)
			return true;
	if (w->ngroups == GROUPS_MAX) {
		w->groups_left = true;
		return false;
	}
	w->groups[i] = h;
	w->ngroups++;
	return true;
}

/* ---- samples */

static int add_sample(struct walk *w, const char *name, const char *group, unsigned int section,
		      const struct bytes *b)
{
	struct making *k = w->k;
	int r;

	k->n = 0;
	r = profile_push_name(k, name);
	if (!r && group)
		r = profile_push_name(k, group);
	if (!r)
		r = profile_push_name(k, sections[section]);
	return r ? r
		 : profile_put_counted(
			   k, &(struct profile_sample){ .value = { (int64_t)b->resident[section],
								   (int64_t)b->size[section] } });
}

/* One sample a section that it has bytes in. */
static int add(struct walk *w, const char *name, const char *group, const struct bytes *b)
{
	int r = 0;

	for (unsigned int i = 0; i < SECTIONS && !r; i++)
		if (b->resident[i] || b->size[i])
			r = add_sample(w, name, group, i, b);
	return r;
}

static int add_thing(struct walk *w, const struct bytes *b)
{
	bool named = !bin_contents_has_name(w->c) || is_named(w, b);
	const char *name, *group;
	int r = bin_contents_name(w->c, &w->name, &w->group);

	if (r)
		return r;
	group = is_group(w, w->group.p) ? w->group.p : "other packages";
	name = !named ? "smaller ones" : w->name.n ? w->name.p : "no name";
	return add(w, name, group, b);
}

static int add_all(struct walk *w)
{
	struct bytes b = { 0 };
	int r = w->c ? choose(w) : 0;

	if (r)
		return r;
	while (w->c && (r = next(w, &b)) == 1) {
		r = add_thing(w, &b);
		if (r)
			return r;
	}
	if (!r)
		take(w, UINT64_MAX, UINT64_MAX, &b);
	return r ? r : add(w, "other", NULL, &w->rest);
}

/* What could not be told apart. */
static int say(struct walk *w)
{
	const struct bin_gaps *g = w->c ? bin_contents_gaps(w->c) : NULL;
	struct profile *p = w->k->p;
	int r = 0;

	if (!g)
		return profile_say(p, "the executable can't be read: its bytes are not named");
	if (g->functions)
		r = profile_say(p, "the function table can't be read: code is by section alone");
	if (!r && g->module)
		r = profile_say(p, "moduledata was not found: types, strings and variables are by "
				   "section alone");
	if (!r && g->symbols)
		r = profile_say(p,
				"no symbol table (stripped): variables are by kind, not by name");
	if (!r && w->unnamed)
		r = profile_say(p,
				"%" PRIu64 " of %" PRIu64
				" functions and variables are \"smaller ones\" of their "
				"package: the %d largest are named",
				w->unnamed, w->things, NAMES_MAX);
	if (!r && w->groups_left)
		r = profile_say(p,
				"there are more than %d packages: the others are \"other "
				"packages\"",
				GROUPS_MAX);
	return r;
}

/* ---- the executable */

/* The runtime's variables that discovery has found: link-time addresses. */
static size_t find_known(const struct session *s, struct bin_known out[KNOWN])
{
	const struct session_go *g = s->ngo && !s->go[0].lib && s->go[0].open ? &s->go[0] : NULL;
	size_t n = 0;

	if (!g)
		return 0;
	const struct {
		uint64_t at;
		enum go_field size;
		const char *name;
	} v[] = {
		{ g->rt.g.mheap, GO_SIZE_MHEAP, "runtime.mheap_" },
		{ g->rt.g.memstats, GO_SIZE_MSTATS, "runtime.memstats" },
		{ g->rt.g.gccontroller, GO_SIZE_GCCONTROLLER, "runtime.gcController" },
		{ g->rt.g.sched, GO_SIZE_SCHED, "runtime.sched" },
		{ g->rt.g.limiter, GO_SIZE_LIMITER, "runtime.gcCPULimiter" },
		{ g->rt.g.work, GO_SIZE_WORK, "runtime.work" },
		{ g->rt.g.moduledata, GO_SIZE_MODULEDATA, "runtime.firstmoduledata" },
	};

	_Static_assert(ARRAY_LEN(v) <= KNOWN, "out[]");
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint64_t start = v[i].at - s->bias;

		if (v[i].at && go_has(g->rt.l, v[i].size))
			out[n++] = (struct bin_known){ start, start + go_off(g->rt.l, v[i].size),
						       v[i].name, "runtime" };
	}
	return n;
}

int profile_fill_binary(struct making *k, struct bin *b, uint64_t bias,
			const struct bin_known *known, size_t n, const range_vec *owned)
{
	_free_ struct walk *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (r)
		return r;
	w->k = k;
	w->bias = bias;
	w->owned = owned;
	if (b)
		r = bin_contents_open(b, known, n, &w->c);
	if (!r)
		r = add_all(w);
	if (!r)
		r = say(w);
	bin_contents_close(w->c);
	text_free(&w->name);
	text_free(&w->group);
	return r;
}

int profile_make_binary(struct making *k, struct err *e)
{
	struct ledger_builder claims = { 0 };
	struct collect_swept swept = { 0 };
	struct collect_opts o = { .keep = &claims, .swept = &swept };
	struct report report = { 0 };
	struct bin_known known[KNOWN];
	range_vec owned = { 0 };
	int r = collect_report(k->s, &o, &report, e);

	if (!r) {
		r = owned_ranges(&claims, &swept, CAT_BINARY_TEXT, CAT_BINARY_BSS, &owned);
		if (!r)
			r = profile_fill_binary(k, k->s->bin, k->s->bias, known,
						find_known(k->s, known), &owned);
		if (r)
			err_set(e, r, "reading the executable: %s", strerror(-r));
	}
	vec_free(&owned);
	collect_swept_free(&swept);
	ledger_builder_free(&claims);
	report_free(&report);
	return r;
}
