/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/layout.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layout's elements override those of the layout it starts from: that is how the table works. */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
#include "goruntime/layouts.inc"
#pragma GCC diagnostic pop

const size_t go_nlayouts = sizeof(go_layouts) / sizeof(go_layouts[0]);

enum {
	PER_MINOR = 10000,
	MAX_MINOR = 9999,
	MAX_PATCH = 4999,
	/* below the release itself, above any patch release of the minor before */
	BEFORE_BETA = 2000,
	BEFORE_RC = 1000,
	MAX_PRE = 999,
	EXPERIMENT = 1 << 29, /* above every distance */
};

/* Reads decimal digits, at most up to limit; −1 when there are none or too much. */
static int parse_number(const char **s, int limit)
{
	const char *p = *s;
	int n = 0;

	while (*p >= '0' && *p <= '9') {
		n = n * 10 + (*p++ - '0');
		if (n > limit)
			return -1;
	}
	if (p == *s)
		return -1;
	*s = p;
	return n;
}

static int skip_word(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n))
		return 0;
	*s += n;
	return 1;
}

int go_version_number(const char *version)
{
	int minor, n = 0, before = 0;

	if (!version || !skip_word(&version, "go1."))
		return -1;
	minor = parse_number(&version, MAX_MINOR);
	if (minor < 0)
		return -1;
	if (skip_word(&version, "."))
		n = parse_number(&version, MAX_PATCH);
	else if (skip_word(&version, "rc"))
		before = BEFORE_RC, n = parse_number(&version, MAX_PRE);
	else if (skip_word(&version, "beta"))
		before = BEFORE_BETA, n = parse_number(&version, MAX_PRE);
	if (n < 0)
		return -1;
	/* What vendors append: "go1.19.8-x", "go1.22.5 (…)", "go1.26.8 X:…", "go1.21.3+auto". */
	if (*version && !strchr(" -+_", *version))
		return -1;
	return minor * PER_MINOR - before + n;
}

/* Calls the words of a list one by one: *len is the word's length, NULL at the end. */
static const char *next_word(const char *at, size_t *len)
{
	at += strspn(at, " ");
	*len = strcspn(at, " ");
	return *len ? at : NULL;
}

static int has_word(const char *list, const char *word, size_t n)
{
	size_t len;

	while ((list = next_word(list, &len))) {
		if (len == n && !memcmp(list, word, n))
			return 1;
		list += len;
	}
	return 0;
}

const struct go_layout *go_layout_find(const char *version, const char *arch)
{
	size_t n = version ? strcspn(version, " ") : 0;

	for (size_t i = 0; i < go_nlayouts; i++)
		if (!strcmp(go_layouts[i].arch, arch) &&
		    has_word(go_layouts[i].releases, version, n))
			return &go_layouts[i];
	return NULL;
}

/* ---- experiments */

/* Of vendors, for their cryptography only: Red Hat's Go, Microsoft's. */
static const char vendor_experiments[] =
	"allowcryptofallback cngcrypto darwincrypto opensslcrypto strictfipsruntime systemcrypto "
	"noopensslcrypto nosystemcrypto ";

/* Calls the experiments of a version one by one, as next_word() does: from its "X:" on. */
static const char *first_experiment(const char *version)
{
	const char *x = version ? strstr(version, "X:") : NULL;

	return x && x > version && strchr(" -", x[-1]) ? x + 2 : NULL;
}

static const char *next_experiment(const char *at, size_t *len)
{
	if (!at)
		return NULL;
	at += strspn(at, ",");
	*len = strcspn(at, ", ");
	return *len ? at : NULL;
}

static int names_experiment(const char *version, const char *name, size_t n)
{
	const char *x = first_experiment(version);
	size_t len;

	for (; (x = next_experiment(x, &len)); x += len)
		if (len == n && !memcmp(x, name, n))
			return 1;
	return 0;
}

/* Whether a release of that minor (−1: of any) is there as built with the experiment. */
static int moves(const struct go_layout *l, int minor, const char *name, size_t n)
{
	const char *r = l->releases;
	size_t len;

	while ((r = next_word(r, &len))) {
		const char *x = memchr(r, '+', len);

		if (x && (size_t)(r + len - x - 1) == n && !memcmp(x + 1, name, n) &&
		    (go_version_number(r) / PER_MINOR == minor || minor < 0))
			return 1;
		r += len;
	}
	return 0;
}

