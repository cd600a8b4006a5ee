/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many processes kept open: a session of each, their binaries on one shelf, and when each is read.
 *
 * Counters are read every tick_ns, in four bursts: of 100 members with a tick a second 25 are read
 * every 250 ms. Ledgers are wanted every ledger_ns, in sixteen bursts, each with the burst of ticks
 * before it. A turn of the loop serves FLEET_BATCH ticks and one ledger at most, the longest due
 * first. What is late by a whole interval is left out and counted, never made up for.
 *
 * The end of a process is seen at once by its pidfd, an exec at its next tick or ledger: then the
 * session is closed and one of the new program opened. A process that has ended is released in that
 * turn: descriptors, memory, and what it used of the shelf. What goes wrong with one member is
 * counted and told of it, and changes nothing for the others.
 *
 * Bounds. Members: opts.max. Descriptors: FLEET_MEMBER_FDS a member, those of the shelf, and
 * FLEET_SPARE_FDS for the rest of the program stay below RLIMIT_NOFILE; a member that does not fit
 * is refused. Memory: a member holds less than 1 MiB between its readings, beside its
 * list of libraries (a Go program of eight Ps 200 KiB); what is needed to read one serves the
 * next, and the shelf's binaries are shared. malloc keeps what is freed below M_MMAP_THRESHOLD,
 * which a program that runs for weeks should not raise.
 *
 * A fleet, its members and all that is borrowed of them are for one thread.
 */
#ifndef RSSCOPE_SESSION_FLEET_H
#define RSSCOPE_SESSION_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "binary/shelf.h"
#include "goruntime/cache.h"
#include "session/loop.h"
#include "session/session.h"

enum {
	FLEET_MAX = 1024, /* members, unless told otherwise */
	FLEET_MEMBER_FDS = HANDLE_FDS,
	FLEET_SPARE_FDS = 64,
	FLEET_BATCH = 16, /* ticks of a turn */
};

struct fleet;

/* The fleet's own; the owner sets `user` alone. */
struct fleet_member {
	int32_t pid;
	uint64_t id; /* of no other member that this fleet has had */
	void *user;  /* the owner's, NULL at first */
	bool open;   /* false: between two programs, s is empty */
	struct handle *handle;
	struct memsrc *m;
	struct session s;
	uint64_t ticks, ledgers, execs; /* how many it had */
};

enum fleet_change {
	FLEET_EXECED, /* it runs another program: nothing that was borrowed of s holds any more */
	FLEET_ENDED,  /* the process: it is no member any more, and is freed afterwards */
	FLEET_LOST,   /* the same of one that can't be read any more, as `why` tells */
};

/*
 * What the owner does, with its ctx; each may be NULL. The functions may add and remove members,
 * also the one that they are called for, which is not used afterwards then.
 */
struct fleet_ops {
	/* Opens a process, as handle_open_live, which is what NULL does. */
	int (*open)(void *ctx, int32_t pid, struct handle **out, struct err *e);
	/* Counters of m, borrowed. */
	void (*tick)(void *ctx, struct fleet_member *m, const struct session_counters *c);
	/* Takes a ledger of m->s. 0, or -errno: counted; -ESRCH: its process is looked at anew. */
	int (*ledger)(void *ctx, struct fleet_member *m);
	/* why: NULL but for FLEET_LOST. */
	void (*changed)(void *ctx, struct fleet_member *m, enum fleet_change what,
			const struct err *why);
	void *ctx;
};

struct fleet_opts {
	struct fleet_ops ops;
	uint64_t tick_ns, ledger_ns; /* 0: none */
	unsigned int max;	     /* members; 0: FLEET_MAX */
	unsigned int shelf_fds;	     /* as shelf_create */
	struct go_cache *cache;	     /* borrowed; NULL: one of its own, in memory */
	uint64_t start_ns;	     /* where intervals begin, CLOCK_MONOTONIC; 0: now */
};

/* l, where the fleet has a timer and a descriptor, outlives it. 0 or -errno. */
int fleet_create(const struct fleet_opts *o, struct loop *l, struct fleet **out);
/* Releases all members, without a call. NULL-safe; not from a function of the owner. */
void fleet_destroy(struct fleet *f);

/*
 * Opens a process and its session, at once: as long as a snapshot of its binary takes for the first
 * of an image, else about a millisecond. *out (may be NULL) is borrowed.
 * 0; -EEXIST: it is a member; -ESRCH: there is no such process; -ENOSPC: there are opts.max
 * members; -EMFILE: no descriptors left; -EACCES, -EPERM; other -errno. All but -EEXIST are counted
 * by reason.
 */
int fleet_add(struct fleet *f, int32_t pid, struct fleet_member **out, struct err *e);
/* Without a call. 0, or -ESRCH: no member. */
int fleet_remove(struct fleet *f, int32_t pid);
struct fleet_member *fleet_find(const struct fleet *f, int32_t pid); /* NULL: no member */

/* The member after *at, which is 0 at first; NULL: no more. Members may be removed meanwhile; one
 * that is added may be left out. */
struct fleet_member *fleet_next(const struct fleet *f, size_t *at);

/* From now on with other intervals; phases are what they were. 0: none. */
void fleet_pace(struct fleet *f, uint64_t tick_ns, uint64_t ledger_ns);
/* A ledger of it in one of the next turns, instead of when it is due. 0, or -ESRCH: no member. */
int fleet_want_ledger(struct fleet *f, int32_t pid);

/* Why a process could not be opened. */
enum fleet_why {
	FLEET_WHY_GONE,	  /* ESRCH */
	FLEET_WHY_DENIED, /* EACCES, EPERM */
	FLEET_WHY_FULL,	  /* ENOSPC */
	FLEET_WHY_FDS,	  /* EMFILE, ENFILE */
	FLEET_WHY_MEMORY, /* ENOMEM */
	FLEET_WHY_OTHER,
	FLEET_WHY_COUNT
};
const char *fleet_why_name(enum fleet_why w); /* "gone", … */

/* Since the beginning but for the first two. */
struct fleet_stats {
	size_t members;
	struct shelf_stats shelf;
	uint64_t added, removed, execed, ended, lost;
	uint64_t refused[FLEET_WHY_COUNT];
	uint64_t ticks, ledgers;		 /* done */
	uint64_t ticks_skipped, ledgers_skipped; /* late by an interval or more */
	uint64_t ticks_failed, ledgers_failed;	 /* but for ends and execs */
};
void fleet_stats(const struct fleet *f, struct fleet_stats *out);

#endif
