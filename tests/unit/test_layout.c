/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "test.h"

#include "goruntime/layout.h"

static const char *const arches[] = { "amd64", "arm64" };

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Copies the next word of a space-separated list; NULL at its end. */
static const char *word(const char *at, char *buf, size_t size)
{
	size_t n;

	at += strspn(at, " ");
	n = strcspn(at, " ");
	if (!n)
		return NULL;
	REQUIRE(n < size);
	memcpy(buf, at, n);
	buf[n] = 0;
	return at + n;
}

TEST(layout_version_number)
{
	CHECK_INT(go_version_number("go1.19.8"), 190008);
	CHECK_INT(go_version_number("go1.15"), 150000);
	CHECK_INT(go_version_number("go1.21.0"), 210000);
	CHECK_INT(go_version_number("go1.26.8 X:nogreenteagc"), 260008);
	CHECK_INT(go_version_number("go1.19.8-something"), 190008);
	CHECK_INT(go_version_number("go1.22.5 (Vendor 1.22.5-1.el9)"), 220005);
	CHECK_INT(go_version_number("go1.21.3+auto"), 210003);
}

TEST(layout_version_order)
{
	static const char *const sorted[] = {
		"go1.9",      "go1.20.14", "go1.21beta1",  "go1.21rc1", "go1.21rc3",
		"go1.21rc10", "go1.21.0",  "go1.21.1",	   "go1.21.9",	"go1.21.10",
		"go1.22rc1",  "go1.22.0",  "go1.100beta2", "go1.100.0",
	};

	for (size_t i = 0; i + 1 < ARRAY_SIZE(sorted); i++)
		if (go_version_number(sorted[i]) >= go_version_number(sorted[i + 1]))
			test_failed(__FILE__, __LINE__, "%s is not before %s", sorted[i],
				    sorted[i + 1]);
}

