/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A profile: what happened or is there, by call stack. A pure value, made by collect/, printed by
 * out/; its shape is pprof's (github.com/google/pprof, proto/profile.proto).
 *
 * Everything refers by index: a sample to locations, a location to the functions that its code is
 * in, all of them to strings, each of which is there once.
 */
#ifndef RSSCOPE_MODEL_PROFILE_PROFILE_H
#define RSSCOPE_MODEL_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/vec.h"

enum { PROFILE_VALUES_MAX = 4, PROFILE_INLINED_MAX = 64, PROFILE_DEPTH_MAX = 4096 };

/* What a column of values is: runtime/pprof's names. Static strings. */
struct profile_type {
	const char *name, *unit; /* "inuse_space", "bytes" */
};

struct profile_mapping {
	uint64_t start, end, offset; /* bytes */
	uint32_t file, build_id;     /* strings; build_id "": none */
	bool has_functions, has_lines;
};

struct profile_function {
	uint32_t name, file; /* strings */
};

struct profile_line {
	uint32_t function; /* index */
	uint32_t line;	   /* 0: not known */
};

/* A place in code: where its functions lie in profile.lines, innermost first. */
struct profile_location {
	uint64_t addr;	  /* 0: none, it is only a name */
	uint32_t mapping; /* index + 1; 0: none */
	uint32_t first, n;
};

/* What is said of a sample beside its stack: "region" is "eu". */
struct profile_label {
	uint32_t key, text; /* strings */
};

struct profile_label_set {
	uint32_t first, n; /* in profile.labels */
};

struct profile_sample {
	uint32_t first, n; /* in profile.stacks: locations, innermost first */
	uint32_t labels;   /* index + 1 of a set; 0: none */
	uint64_t size;	   /* bytes of each object; 0: no such thing */
	int64_t value[PROFILE_VALUES_MAX];
	double variance; /* of the value that is wanted most; 0: it is no estimate */
};

/* Indices + 1 by hash, open addressing; grows by itself. */
struct profile_index {
	VEC(uint32_t) slot;
	size_t used;
};

struct profile {
	/* set by the maker */
	struct profile_type type[PROFILE_VALUES_MAX];
	size_t ntypes;
	unsigned int most_wanted; /* of them: the one to sort by */
	struct profile_type period_type;
	uint64_t period;
	uint64_t time_unix_ns, duration_ns;
	uint64_t sampled; /* events that the most wanted column rests on, where it is an estimate */
	/* filled by the functions below */
	VEC(char) text;
	VEC(uint32_t) strings; /* where each begins in text; the first is "" */
	VEC(struct profile_mapping) mappings;
	VEC(struct profile_function) functions;
	VEC(struct profile_line) lines;
	VEC(struct profile_location) locations;
	VEC(uint32_t) stacks;
	VEC(struct profile_label) labels;
	VEC(struct profile_label_set) label_sets;
	VEC(struct profile_sample) samples;
	VEC(uint32_t) notes; /* strings: sentences on what it does not show, for people */
	struct profile_index by_text, by_function, by_addr, by_name, by_stack, by_labels;
};

/* An empty one. 0 or -ENOMEM; profile_free in any case. */
int profile_init(struct profile *p);
void profile_free(struct profile *p); /* safe on a zeroed struct, and twice */

/* The functions below give an index, or -ENOMEM; -EOVERFLOW: 2³² of them are there. */

/* s may be NULL: "". */
int64_t profile_string(struct profile *p, const char *s);
const char *profile_text(const struct profile *p, uint32_t string);

int64_t profile_function(struct profile *p, const char *name, const char *file);

/* The location of that address; -ENOENT: none is there. */
int64_t profile_find(const struct profile *p, uint64_t addr);
/* Makes one where there is none: its functions follow by profile_line, innermost first, before the
 * next location. mapping: index + 1, 0 none. */
int64_t profile_location(struct profile *p, uint64_t addr, uint32_t mapping);
int64_t profile_line(struct profile *p, int64_t location, const char *function, const char *file,
		     uint32_t line);

/* The location that is no code, but a name: "[running]", a type of objects. */
int64_t profile_named(struct profile *p, const char *name);

/* Index + 1 of that set of labels; n 0: 0. */
int64_t profile_labels(struct profile *p, const struct profile_label *v, size_t n);

/* Adds a sentence that is printed beside the figures, without a full stop. One that is there
 * already is not added again. 0 or -errno as above. */
int profile_say(struct profile *p, const char *fmt, ...) PRINTF(2, 3);

/* Adds a sample: of a stack of s->n locations, innermost first; s->first is not looked at. 0 or
 * -errno as above. */
int profile_add(struct profile *p, const uint32_t *stack, const struct profile_sample *s);

/* The same, added to the sample of that stack, those labels and that size where there is one. Of a
 * profile whose samples are all added so. */
int profile_count(struct profile *p, const uint32_t *stack, const struct profile_sample *s);

#endif