static int moves_any(const char *arch, int minor, const char *name, size_t n)
{
	for (size_t i = 0; i < go_nlayouts; i++)
		if (!strcmp(go_layouts[i].arch, arch) && moves(&go_layouts[i], minor, name, n))
			return 1;
	return 0;
}

int go_layout_refused_experiments(const char *version, const char *arch, char *buf, size_t max)
{
	int number = go_version_number(version), moving = 0;
	const char *first = first_experiment(version), *x = first;
	/* a release candidate is of its minor */
	int minor = number < 0 ? -1 : (number + BEFORE_BETA) / PER_MINOR;
	size_t len, at = 0;

	for (; (x = next_experiment(x, &len)); x += len) {
		moving += moves_any(arch, minor, x, len);
		if (has_word(go_experiments, x, len) || has_word(vendor_experiments, x, len))
			continue;
		if (at < max)
			at += snprintf(buf + at, max - at, "%s%.*s", at ? "," : "", (int)len, x);
	}
	if (!at && moving > 1)
		at = snprintf(buf, max, "%.*s", (int)strcspn(first, " "), first);
	return at > 0;
}

/*
 * How far a layout is from a version: that of its nearest release. Minors count before patches; of
 * two equally far the older comes first, since layouts change more often in a later minor. What an
 * experiment moved is nearer than the rest to a version that names it, and last to all others.
 */
static int distance(const struct go_layout *l, int version, const char *text)
{
	int minor = (version + BEFORE_BETA) / PER_MINOR, best = INT_MAX;
	const char *r = l->releases;
	size_t len;

	while ((r = next_word(r, &len))) {
		int n = go_version_number(r), d;
		const char *x = memchr(r, '+', len);
		int other = 1;

		if (x)
			other = names_experiment(text, x + 1, r + len - x - 1) ? 0 : EXPERIMENT;
		r += len;
		if (n / PER_MINOR == minor)
			d = abs(n - version);
		else
			/* the last patches of an older minor, the first of a newer one */
			d = PER_MINOR * abs(n / PER_MINOR - minor) +
			    (n < version ? MAX_PATCH - n % PER_MINOR : n % PER_MINOR);
		d = 2 * (2 * d + (n > version)) + other;
		if (d < best)
			best = d;
	}
	return best;
}

size_t go_layout_candidates(const char *version, const char *arch, const struct go_layout **out,
			    size_t max)
{
	int number = go_version_number(version), *dist;
	size_t n = 0;

	if (!max)
		return 0;
	/* "devel …", or none at all: what is not a release is more likely newer than older */
	if (number < 0)
		number = MAX_MINOR * PER_MINOR;
	dist = calloc(max, sizeof(*dist));
	if (!dist)
		return 0;
	/* insertion into the max best so far; the table has some dozens */
	for (size_t i = 0; i < go_nlayouts; i++) {
		int d;
		size_t at;

		if (strcmp(go_layouts[i].arch, arch))
			continue;
		d = distance(&go_layouts[i], number, version);
		for (at = n; at > 0 && dist[at - 1] > d; at--)
			;
		if (at == max)
			continue;
		if (n < max)
			n++;
		memmove(&dist[at + 1], &dist[at], (n - at - 1) * sizeof(*dist));
		memmove(&out[at + 1], &out[at], (n - at - 1) * sizeof(*out));
		dist[at] = d;
		out[at] = &go_layouts[i];
	}
	free(dist);
	return n;
}

int go_layout_minor(const struct go_layout *l)
{
	return go_version_number(l->releases) / PER_MINOR;
}

int go_layout_has_inline_marks(const struct go_layout *l)
{
	const char *x = strstr(l->releases, "greenteagc");

	if (x)
		return x[-1] == '+';
	return go_version_number(l->releases) >= 26 * PER_MINOR;
}

/* ---- sanity */

/* The structure of each SIZE and FIELD; NULL for other entries. Fields have names, too. */
static const char *const struct_of[] = {
#define SIZE(id, s)	[GO_SIZE_##id] = s,
#define FIELD(id, s, f) [GO_##id] = s,
#define WIDTH(id, s, f) [GO_##id] = NULL,
#define CONST(id, n)	[GO_CONST_##id] = NULL,
#include "goruntime/fields.def"
#undef SIZE
#undef FIELD
#undef WIDTH
#undef CONST
};
static const char is_size[] = {
#define SIZE(id, s)	[GO_SIZE_##id] = 1,
#define FIELD(id, s, f) [GO_##id] = 0,
#define WIDTH(id, s, f) [GO_##id] = 0,
#define CONST(id, n)	[GO_CONST_##id] = 0,
#include "goruntime/fields.def"
#undef SIZE
#undef FIELD
#undef WIDTH
#undef CONST
};