TEST(layout_version_refused)
{
	static const char *const bad[] = {
		"",
		"go",
		"go1",
		"go1.",
		"go2.1.1",
		"1.19.8",
		"go1.x",
		"go1.19.",
		"go1.19.8.1",
		"go1.19.8a",
		"go1.-1",
		"go1.19.99999999999999999999",
		"go1.99999999999999999999",
		"go1.21rc",
		"devel go1.22-b1b9d9 Thu",
		"devel +abc",
		"unknown",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (go_version_number(bad[i]) != -1)
			test_failed(__FILE__, __LINE__, "\"%s\" gives %d", bad[i],
				    go_version_number(bad[i]));
	CHECK_INT(go_version_number(NULL), -1);
}

/* Each release stands once for each architecture, lists are in order, and both have the same; an
 * experiment may move fields on one of them only. */
TEST(layout_releases)
{
	size_t count[2] = { 0, 0 };

	for (size_t i = 0; i < go_nlayouts; i++) {
		const char *at = go_layouts[i].releases;
		int last = -1;
		char r[32];

		while ((at = word(at, r, sizeof(r)))) {
			CHECK(go_version_number(r) > last);
			last = go_version_number(r);
			if (go_layout_find(r, go_layouts[i].arch) != &go_layouts[i])
				test_failed(__FILE__, __LINE__, "%s %s is there twice",
					    go_layouts[i].arch, r);
			for (size_t a = 0; a < ARRAY_SIZE(arches) && !strchr(r, '+'); a++) {
				count[a] += !strcmp(arches[a], go_layouts[i].arch);
				CHECK(go_layout_find(r, arches[a]));
			}
		}
		CHECK(last > 0);
	}
	CHECK(count[0] > 0);
	CHECK_INT(count[0], count[1]);
}

TEST(layout_find)
{
	const struct go_layout *l = go_layout_find("go1.26.8", "amd64");

	REQUIRE(l);
	CHECK_STR(l->arch, "amd64");
	CHECK(go_layout_find("go1.26.8 X:nogreenteagc", "amd64") == l);
	CHECK(!go_layout_find("go1.26.8-vendor", "amd64"));
	CHECK(!go_layout_find("go1.26.8", "386"));
	CHECK(!go_layout_find("go1.26.80", "amd64"));
	CHECK(!go_layout_find("go1.26.", "amd64"));
	CHECK(!go_layout_find("", "amd64"));
	CHECK(!go_layout_find(NULL, "amd64"));
	CHECK(go_layout_find("go1.26.8", "arm64") != l);
}

/* All of an architecture, each once, the exact one first, and then by nearness. */
TEST(layout_candidates_known)
{
	const struct go_layout *got[128];

	for (size_t i = 0; i < go_nlayouts; i++) {
		const char *at = go_layouts[i].releases;
		size_t n, want = 0;
		char r[32];

		for (size_t j = 0; j < go_nlayouts; j++)
			want += !strcmp(go_layouts[j].arch, go_layouts[i].arch);
		while ((at = word(at, r, sizeof(r)))) {
			char *x = strchr(r, '+'), version[64];

			snprintf(version, sizeof(version), "%.*s%s%s",
				 (int)(x ? (size_t)(x - r) : strlen(r)), r, x ? "-X:other," : "",
				 x ? x + 1 : "");
			n = go_layout_candidates(version, go_layouts[i].arch, got, ARRAY_SIZE(got));
			REQUIRE(n == want);
			CHECK(got[0] == &go_layouts[i]);
			for (size_t a = 0; a < n; a++) {
				CHECK_STR(got[a]->arch, go_layouts[i].arch);
				for (size_t b = 0; b < a; b++)
					CHECK(got[a] != got[b]);
			}
		}
	}
}

static int lowest(const struct go_layout *l)
{
	char r[32];

	REQUIRE(word(l->releases, r, sizeof(r)));
	return go_version_number(r);
}

static int highest(const struct go_layout *l)
{
	const char *at = l->releases;
	char r[32] = "";

	while ((at = word(at, r, sizeof(r))))
		;
	return go_version_number(r);
}

/* The layout of the newest release below that number, or of the oldest from it on. */
static const struct go_layout *newest_below(int number)
{
	const struct go_layout *best = NULL;

	for (size_t i = 0; i < go_nlayouts; i++)
		if (!strcmp(go_layouts[i].arch, "amd64") && highest(&go_layouts[i]) < number &&
		    (!best || highest(&go_layouts[i]) > highest(best)))
			best = &go_layouts[i];
	return best;
}

static const struct go_layout *oldest_from(int number)
{
	const struct go_layout *best = NULL;

	for (size_t i = 0; i < go_nlayouts; i++)
		if (!strcmp(go_layouts[i].arch, "amd64") && lowest(&go_layouts[i]) >= number &&
		    (!best || lowest(&go_layouts[i]) < lowest(best)))
			best = &go_layouts[i];
	return best;
}

static const struct go_layout *first_of(const char *version)
{
	const struct go_layout *got[1];

	REQUIRE(go_layout_candidates(version, "amd64", got, 1) == 1);
	return got[0];
}

TEST(layout_candidates_unknown)
{
	const struct go_layout *newest = newest_below(INT32_MAX);

	/* A patch release to come, a vendor's build, release candidates. */
	CHECK(first_of("go1.19.4000") == newest_below(200000));
	CHECK(first_of("go1.19.8-vendor") == go_layout_find("go1.19.8", "amd64"));
	CHECK(first_of("go1.21rc1") == oldest_from(210000));
	CHECK(first_of("go1.21beta1") == oldest_from(210000));
	/* Beyond both ends of the table, and what is no release. */
	CHECK(first_of("go1.4") == oldest_from(0));
	CHECK(first_of("go1.999.0") == newest);
	CHECK(first_of("devel go1.99-0123456789 Thu Jan 1 00:00:00 1970") == newest);
	CHECK(first_of("") == newest);
	CHECK(first_of(NULL) == newest);
}

/* The minor's own layouts come before its neighbours', which come before those further away. */
TEST(layout_candidates_by_minor)
{
	const struct go_layout *got[128];
	size_t n = go_layout_candidates("go1.21.5", "amd64", got, ARRAY_SIZE(got));
	int last = 0;

	REQUIRE(n > 3);
	for (size_t i = 0; i < n; i++) {
		int lo = lowest(got[i]) / 10000 - 21, hi = 21 - highest(got[i]) / 10000;
		int away = lo > 0 ? lo : hi > 0 ? hi : 0;

		if (strchr(got[i]->releases, '+'))
			away = 1000; /* an experiment that this version does not name: last */
		CHECK(away >= last);
		last = away;
	}
}

/* What an experiment moved comes first for versions that name it, in either release's spelling. */
TEST(layout_candidates_of_experiments)
{
	const struct go_layout *plain = go_layout_find("go1.26.8", "amd64"),
			       *x = go_layout_find("go1.26.8+nogreenteagc", "amd64");

	REQUIRE(plain && x && plain != x);
	CHECK(first_of("go1.26.8-X:nogreenteagc") == x);
	CHECK(first_of("go1.26.8 X:nogreenteagc") == x);
	CHECK(first_of("go1.26.8-X:jsonv2,nogreenteagc,arenas") == x);
	CHECK(first_of("go1.26.4000-X:nogreenteagc") == x);
	CHECK(first_of("go1.26.8-X:jsonv2,arenas") == plain);
	CHECK(first_of("go1.26.8-X:greenteagc") == plain);
	CHECK(first_of("go1.26.8-X:nogreenteagcx") == plain);
	CHECK(first_of("go1.26.8") == plain);
}

/* What nobody tried is refused, and what was tried alone only: two that move fields. */
TEST(layout_refused_experiments)
{
	static const struct {
		const char *version, *refused;
	} cases[] = {
		{ "go1.26.8", NULL },
		{ "go1.26.8-X:nogreenteagc", NULL },
		{ "go1.26.8-X:nogreenteagc,jsonv2,nodwarf5", NULL },
		{ "go1.24.4 X:noswissmap,arenas", NULL },
		{ "go1.22.12 (Red Hat 1.22.12-3.el9_5) X:strictfipsruntime", NULL },
		{ "go1.24.10 X:systemcrypto", NULL },
		{ "go1.24.4 X:staticlockranking", "staticlockranking" },
		{ "go1.24.4 X:arenas,onceagain,staticlockranking", "onceagain,staticlockranking" },
		{ "go1.22.5 X:noallocheaders,noexectracer2", "noallocheaders,noexectracer2" },
		{ "go1.22rc1 X:noallocheaders,noexectracer2", "noallocheaders,noexectracer2" },
		{ "devel go1.23-1234 X:noallocheaders,noexectracer2",
		  "noallocheaders,noexectracer2" },
		{ "go1.22.5 X:noallocheaders", NULL },
		/* of one release each */
		{ "go1.25.3 X:greenteagc,noallocheaders", NULL },
		{ "go1.22.5-MAX:nothing", NULL },
		{ "X:nothing", NULL },
		{ "", NULL },
	};
	char buf[40];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = go_layout_refused_experiments(cases[i].version, "amd64", buf, sizeof(buf));

		if (!r != !cases[i].refused || (r && strcmp(buf, cases[i].refused)))
			test_failed(__FILE__, __LINE__, "%s: %s", cases[i].version,
				    r ? buf : "nothing");
	}
	CHECK(go_layout_refused_experiments("go1.24.4 X:a23456789012345678901234567890123456789012,"
					    "b2345678901234567890",
					    "amd64", buf, sizeof(buf)));
	CHECK_INT(strlen(buf), sizeof(buf) - 1);
}

