/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process kept open, and the one owner of all that is known of it: who it is, its executable and
 * libraries, the Go runtimes in them, the names of its code, where its GC cycles are told, who
 * asked for its memory. Each is found once, when it is first needed, and kept. collect/ takes
 * snapshots of a session, which read only what can have changed since the last one; observe/ takes
 * in the events of its process.
 *
 * A session is of one program: after an exec, reads give -ESRCH. Then it is closed, or goes on with
 * the next program (session_exec).
 *
 * For one thread at a time, that of its shelf. Who looks at a process from two threads has a
 * session, and a shelf, in each.
 */
#ifndef RSSCOPE_SESSION_SESSION_H
#define RSSCOPE_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "goruntime/cache.h"
#include "goruntime/goruntime.h"
#include "proc/maps.h"
#include "session/files.h"
#include "session/gc.h"
#include "session/mapbook.h"
#include "source/memsrc.h"
#include "symbol/symbolize.h"

/* What does not change while the program runs, but for comm. */
struct session_identity {
	int32_t pid, ns_pid; /* ns_pid 0: unknown */
	char comm[64];
	char exe[4096];		     /* as /proc/PID/maps shows it; "" unknown */
	char *cmdline;		     /* owned; NULL: unknown */
	uint64_t start_ticks;	     /* clock ticks after boot; 0: unknown */
	uint64_t start_time_unix_ns; /* 0: unknown */
	char boot_id[40], kernel[80], arch[16];
};

/* A file of the process that holds a Go runtime, and that runtime. */
struct session_go {
	struct bin *bin; /* borrowed from the executable or the library */
	uint64_t bias;
	const char *lib; /* NULL: the executable; borrowed */
	bool open;	 /* rt is found */
	struct go_runtime rt;
	struct err why;	    /* it is not open; no error: it is one of the others */
	unsigned int tries; /* of snapshots to find it, or what is missing of it */
	struct go_regions_kept kept;
};

struct session {
	struct memsrc *m;	/* NULL: there is no process, or none any more */
	struct memsrc *own;	/* m, when it is the session's; NULL: m is borrowed */
	struct go_cache *cache; /* borrowed, may be NULL */
	struct shelf *shelf;	/* likewise; NULL: binaries of its own */
	struct session_identity id;
	struct bin *bin; /* the executable; NULL: no_bin tells why, where it was looked for */
	uint64_t bias;
	struct err no_bin;
	struct libs libs;
	struct session_go go[GO_FILES_MAX]; /* the executable's first */
	size_t ngo;
	bool cgo;  /* C is linked into the first of them */
	bool race; /* it has the race detector, which keeps its shadow at fixed addresses */
	bool race_known;
	bool packed;   /* the program lies in anonymous memory, where no runtime is looked for */
	bool complete; /* all of the above has been looked for */
	bool used;     /* m has been read since: the first snapshot begins anew */
	struct symbolizer *names; /* of its code; NULL: see session_names */
	bool heap_growth;	  /* set by the caller: events of it are wanted */
	struct session_gc gc;	  /* zeros: see session_gc_find */
	struct mapbook *book;	  /* NULL: see session_open_book */
	VEC(uint64_t) tmpfs;	  /* devices of tmpfs mounts, major << 32 | minor */
	bool tmpfs_known;
	uint64_t snapshots;	  /* begun */
	uint64_t wall_ns, cpu_ns; /* what opening cost */
	char usage[1100];	  /* key of its cgroup's usage; "" none, or not looked for */
	bool usage_known;
};

/* ---- life */

/* Of no process yet: for the functions that open one by its PID. The shelf, which other sessions
 * may share (NULL: binaries of its own), and the cache outlive it. */
void session_init(struct session *s, struct shelf *shelf, struct go_cache *c);

/*
 * A session of the process behind m, which outlives it, with all that a snapshot needs: identity,
 * files, runtimes. 0; -ESRCH: it has ended; -EACCES, -EPERM, other -errno. Parts that are not to be
 * had are no failure. session_close in any case.
 */
int session_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct session *s,
		 struct err *e);

/* The same of a PID, with memory of its own; s is as session_init left it. */
int session_open_pid(struct session *s, pid_t pid, struct err *e);

/* All but shelf and cache is gone. Safe on a zeroed struct, and twice. */
void session_close(struct session *s);

