/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of the heap by their types, of what stands in the heap itself.
 *
 * From Go 1.22 on (GOEXPERIMENT allocheaders, which 1.22 alone can be built without) an object that
 * holds pointers and has more than 512 bytes begins with the address of its type (malloc.go,
 * mallocHeaderSize; mbitmap.go, heapSetTypeSmallHeader); one above all size classes, of more than
 * 32 KiB, has it in its span (mspan.largeType). Those are told exactly. Of smaller ones and of
 * those without pointers nothing is kept but the size class.
 *
 * The type is that which was allocated: of a slice, an array made for one or a channel's buffer the
 * element's. Where two of them or more fit into the object it is called "[]T"; that is exact, for
 * the size class of one T is always below two of them.
 */
#ifndef RSSCOPE_GORUNTIME_TYPES_H
#define RSSCOPE_GORUNTIME_TYPES_H

#include "goruntime/objects.h"

enum go_type_how {
	GO_TYPE_EXACT,
	GO_TYPE_NOSCAN,	 /* no pointers: the size class, "noscan 64 B" */
	GO_TYPE_SMALL,	 /* pointers, at most 512 bytes: "small 64 B" */
	GO_TYPE_SCAN,	 /* pointers, of a program whose objects have no type: "scan 1024 B" */
	GO_TYPE_UNKNOWN, /* what stands for the type is none, or has no name */
	GO_TYPE_HOWS
};

/* Objects of one type. Bytes are those of slots: what the size class rounds up is in them. */
struct go_type_sum {
	uint64_t live;	   /* bytes of live objects, as go_span_divide has it */
	uint64_t objects;  /* live ones */
	uint64_t resident; /* of live */
	uint64_t dead;	   /* bytes of objects allocated since the last cycle, or not yet swept */
};

struct go_types;

/* Borrows both. Memory: 1 MiB, and up to 10 MiB with the number of types, which is bounded. 0;
 * -errno. */
int go_types_create(const struct go_runtime *rt, const struct bin *b, struct go_types **out);
void go_types_destroy(struct go_types *t); /* NULL-safe */

/* Whether objects of more than 512 bytes have their type, in this program. */
bool go_types_has_headers(const struct go_types *t);

/*
 * Adds the bytes [start, end) of span s, whose objects are b; in order of address what is read of
 * the target is read in a few system calls. Pieces do not overlap: an object counts where it
 * begins. large_type: of a large object, from go_heap_large_type. 0; -ESRCH; -ENOMEM.
 */
struct go_types_piece {
	const struct go_span *s;
	const struct go_slots *b;
	uint64_t large_type;
	uint64_t start, end;
	bool resident;
};
int go_types_add(struct go_types *t, const struct go_types_piece *p);

/* How many GC cycles have ended by now (memstats.numgc). The bitmaps of spans that were read before
 * one has ended may hold other spans' bits a cycle later (mheap.go, nextMarkBitArenaEpoch). 0;
 * -errno. */
int go_types_cycles(const struct go_runtime *rt, uint32_t *out);

/* At the end: calls fn once for each name that has something, until it returns other than 0.
 * Several types may have one name: packages' paths are not in it. 0; -ESRCH; -ENOMEM; what fn
 * returned. */
typedef int go_types_fn(void *ctx, const char *name, enum go_type_how how,
			const struct go_type_sum *sum);
int go_types_end(struct go_types *t, go_types_fn *fn, void *ctx);

#endif
