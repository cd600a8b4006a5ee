/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is mapped, from what was mapped at the start and the calls since: live ranges, each with the
 * one who asked for it. Pure: no I/O, no clock, no globals.
 *
 * Calls arrive in any order within a window of TIMELINE_WINDOW calls. They change memory somewhere
 * between entry and exit, so calls of different threads have no order of their own where these
 * intervals overlap. What settles it is what programs can know: a range is unmapped, moved or
 * mapped over by somebody who was given it, after the call that gave it had returned. So
 *
 *   a call that gives up a range does so at its entry, a call that gets one gets it at its exit.
 *
 * Each range keeps the exit of the call that made it (born), and a call that gives up addresses
 * takes only what was born by its entry: its successor on the same addresses stays, in whatever
 * order the two arrive. A mapping that the kernel put where something lives tells of an unmapping
 * still to come: what lived there stands by (a ghost) for it, since a move takes it along.
 *
 * Programs that unmap what they were not given race; where such a race leaves the outcome open it
 * is counted as ambiguous and the range kept for timeline_settle. A program that maps over, or
 * moves the break, in two threads at once is of that kind. (Long chains of such races can escape
 * notice: one page in 40,000 random histories of 250 calls; of protections that threads change
 * while others unmap and map the same addresses, one in 4,000 pages.)
 */
#ifndef RSSCOPE_MODEL_TIMELINE_TIMELINE_H
#define RSSCOPE_MODEL_TIMELINE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/range.h"
#include "base/vec.h"
#include "model/event/event.h"

enum {
	TIMELINE_WINDOW = 256,
	TIMELINE_PIECES = 131072, /* ranges, 56 bytes each */
	TIMELINE_GHOSTS = 1024,
	TIMELINE_RECENT = 256, /* unmappings that are looked back on */
	TIMELINE_DOUBTS = 4096,
	TIMELINE_SEGMENTS = 256, /* System V, attached */
};

/* Origins are the caller's numbers; two are ours. */
enum {
	ORIGIN_BEFORE,	/* mapped before the first call that was seen */
	ORIGIN_UNKNOWN, /* its call was lost */
	ORIGIN_FIRST
};

/* tl_piece.flags */
enum {
	TL_ANON = 1,
	TL_SHARED = 2,
	TL_BRK = 4,
	TL_UNKNOWN = 8, /* calls were lost that touched it: mapped or not */
	TL_FIXED = 16,	/* its address was the caller's choice */
	TL_R = 32,
	TL_W = 64,
	TL_X = 128,
	TL_PROT = TL_R | TL_W | TL_X,
	TL_PROT_OPEN = 256, /* calls at the same time gave it different protections, or one failed
			       half the way */
	TL_SEGMENT = 512,   /* of System V shared memory */
	TL_GROWS = 1024,    /* downwards, without a call */
	TL_KERNEL = 2048,   /* made by the kernel, without a call that is watched */
};

struct tl_piece {
	uint64_t start, end;  /* bytes, of whole pages */
	uint64_t enter, born; /* of the call that made it, ns; 0: there at the start */
	uint64_t changed;     /* exit of the call that last changed its protection, ns; 0: none */
	uint32_t origin, flags;
	uint32_t name;	  /* the caller's number; 0: none */
	uint32_t segment; /* number of the attachment, with TL_SEGMENT */
};

struct timeline_counts {
	uint64_t calls;	    /* applied; without failed ones */
	uint64_t reordered; /* of these, whose unmapping came after the mapping that it made room
			       for */
	uint64_t unseen;    /* mappings where something lived, whose unmapping never came */
	uint64_t ambiguous; /* calls whose order is not known */
	uint64_t settled;   /* bytes that timeline_settle corrected */
	uint64_t lost;	    /* regions marked unknown */
	uint64_t changes;   /* of `calls`, those that changed protections or names only */
	uint64_t overflows; /* times that all was marked unknown, there being too many pieces */
};

struct tl_call; /* a call that waits in the window */
struct tl_ghost;
struct tl_segment;