static int is_multiple(const struct go_layout *l, enum go_field f, int64_t of)
{
	return !go_has(l, f) || (l->f[f] > 0 && l->f[f] % of == 0);
}

static int is_width(const struct go_layout *l, enum go_field f)
{
	int64_t w = l->f[f];

	return !go_has(l, f) || w == 1 || w == 2 || w == 4 || w == 8;
}

/* heap.c and regions.c read pages of 8 KiB, 512 to a chunk, in 48 bits of address. */
static int are_constants_sane(const struct go_layout *l)
{
	int64_t arena = l->f[GO_CONST_HEAPARENABYTES];

	return is_multiple(l, GO_CONST_PERSISTENTCHUNK, 65536) &&
	       is_multiple(l, GO_CONST_GCBITSCHUNK, 65536) && arena > 0 && !(arena & (arena - 1)) &&
	       !(l->f[GO_CONST_ARENABASEOFFSET] % arena) &&
	       l->f[GO_CONST_PALLOCCHUNKS_L1BITS] + l->f[GO_CONST_PALLOCCHUNKS_L2BITS] == 26 &&
	       l->f[GO_GCBITSARENA_NEXT] == 8 && l->f[GO_SIZE_PALLOCDATA] == 128 &&
	       l->f[GO_CONST_SUMMARYLEVELS] == 5 &&
	       (!go_has(l, GO_SIZE_SCAVCHUNK) || l->f[GO_SIZE_SCAVCHUNK] == 8) &&
	       is_width(l, GO_MSPAN_NELEMS_WIDTH) && is_width(l, GO_MSPAN_FREEINDEX_WIDTH);
}

/* Two entries of one structure: fields lie in different places, and inside. */
static int can_stand(const struct go_layout *l, int i, int k)
{
	if (!struct_of[i] || !struct_of[k] || !go_has(l, i) || !go_has(l, k) ||
	    strcmp(struct_of[i], struct_of[k]))
		return 1;
	if (is_size[i] || is_size[k])
		return is_size[i] ? l->f[k] < l->f[i] : l->f[i] < l->f[k];
	return l->f[i] != l->f[k];
}

/* heapStatsDelta: a count before each array of small ones; three of them, then gen (mstats.go,
 * consistentHeapStats). Up to 1.18 nothing else repeats what the three add up to. */
static int is_delta_sane(const struct go_layout *l)
{
	int64_t array = 8LL * l->nclasses;

	if (!go_has(l, GO_SIZE_HEAPDELTA))
		return 1;
	return l->f[GO_HEAPDELTA_SMALLALLOCCOUNT] == l->f[GO_HEAPDELTA_LARGEALLOC] + 16 &&
	       l->f[GO_HEAPDELTA_LARGEFREE] == l->f[GO_HEAPDELTA_SMALLALLOCCOUNT] + array &&
	       l->f[GO_HEAPDELTA_SMALLFREECOUNT] == l->f[GO_HEAPDELTA_LARGEFREE] + 16 &&
	       l->f[GO_HEAPSTATS_GEN] == l->f[GO_HEAPSTATS_STATS] + 3 * l->f[GO_SIZE_HEAPDELTA];
}

int go_layout_is_sane(const struct go_layout *l)
{
	if (!are_constants_sane(l) || !is_delta_sane(l))
		return 0;
	/* two uint32 side by side, two counters of an M, ends of a P's queue, and two before the
	 * first array of heapStatsDelta */
	if (l->f[GO_MSTATS_NUMFORCEDGC] != l->f[GO_MSTATS_NUMGC] + 4 ||
	    l->f[GO_M_NCGO] != l->f[GO_M_NCGOCALL] + 8 ||
	    l->f[GO_P_RUNQTAIL] != l->f[GO_P_RUNQHEAD] + 4 ||
	    (go_has(l, GO_HEAPDELTA_TINYALLOCCOUNT) &&
	     l->f[GO_HEAPDELTA_TINYALLOCCOUNT] != l->f[GO_HEAPDELTA_LARGEALLOC] - 8))
		return 0;
	for (int i = 0; i < GO_FIELD_COUNT; i++)
		for (int k = 0; k < i; k++)
			if (!can_stand(l, i, k))
				return 0;
	return 1;
}