/* ---- snapshots */

/* Before each snapshot: forgets what was cached of memory, finds what is not known yet, and looks
 * again for runtimes that were not up. 0, -ESRCH, -ENOMEM, other -errno. */
int session_begin(struct session *s);

/* The mappings as a snapshot has read them: opens libraries that have come, with the runtimes in
 * them. 0, -ESRCH, -ENOMEM. */
int session_set_maps(struct session *s, const struct maps *maps);

/* After a snapshot: closes the libraries that are not mapped any more. Then no pointer into s->go
 * holds. */
void session_end(struct session *s, const struct maps *maps);

/*
 * Around what a capture is to hold of the program's code, beyond what opening it needs: between the
 * two, names and stack frames that are asked for are recorded. The session has a shelf, so that
 * whoever reads a file reads the one that is recorded. session_keep_names saves it, and ends that.
 * 0 or -errno.
 */
int session_record_names(struct session *s);
int session_keep_names(struct session *s);

/* Devices of tmpfs mounts that the target sees, read once. 0 or -ENOMEM. */
int session_find_tmpfs(struct session *s);

/* Counters alone, as one moment has them: no ledger, no lists. */
struct session_counters {
	uint64_t at_ns; /* CLOCK_MONOTONIC, before the first was read */
	bool has_rss, has_usage;
	uint64_t rss;	/* bytes, of statm: on kernels where it lags, so does this */
	uint64_t usage; /* bytes, of its memory cgroup */
	struct go_metrics go[GO_FILES_MAX]; /* as s->go; no names where it could not be read */
};

/*
 * Reads them through descriptors that are open. The cgroup is looked for once: a process that moves
 * to another is found there by the next session. 0; -ESRCH; -ENOMEM. session_counters_free in any
 * case.
 */
int session_tick(struct session *s, struct session_counters *out);
void session_counters_free(struct session_counters *c);

/* The first runtime that is open, or NULL. */
const struct session_go *session_main_go(const struct session *s);

/* The release that built its first file with a runtime, "go1.22.1"; "": there is none. */
const char *session_go_version(const struct session *s);

/* Whether the race detector puts its shadow memory there. */
bool session_is_race_shadow(const struct vma *v);

/* ---- a process that is watched (exec.c; GC cycles: gc.h). ev: its probes, NULL: it has none */

/* Of a process that was just forked: who it is and the names of its code. No binary is searched
 * for a runtime; its first snapshot does that. s is as session_init left it. 0; -errno, then it is
 * closed. */
int session_open_forked(struct session *s, pid_t pid);

/* Of a process that has just begun and may have ended by now (m is NULL then): the names of its
 * code alone, for which fd helps as symbolizer_open_new says. s is as session_init left it. */
void session_open_new(struct session *s, pid_t pid, int fd);

/* Opens s->names unless they are open: ahead of the first event, for files can't be opened any more
 * when the process has ended. 0 or -errno. */
int session_names(struct session *s, struct err *e);

/* Opens the book, with the names, when the probes are there already; see mapbook_open. 0; -errno,
 * then there is none. */
int session_open_book(struct session *s, struct err *e);
void session_close_book(struct session *s);

/* The book, which takes events and tells of them; NULL: there is none, or nothing is known of the
 * process. */
static inline struct mapbook *session_book(const struct session *s)
{
	return s->names ? s->book : NULL;
}

/*
 * The process has called exec: nothing that was known holds any more. Opens the memory that it has
 * now, which is the session's own from here on, its names, its files, and sets the probe of its GC
 * cycles, which may come soon. The runtime is not up yet: session_turn finds that, and with it the
 * figures of cycles and the way to goroutines. The book goes on, and gets the exec's event
 * next.
 *
 * 0, or -errno: it has ended, or has called exec once more, which will be the next event. Nothing
 * is known then; names, where they were open, are of an address space of which nothing is known, or
 * NULL. m is what it was, or the new memory.
 */
int session_exec(struct session *s, pid_t pid, struct ev *ev);

/* The same with m, opened since the exec, which becomes the session's in any case. */
int session_take(struct session *s, struct memsrc *m, struct ev *ev);

/* Between batches of events: names may be looked up again, a runtime that was not up may be now. */
void session_turn(struct session *s, struct ev *ev);

#endif
