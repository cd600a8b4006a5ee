/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layouts of the Go runtime's structures, one for each group of releases that share all of them.
 * Data, generated: layouts.inc comes from the runtime's own sources by `make go-layouts`
 * (src/goruntime/gen). Adding a release changes the table, not code.
 */
#ifndef RSSCOPE_GORUNTIME_LAYOUT_H
#define RSSCOPE_GORUNTIME_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum go_field {
#define SIZE(id, s)	GO_SIZE_##id,
#define FIELD(id, s, f) GO_##id,
#define WIDTH(id, s, f) GO_##id,
#define CONST(id, n)	GO_CONST_##id,
#include "goruntime/fields.def"
#undef SIZE
#undef FIELD
#undef WIDTH
#undef CONST
	GO_FIELD_COUNT
};

#define GO_ABSENT	 INT64_MIN
#define GO_MAX_SIZECLASS 68

struct go_layout {
	const char *arch;     /* "amd64", "arm64" */
	const char *releases; /* "go1.19.4 go1.19.5 …", space-separated; built with a GOEXPERIMENT
			       * that moves a field: "go1.26.8+nogreenteagc" */
	int64_t f[GO_FIELD_COUNT];
	uint32_t nclasses;		       /* size classes, class 0 (large) included */
	uint32_t class_size[GO_MAX_SIZECLASS]; /* bytes */
	const char *reasons; /* why a goroutine waits (waitReasonStrings), by number: each is
				followed by a line feed */
};

extern const struct go_layout go_layouts[];
extern const size_t go_nlayouts;

/* The layout of exactly that release ("go1.19.8"; what follows a space is ignored), or NULL. */
const struct go_layout *go_layout_find(const char *version, const char *arch);

/* The layouts worth trying for a version, best guess first: its own, then by nearness of release.
 * An unknown patch release of a known minor gives the nearest one's first; a version that is not a
 * release ("devel …", NULL) the newest first. Fills up to max, returns how many; 0 when there is no
 * table for the architecture. */
size_t go_layout_candidates(const char *version, const char *arch, const struct go_layout **out,
			    size_t max);

/* Names, comma-separated, the experiments of a version ("go1.24.4 X:noswissmap,arenas", from 1.26
 * "go1.26.8-X:…": only those that are not the release's default) that no layout here answers for:
 * unknown ones (staticlockranking is), or all when several of them move fields. 0: there are none.
 */
int go_layout_refused_experiments(const char *version, const char *arch, char *buf, size_t max);

/* Whether spans of small objects have their mark bits inside (Green Tea): the default collector
 * from 1.26, an experiment in 1.25 (internal/buildcfg/exp.go). */
int go_layout_has_inline_marks(const struct go_layout *l);

/* The release's minor number: 26. */
int go_layout_minor(const struct go_layout *l);

/* What every table must have to be used at all: sizes that the readers build on, no two fields of a
 * structure in one place. */
int go_layout_is_sane(const struct go_layout *l);

/* 10000·minor + patch of "go1.MINOR.PATCH" (rc and beta sort before), or −1. */
int go_version_number(const char *version);

static inline int64_t go_off(const struct go_layout *l, enum go_field f)
{
	return l->f[f];
}

static inline int go_has(const struct go_layout *l, enum go_field f)
{
	return l->f[f] != GO_ABSENT;
}

#endif