struct timeline {
	VEC(struct tl_piece) pieces; /* sorted, without overlap */
	struct timeline_counts n;
	/* inside */
	uint64_t page;
	uint64_t newest;  /* exit of the last call, ns */
	uint64_t read_ns; /* what was there at the start was read after that */
	VEC(struct tl_call) window;
	VEC(struct tl_ghost) ghosts;
	VEC(struct tl_piece) taken, next; /* of one call */
	struct {			  /* unmappings that were seen last */
		uint64_t start, end, enter, exit;
		bool idle; /* there was nothing to unmap */
	} recent[TIMELINE_RECENT];
	uint32_t nrecent;
	struct { /* changes of protection where nothing lived */
		uint64_t start, end, enter, exit;
	} idle[TIMELINE_RECENT];
	uint32_t nidle;
	range_vec opened;		 /* by one call: TL_PROT_OPEN */
	VEC(struct tl_segment) segments; /* System V, where they were attached */
	uint32_t nsegments;
	range_vec doubts; /* ambiguous ranges, for timeline_settle */
	bool doubt_all;
	uint64_t brk, brk_enter, brk_exit; /* 0: not known */
};

/* page: bytes. 0 or -ENOMEM; timeline_free in any case. */
int timeline_init(struct timeline *t, uint32_t page);
void timeline_free(struct timeline *t);

/* Forgets all: the process has called exec, and what is mapped now is to be added again. */
void timeline_reset(struct timeline *t);

/*
 * A mapping that was there at the start, as /proc/PID/maps has it; not to be mixed with calls. Read
 * the maps after the probes are there and give all calls since: where a call touched the mapping,
 * the call is right; where none did, nothing changed while the maps were read. What a call of
 * before has moved has the origin and, marked open, the protection that its source had later.
 */
int timeline_add(struct timeline *t, uint64_t start, uint64_t end, uint32_t flags);
/* [start, end) is one System V segment, among what was added. 0 or -ENOMEM. */
int timeline_add_segment(struct timeline *t, uint64_t start, uint64_t end);
/* The maps were read after that, ns: what calls of before have done is in them. */
void timeline_set_read(struct timeline *t, uint64_t ns);
/* The program break: [heap]'s end. */
void timeline_set_brk(struct timeline *t, uint64_t brk);

/*
 * A call (e->type EVENT_CALL). Those that failed are of no effect, but for what they may have done
 * on the way, which is compared in the end. origin: of what it maps. name: of a prctl that names a
 * mapping. length: of the segment that shmat attached, bytes; 0: not known. 0 or -ENOMEM.
 */
struct timeline_more {
	uint32_t origin, name;
	uint64_t length;
};
int timeline_call(struct timeline *t, const struct event *e, const struct timeline_more *more);

/* Calls were lost that touched [start, end), the last of them at `ns`: what lives there from before
 * is unknown from there on. 0 or -ENOMEM. */
int timeline_lost(struct timeline *t, uint64_t start, uint64_t end, uint64_t ns);

/* [start, end) is to be compared with what is mapped, by timeline_settle. 0 or -ENOMEM. */
int timeline_doubt(struct timeline *t, uint64_t start, uint64_t end);

/* Applies what waits in the window. */
int timeline_flush(struct timeline *t);

/* Calls fn for the origins that anything in t still refers to, some more than once. */
void timeline_each_origin(const struct timeline *t, void (*fn)(void *ctx, uint32_t origin),
			  void *ctx);

/*
 * Against what is mapped now (sorted, without overlap, flags TL_*; no call under way): decides what
 * was ambiguous or unknown, and leaves the rest alone. Flushes. Memory that turns out mapped in an
 * unknown region gets ORIGIN_UNKNOWN. What comes and goes without a call is no matter of dispute:
 * what is TL_KERNEL there, and what a TL_GROWS has grown to.
 */
int timeline_settle(struct timeline *t, const struct range *maps, size_t n);

/* Bytes that only one of the two has, and that are unknown here; of what is on either side without
 * a call; of both, those whose protection differs, or is open here. */
struct timeline_difference {
	uint64_t both, here, there, unknown;
	uint64_t grown, kernel;
	uint64_t protection, protection_open;
};
void timeline_compare(const struct timeline *t, const struct range *maps, size_t n,
		      struct timeline_difference *out);

#endif
