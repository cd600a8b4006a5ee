/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process kept open: who it is, its executable and libraries, and the Go runtimes in it, found
 * once and kept from one snapshot to the next. collect/ takes snapshots of it; each reads only what
 * can have changed since.
 *
 * A session is of one program: an exec ends it (reads give -ESRCH), and the next program has a
 * session of its own. For one thread at a time.
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
#include "source/memsrc.h"

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
	unsigned int tries; /* to find it, or what is missing of it */
	struct go_regions_kept kept;
};

struct session {
	struct memsrc *m;	/* borrowed */
	struct go_cache *cache; /* borrowed, may be NULL */
	struct shelf *shelf;	/* likewise; NULL: binaries of its own */
	struct session_identity id;
	struct bin *bin; /* the executable; NULL: no_bin tells why */
	uint64_t bias;
	struct err no_bin;
	struct libs libs;
	struct session_go go[GO_FILES_MAX]; /* the executable's first */
	size_t ngo;
	bool cgo;	  /* C is linked into the first of them */
	bool race;	  /* it has the race detector, which keeps its shadow at fixed addresses */
	bool packed;	  /* the program lies in anonymous memory, where no runtime is looked for */
	struct maps maps; /* as of opening, until the first snapshot takes them */
	VEC(uint64_t) tmpfs; /* devices of tmpfs mounts, major << 32 | minor */
	bool tmpfs_known;
	uint64_t snapshots;	  /* begun */
	uint64_t wall_ns, cpu_ns; /* what opening cost */
	char usage[1100];	  /* key of its cgroup's usage; "" none, or not looked for */
	bool usage_known;
};

/*
 * Opens a session of the process behind m, which outlives it, with its binaries on a shelf that
 * other sessions share (NULL: on one of its own), which outlives it, too. 0; -ESRCH: it has ended;
 * -EACCES, -EPERM, other -errno. Parts that are not to be had are no failure. session_close in any
 * case.
 */
int session_open(struct memsrc *m, struct shelf *shelf, struct go_cache *c, struct session *s,
		 struct err *e);
void session_close(struct session *s); /* safe on a zeroed struct, and twice */

/* Before each snapshot: forgets what was cached of memory, and looks again for runtimes that were
 * not up. 0, -ESRCH, -ENOMEM. */
int session_begin(struct session *s);

/* The mappings as a snapshot has read them: opens libraries that have come, with the runtimes in
 * them. 0, -ESRCH, -ENOMEM. */
int session_set_maps(struct session *s, const struct maps *maps);

/* After a snapshot: closes the libraries that are not mapped any more. Then no pointer into s->go
 * holds. */
void session_end(struct session *s, const struct maps *maps);

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

/* Whether the race detector puts its shadow memory there. */
bool session_is_race_shadow(const struct vma *v);

#endif
