/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of binaries (facts.h), kept from one look to the next: in memory, and in a store of
 * the caller's for the next run. An entry holds for exactly one file: device, inode, size, ctime
 * and both build IDs, and for the program that wrote it: its version, its build, its layouts.
 *
 * Only for live processes that no capture is taken of: what a capture does not hold can't be
 * replayed.
 */
#ifndef RSSCOPE_GORUNTIME_CACHE_H
#define RSSCOPE_GORUNTIME_CACHE_H

#include "goruntime/facts.h"

struct go_cache;

enum { GO_CACHE_NAME = 32, GO_CACHE_ENTRY_MAX = 4096 };

/* Entries by name (lower-case hex). Bytes that get() gives are believed only after checks. */
struct go_cache_store {
	void *ctx;
	/* Appends the entry to *out, at most GO_CACHE_ENTRY_MAX bytes. 0 or -errno. */
	int (*get)(void *ctx, const char *name, struct text *out);
	/* Replaces the entry as a whole. What fails is the store's to tell. */
	void (*put)(void *ctx, const char *name, const void *p, size_t n);
};

/* store NULL: in memory only. `maker`: what distinguishes this build of the program; both are
 * borrowed. NULL when out of memory. */
struct go_cache *go_cache_create(const struct go_cache_store *store, const char *maker);
void go_cache_destroy(struct go_cache *c); /* NULL-safe */

/* What is known of the binary b in the process behind m (NULL: a live one that is not open yet);
 * nothing when c is NULL. May be called from several threads. */
void go_cache_get(struct go_cache *c, const struct memsrc *m, const struct bin *b,
		  struct go_facts *out);

/* Keeps it, when it has changed, with what others have told of the same binary; clears `changed`.
 * c may be NULL. */
void go_cache_put(struct go_cache *c, const struct memsrc *m, const struct bin *b,
		  struct go_facts *f);

/* An entry's bytes: magic, checksum of the rest, the key, the facts. For tests, too. */
int go_cache_encode(const struct text *key, const struct go_facts *f, struct text *out);
/* -EINVAL: damaged, or of another key. */
int go_cache_decode(const struct text *key, const void *p, size_t n, struct go_facts *out);

#endif