/* Green Tea: the default from 1.26, an experiment before. */
TEST(layout_inline_marks)
{
	static const struct {
		const char *release;
		int has;
	} cases[] = { { "go1.24.4", 0 }, { "go1.25.14", 0 }, { "go1.25.14+greenteagc", 1 },
		      { "go1.26.8", 1 }, { "go1.27.4", 1 },  { "go1.27.4+nogreenteagc", 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct go_layout *l = go_layout_find(cases[i].release, "arm64");

		REQUIRE(l);
		CHECK_INT(go_layout_has_inline_marks(l), cases[i].has);
	}
}

TEST(layout_candidates_bounded)
{
	const struct go_layout *got[4] = { NULL, NULL, NULL, NULL };

	CHECK_INT(go_layout_candidates("go1.21.5", "amd64", got, 2), 2);
	CHECK(got[0] && got[1] && !got[2] && !got[3]);
	CHECK_INT(go_layout_candidates("go1.21.5", "amd64", got, 0), 0);
	CHECK_INT(go_layout_candidates("go1.21.5", "mips", got, 4), 0);
}

struct entry {
	enum go_field id;
	const char *name, *owner;
};

static const struct entry sizes[] = {
#define SIZE(id, s) { GO_SIZE_##id, #id, s },
#define FIELD(id, s, f)
#define WIDTH(id, s, f)
#define CONST(id, n)
#include "goruntime/fields.def"
#undef SIZE
#undef FIELD
};

static const struct entry fields[] = {
#define SIZE(id, s)
#define FIELD(id, s, f) { GO_##id, #id, s },
#include "goruntime/fields.def"
};

static void layout_failed(const struct go_layout *l, const char *name, int64_t v)
{
	test_failed(__FILE__, __LINE__, "%s %s: %s is %" PRId64, l->arch, l->releases, name, v);
}

TEST(layout_sizes_and_offsets)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *l = &go_layouts[i];

		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			int64_t size = go_off(l, sizes[s].id);

			if (!go_has(l, sizes[s].id))
				continue;
			if (size <= 0 || size % 8)
				layout_failed(l, sizes[s].name, size);
			for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
				int64_t off = go_off(l, fields[f].id);

				if (strcmp(fields[f].owner, sizes[s].owner) ||
				    !go_has(l, fields[f].id))
					continue;
				if (off < 0 || off >= size)
					layout_failed(l, fields[f].name, off);
			}
		}
	}
}

