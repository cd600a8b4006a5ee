/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where what is known of binaries is kept from one run to the next: root's in /run/rsscope,
 * another user's in rsscope/ of XDG_RUNTIME_DIR. The environment can't lead root elsewhere. A
 * directory that somebody else could write to is not used. Whatever fails costs a search, no more.
 */
#ifndef RSSCOPE_SESSION_CACHE_STORE_H
#define RSSCOPE_SESSION_CACHE_STORE_H

#include <stdbool.h>

#include "goruntime/cache.h"

struct cache_store {
	struct go_cache *go; /* NULL: none */
	/* the rest is its own */
	struct go_cache_store store;
	char maker[128];
	int dir; /* −1: not open */
	bool refused;
	unsigned int written;
};

/* *c stays where it is until cache_store_close, which is safe on a zeroed struct. It can't fail:
 * without a cache everything is searched. */
void cache_store_open(struct cache_store *c);
void cache_store_close(struct cache_store *c);

#endif
