/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of the caches: made with the first read, handed on from one who rests to the next. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "source/livemem_impl.h"

enum { FEW_LINES = 64 /* that are kept between snapshots */ };

static _Atomic(struct livemem_caches *) spare;

/* A mapping of its own, so that what is given back is free, wherever malloc would have put it; and
 * no huge page, of which counters alone would use a few KiB. */
static uint8_t *map_lines(void)
{
	void *p = mmap(NULL, (size_t)LINES * LINE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, (size_t)LINES * LINE, MADV_NOHUGEPAGE);
	return p;
}

int livemem_make_caches(struct livemem *l)
{
	struct livemem_caches *c;

	if (l->c)
		return 0;
	l->c = atomic_exchange(&spare, NULL);
	if (l->c)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->lines = map_lines();
	if (!c->lines) {
		free(c);
		return -ENOMEM;
	}
	l->c = c;
	return 0;
}

void livemem_clear_lines(struct livemem_caches *c)
{
	memset(c->line_tag, 0, c->line_end * sizeof(*c->line_tag));
	c->line_next = c->line_end = 0;
}

void livemem_clear_caches(struct livemem_caches *c)
{
	memset(c->presence, 0, sizeof(c->presence));
	livemem_clear_lines(c);
}

void livemem_rest(struct livemem *l)
{
	struct livemem_caches *c;

	livemem_forget(l);
	c = l->c ? atomic_exchange(&spare, l->c) : NULL;
	l->c = NULL;
	if (c) { /* of two who read at once */
		munmap(c->lines, (size_t)LINES * LINE);
		free(c);
	}
}

void livemem_shrink(struct livemem *l)
{
	livemem_flush(l);
	l->reader = -1; /* what is read until the next one begins is not his */
	if (!l->c || l->c->line_top <= FEW_LINES)
		return;
	madvise(l->c->lines + FEW_LINES * LINE, (LINES - FEW_LINES) * LINE, MADV_DONTNEED);
	l->c->line_top = FEW_LINES;
}
