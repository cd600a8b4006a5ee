/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Go version of a program without build info: the string that runtime.buildVersion points to.
 * Strings lie in rodata one behind the other without terminators, so where one ends is known from
 * a string header in the data only; without such a header the likeliest match is taken.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "binary/internal.h"

enum { CANDIDATES_MAX = 512 };

struct candidate {
	uint64_t vaddr;
	char text[16]; /* the longest that looks like a version */
	bool patch;    /* go1.N.M */
};

struct version_search {
	struct bin *b;
	const struct bin_segment *seg;
	VEC(struct candidate) v;
	uint64_t lo, hi; /* addresses of the candidates */
	char best[128];	 /* by a string header */
	bool best_patch;
};

/* Digits at p, at most max; their value in *out. */
static size_t digits(const char *p, size_t n, size_t max, unsigned int *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < n && i < max && isdigit((unsigned char)p[i]); i++)
		*out = *out * 10 + (p[i] - '0');
	return i;
}

/* Length of the version at p ("go1.19", "go1.19.8", "go1.21rc2"), 0 when there is none. */
static size_t version_len(const char *p, size_t n, unsigned int *minor, bool *patch)
{
	size_t at = 4, k;
	unsigned int x;

	*patch = false;
	if (n < 5 || memcmp(p, "go1.", 4))
		return 0;
	k = digits(p + at, n - at, 2, minor);
	if (!k)
		return 0;
	at += k;
	if (n - at > 1 && p[at] == '.' && (k = digits(p + at + 1, n - at - 1, 2, &x))) {
		*patch = true;
		return at + 1 + k;
	}
	if (n - at > 2 && !memcmp(p + at, "rc", 2) && (k = digits(p + at + 2, n - at - 2, 2, &x)))
		return at + 2 + k;
	if (n - at > 4 && !memcmp(p + at, "beta", 4) && (k = digits(p + at + 4, n - at - 4, 1, &x)))
		return at + 4 + k;
	return at;
}

/* Releases that write this pclntab. */
static bool fits_magic(uint32_t magic, unsigned int minor)
{
	switch (magic) {
	case PCLN_12:
		return minor >= 2 && minor <= 15;
	case PCLN_116:
		return minor == 16 || minor == 17;
	case PCLN_118:
		return minor == 18 || minor == 19;
	default:
		return minor >= 20;
	}
}

static int find_strings(void *ctx, uint64_t off, const uint8_t *p, size_t n)
{
	struct version_search *s = ctx;
	const char *at = (const char *)p, *end = at + n;

	while ((at = memmem(at, end - at, "go1.", 4))) {
		struct candidate c = { .vaddr = s->seg->vaddr + (off - s->seg->offset) +
						(at - (const char *)p) };
		unsigned int minor;
		size_t len = version_len(at, end - at, &minor, &c.patch);

		if (len && fits_magic(s->b->pcln.magic, minor)) {
			memcpy(c.text, at, len < sizeof(c.text) ? len : sizeof(c.text) - 1);
			if (vec_push(&s->v, c))
				return -ENOMEM;
			if (s->v.n >= CANDIDATES_MAX)
				return 1;
		}
		at += 4;
	}
	return 0;
}

/* Both a candidate and a bare address begin with the address. */
static int by_vaddr(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* A pointer into the candidates: is it the header of a string that is a version as a whole? */
static int check_header(void *ctx, uint64_t vaddr, uint64_t value, uint64_t off, size_t len)
{
	struct version_search *s = ctx;
	unsigned int minor;
	char text[128];
	bool patch;
	uint64_t n;
	size_t k;

	if (!bsearch(&value, s->v.v, s->v.n, sizeof(s->v.v[0]), by_vaddr) ||
	    bin_read(s->b, vaddr + 8, &n, 8) || n < 5 || n >= sizeof(text) ||
	    bin_read(s->b, value, text, n))
		return 0;
	text[n] = 0;
	k = version_len(text, n, &minor, &patch);
	/* behind the number only experiments may stand: "go1.24.4 X:name", "go1.26.8-X:name" */
	if (!k || (k < n && text[k] != ' ' && strncmp(text + k, "-X:", 3)) ||
	    (s->best[0] && (s->best_patch || !patch)))
		return 0;
	for (; k < n; k++)
		if (!isprint((unsigned char)text[k]))
			return 0;
	if (io_note(s->b->io, off, len))
		return 0;
	memcpy(s->best, text, n + 1);
	s->best_patch = patch;
	return patch; /* go1.N.M is as good as it gets */
}

static int search(struct version_search *s)
{
	int r = 0;

	for (size_t i = 0; i < s->b->seg.n && !r; i++) {
		s->seg = &s->b->seg.v[i];
		if (s->seg->flags & BIN_SEG_R)
			r = io_scan(s->b->io, s->seg->offset, s->seg->filesz, 15, find_strings, s);
	}
	if (r < 0 || !s->v.n)
		return r;
	qsort(s->v.v, s->v.n, sizeof(s->v.v[0]), by_vaddr);
	s->lo = s->v.v[0].vaddr;
	s->hi = s->v.v[s->v.n - 1].vaddr;
	r = image_pointers(s->b, s->lo, s->hi + 1, check_header, s);
	return r < 0 ? r : 0;
}

int version_search(struct bin *b)
{
	struct version_search s = { .b = b };
	const struct candidate *c = NULL;
	char seen[sizeof(c->text)];
	int r = search(&s);

	for (size_t i = 0; i < s.v.n && !s.best[0]; i++)
		if (!c || (s.v.v[i].patch && !c->patch))
			c = &s.v.v[i];
	if (s.best[0]) {
		snprintf(b->go.version, sizeof(b->go.version), "%s", s.best);
	} else if (c && !bin_read(b, c->vaddr, seen, strlen(c->text))) { /* for the record */
		snprintf(b->go.version, sizeof(b->go.version), "%s", c->text);
	}
	b->go.from_string = b->go.version[0];
	vec_free(&s.v);
	return r == -ENOMEM ? r : 0;
}
