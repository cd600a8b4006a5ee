/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that make profiles. */
#ifndef RSSCOPE_COLLECT_PROFILE_IMPL_H
#define RSSCOPE_COLLECT_PROFILE_IMPL_H

#include "collect/profile.h"
#include "symbol/symbolize.h"

/* A profile under way. */
struct making {
	const struct profile_kind *kind;
	struct session *s;
	const struct session_go *g; /* the main Go runtime */
	struct profile *p;
	struct symbolizer *names;
	size_t n; /* locations of the stack under way, innermost first: */
	uint32_t stack[PROFILE_DEPTH_MAX];
};

/* 0; -ENOTSUP, other -errno with a text. */
typedef int profile_make_fn(struct making *k, struct err *e);

struct profile_kind {
	const char *name;
	struct profile_type types[PROFILE_VALUES_MAX]; /* its columns, the most wanted first */
	profile_make_fn *make;			       /* NULL: see profile_kind_is_sampled */
	const char *part; /* of memory, that captures hold: see profile_saved.h; NULL: none */
};

/*
 * Fills k->stack from n return addresses. Logical ones, as the runtime keeps them: each stands for
 * one function, that which was inlined there, the next one for that into which it was. Physical
 * ones, as they are on a stack: each stands for all that was inlined there. Mixed: first some
 * logical ones, then physical ones. In any case without wrappers that the compiler has made, and
 * without where goroutines begin, as runtime/pprof does. 0 or -errno.
 */
enum addresses { ADDRESSES_LOGICAL, ADDRESSES_PHYSICAL, ADDRESSES_MIXED };
int profile_take_stack(struct making *k, enum addresses kind, const uint64_t *addr, size_t n);

/* Appends a location that is no code but a name, as the outermost one so far. k->n = 0 begins a
 * stack. 0 or -errno. */
int profile_push_name(struct making *k, const char *name);

/* Adds a sample of k->stack (s->first and s->n are not looked at), or adds it to the one of the
 * same stack, labels and size. 0 or -errno. */
int profile_put(struct making *k, const struct profile_sample *s);
int profile_put_counted(struct making *k, const struct profile_sample *s);

/* The innermost function that the call before a return address is in; "": not known. */
const char *profile_function_at(struct making *k, uint64_t addr);

/* ---- profile_heap.c */

/* runtime/pprof, scaleHeapSample: what *count sampled objects of *bytes stand for, and the variance
 * of the estimated bytes. */
void profile_scale(uint64_t rate, int64_t *count, int64_t *bytes, double *variance);

/* How many of the innermost addresses are the allocator's own, which pprof leaves out; 0 where
 * there are no others. */
size_t profile_allocator(struct making *k, const uint64_t *pc, size_t n);

/* MemProfileRate; *assumed: it is Go's default, the program's own was not found. 0; -ENOTSUP with a
 * text: there is no heap profile. */
int profile_heap_rate(const struct session_go *g, uint64_t *rate, bool *assumed, struct err *e);

/* The rows of the table. */
profile_make_fn profile_make_heap, profile_make_allocs, profile_make_dead, profile_make_peak;
profile_make_fn profile_make_goroutine, profile_make_threadcreate;
profile_make_fn profile_make_block, profile_make_mutex, profile_make_stacks;
profile_make_fn profile_make_binary;

/* The samples of the executable's bytes, which `owned` lists (owned.h); b is its file, NULL: that
 * can't be read; known: see bin_contents_open. Memory is bounded by what is named, whatever the
 * file. 0 or -errno. */
struct bin_known;
int profile_fill_binary(struct making *k, struct bin *b, uint64_t bias,
			const struct bin_known *known, size_t n, const range_vec *owned);
profile_make_fn profile_make_types;

#endif