/* No reader can do without these: absent in one release, they were renamed there. */
/* Each layout as it is, and none with a structure that is too small, two fields in one place, or
 * neighbours apart. */
TEST(layout_sane)
{
	const struct {
		enum go_field f;
		int64_t by;
	} wrong[] = {
		{ GO_SIZE_MSPAN, -4096 },     { GO_MSPAN_NPAGES, -8 },
		{ GO_MSTATS_NUMFORCEDGC, 4 }, { GO_M_NCGO, 8 },
		{ GO_SIZE_PALLOCDATA, 8 },    { GO_CONST_HEAPARENABYTES, 8 },
		{ GO_GCBITSARENA_NEXT, 8 },
	};

	for (size_t i = 0; i < go_nlayouts; i++) {
		if (!go_layout_is_sane(&go_layouts[i]))
			test_failed(__FILE__, __LINE__, "%s %s", go_layouts[i].arch,
				    go_layouts[i].releases);
		for (size_t k = 0; k < ARRAY_SIZE(wrong); k++) {
			struct go_layout l = go_layouts[i];

			l.f[wrong[k].f] += wrong[k].by;
			if (go_layout_is_sane(&l))
				test_failed(__FILE__, __LINE__, "%s %s, wrong %zu", l.arch,
					    l.releases, k);
		}
	}
}

TEST(layout_required)
{
	static const enum go_field required[] = {
		GO_SIZE_MHEAP,
		GO_MHEAP_ALLSPANS,
		GO_MHEAP_ARENAS,
		GO_MHEAP_ALLARENAS,
		GO_MHEAP_CURARENA,
		GO_MHEAP_PAGES,
		GO_MHEAP_SPANALLOC,
		GO_MHEAP_CACHEALLOC,
		GO_SIZE_FIXALLOC,
		GO_FIXALLOC_SIZE,
		GO_FIXALLOC_INUSE,
		GO_FIXALLOC_STAT,
		GO_SIZE_MSPAN,
		GO_MSPAN_STARTADDR,
		GO_MSPAN_NPAGES,
		GO_MSPAN_STATE,
		GO_MSPAN_SPANCLASS,
		GO_MSPAN_ELEMSIZE,
		GO_MSPAN_NELEMS,
		GO_MSPAN_NELEMS_WIDTH,
		GO_MSPAN_FREEINDEX,
		GO_MSPAN_FREEINDEX_WIDTH,
		GO_MSPAN_ALLOCBITS,
		GO_MSPAN_GCMARKBITS,
		GO_MSPAN_SWEEPGEN,
		GO_SIZE_HEAPARENA,
		GO_HEAPARENA_SPANS,
		GO_PAGEALLOC_SUMMARY,
		GO_PAGEALLOC_CHUNKS,
		GO_PAGEALLOC_INUSE,
		GO_PAGEALLOC_SYSSTAT,
		GO_SIZE_PALLOCDATA,
		GO_P_PCACHE,
		GO_P_MCACHE,
		GO_M_PROCID,
		GO_M_ALLLINK,
		GO_G_STACK,
		GO_G_STATUS,
		GO_G_GOID,
		GO_GOBUF_SP,
		GO_MSTATS_MSPAN_SYS,
		GO_MSTATS_GC_SYS,
		GO_MSTATS_NUMGC,
		GO_MSTATS_PAUSE_NS,
		GO_GCBITSARENA_NEXT,
		GO_BUCKET_ALLNEXT,
		GO_SIZE_MEMRECORD,
		GO_MODULEDATA_FTAB,
		GO_MODULEDATA_TEXT,
		GO_MODULEDATA_END,
		GO_MODULEDATA_TYPES,
		GO_MODULEDATA_NEXT,
		GO_SIZE_WORK,
		GO_WORK_CYCLES,
		GO_WORK_HEAP2,
		GO_CONST_PERSISTENTCHUNK,
		GO_CONST_HEAPARENABYTES,
		GO_CONST_ARENABASEOFFSET,
		GO_CONST_BUCKHASHSIZE,
		GO_CONST_GCBITSCHUNK,
	};

	for (size_t i = 0; i < go_nlayouts; i++)
		for (size_t f = 0; f < ARRAY_SIZE(required); f++)
			if (!go_has(&go_layouts[i], required[f]))
				layout_failed(&go_layouts[i], "required field", required[f]);
}

/* Each figure that the runtime publishes lives in one of two places, by release. */
TEST(layout_either)
{
	static const enum go_field pairs[][2] = {
		{ GO_MSTATS_HEAP_MARKED, GO_GCC_HEAPMARKED },
		{ GO_MSTATS_HEAP_LIVE, GO_GCC_HEAPLIVE },
		{ GO_MSTATS_HEAP_INUSE, GO_GCC_HEAPINUSE },
		{ GO_MSTATS_HEAP_RELEASED, GO_GCC_HEAPRELEASED },
	};

	for (size_t i = 0; i < go_nlayouts; i++)
		for (size_t p = 0; p < ARRAY_SIZE(pairs); p++)
			if (go_has(&go_layouts[i], pairs[p][0]) ==
			    go_has(&go_layouts[i], pairs[p][1]))
				layout_failed(&go_layouts[i], "pair", (int64_t)p);
}

/* Facts that Go's sources state in words: moduledata's head (symtab.go, cmd/link's writer), 64 MiB
 * arenas and amd64's half of the address space (malloc.go), 8-byte alignment of size classes. */
TEST(layout_facts)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *l = &go_layouts[i];
		int64_t minpc = go_off(l, GO_MODULEDATA_MINPC);

		CHECK_INT(go_off(l, GO_MODULEDATA_MAXPC), minpc + 8);
		CHECK_INT(go_off(l, GO_MODULEDATA_TEXT), minpc + 16);
		CHECK_INT(go_off(l, GO_MODULEDATA_ETEXT), minpc + 24);
		CHECK_INT(go_off(l, GO_MODULEDATA_NOPTRDATA), minpc + 32);
		CHECK_INT(go_off(l, GO_CONST_HEAPARENABYTES), 64 << 20);
		CHECK_INT(go_off(l, GO_CONST_ARENABASEOFFSET),
			  strcmp(l->arch, "amd64") ? 0 : -(1LL << 47));
		CHECK_INT(go_off(l, GO_SIZE_GCBITSARENA), go_off(l, GO_CONST_GCBITSCHUNK));
		/* two bitmaps of a bit for each 8 KiB page of a 4 MiB chunk */
		CHECK_INT(go_off(l, GO_SIZE_PALLOCDATA), 2 * (4 << 20) / 8192 / 8);
		REQUIRE(l->nclasses >= 67 && l->nclasses <= GO_MAX_SIZECLASS);
		CHECK_INT(l->class_size[0], 0);
		CHECK_INT(l->class_size[l->nclasses - 1], 32768);
		for (uint32_t c = 1; c < l->nclasses; c++)
			CHECK(l->class_size[c] > l->class_size[c - 1] && l->class_size[c] % 8 == 0);
	}
}
