/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside `run`: the child that becomes the program, the snapshots that are taken while it lives,
 * what was seen of it, and the report.
 */
#ifndef RSSCOPE_OBSERVE_RUN_IMPL_H
#define RSSCOPE_OBSERVE_RUN_IMPL_H

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "collect/collect.h"
#include "observe/follow.h"
#include "observe/intake.h"
#include "observe/outlet.h"
#include "observe/run.h"
#include "session/loop.h"
#include "session/session.h"

/* ---- the child (run_child.c) */

struct run_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned */
	int ngroups;
	char name[256], home[4096]; /* "": not known */
};

/* NAME, UID or UID:GID. -ENOENT no such user; -EINVAL. */
int run_user_find(const char *spec, struct run_user *out, struct err *e);
void run_user_free(struct run_user *u);

struct run_child {
	pid_t pid;     /* 0: none */
	int go, error; /* pipes: to let it exec; to hear why it can't. −1: closed */
};

/* Forks a child that waits. user may be NULL; `mask` is its signal mask and `chld` its disposition
 * of SIGCHLD. When we end, it ends. */
int run_child_fork(char **cmd, const struct run_user *user, const sigset_t *mask,
		   const struct sigaction *chld, struct run_child *out, struct err *e);

/* Lets it become the program. 0, or the exit code with the message printed and the child reaped. */
int run_child_exec(struct run_child *c, char **cmd);

/* Ends a child that has not become the program. */
void run_child_abandon(struct run_child *c);

/* The file that execvp would take, open, or −1. */
int run_find_program(const char *name);

/* ---- signals (run_signals.c) */

struct run_signals {
	int fd; /* signalfd of all that can be caught, −1: not open */
	sigset_t old_mask;
	struct sigaction old_chld;
};

int run_signals_open(struct run_signals *s, struct err *e);
void run_signals_close(struct run_signals *s); /* the mask stays: the process is about to end */

enum {
	RUN_ASKED = 1, /* SIGUSR1: for a report */
	RUN_CHILD = 2, /* SIGCHLD */
	RUN_OTHER = 4, /* one that was the child's, or would be */
};

/* Takes what has come and passes on what is the child's; 0: it has ended. RUN_* of what came. */
unsigned int run_signals_take(const struct run_signals *s, pid_t child);

/* Stops us when the child has been stopped by a terminal's means, so that a shell sees its job
 * stop. True when the child has ended (it is not reaped). */
bool run_child_ended(pid_t child);

/* ---- who asked for memory (run_book.c) */

struct run_book {
	bool on; /* the book is kept; else it is of no effect */
	struct session s;
};

/* program_fd: the file that it was made of, −1: not known. */
void run_book_open(struct run_book *b, pid_t pid, int program_fd, struct shelf *shelf);
void run_book_close(struct run_book *b); /* safe on a zeroed struct; no snapshot may be under way */
void run_book_event(struct run_book *b, const struct event *e);
/* Between batches of events. */
void run_book_turn(struct run_book *b);
/* g: the regions in which calls were lost. */
void run_book_losses(struct run_book *b, const struct ev_region *g, size_t n);

/* What is known, for a snapshot, in whose thread it is read while events go on: borrowed until the
 * next call of it, or run_book_close. */
void run_book_give(struct run_book *b, struct collect_opts *o);

/* ---- snapshots (run_snapshot.c) */

/* A ledger. at_ns: when the snapshot began, CLOCK_MONOTONIC. */
struct run_ledger {
	bool has;
	struct report r;
	uint64_t at_ns;
};
void run_ledger_free(struct run_ledger *l);

/* One snapshot at a time, in a thread of its own: meanwhile signals are passed on and the ring is
 * emptied. */
struct run_snapshot {
	pthread_t thread;
	bool busy;
	int done_fd; /* eventfd, −1: not open */
	pid_t pid;
	bool want_gc; /* find the words of GC events, too */
	struct collect_opts opts;
	struct session session; /* the thread's while it is busy; its m is NULL: none is open */
	/* the answer */
	int rc;
	struct err err;
	uint64_t cpu_ns; /* that it took */
	struct run_ledger ledger;
	bool has_gc;
	struct ev_gc gc;
};

/* The cache is borrowed, may be NULL. */
int run_snapshot_open(pid_t pid, struct go_cache *c, struct run_snapshot *s, struct err *e);
int run_snapshot_start(struct run_snapshot *s);
/* When it is done (or waits for it): moves the ledger out, 0 or why there is none. -EAGAIN
 * not done. */
int run_snapshot_take(struct run_snapshot *s, bool wait, struct run_ledger *out);
void run_snapshot_close(struct run_snapshot *s);

/* ---- the stream (run_stream.c) */

struct run_stream {
	bool on, json; /* not on: all below is of no effect */
	struct watch_text text;
	struct outlet *out; /* borrowed */
};

void run_stream_open(struct run_stream *s, const struct run_opts *a, struct outlet *out);
/* names may be NULL. */
void run_stream_event(struct run_stream *s, struct symbolizer *names, const struct event *e);
/* Of a followed child; p may be NULL: nothing is known of it. */
void run_stream_child(struct run_stream *s, struct follow_proc *p, const struct event *e);

/* ---- what was seen (run_loop.c) */

struct run_seen {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0: it goes on */
	uint64_t exec_ns;	   /* of the program that runs now */
	uint64_t events[KIND_COUNT];
	uint64_t cycle;		      /* numgc of the last GC event that had it */
	uint64_t gc_bare;	      /* GC events that tell no figures */
	struct run_ledger last, peak; /* peak: only where it is another one */
	uint64_t ledgers;
	struct err no_ledger;	   /* why the last snapshot gave none */
	uint64_t minflt0, majflt0; /* before the exec */
	struct opt_u64 minflt, majflt, user_ns, system_ns, max_rss;
	int wstatus; /* of wait(2) */
};

struct run {
	const struct run_opts *a;
	struct loop loop;
	struct outlet outlet;
	struct loop_fd on_signal, on_snapshot;
	struct loop_timer due, stuck;
	struct intake intake;
	int read_error; /* the first one of reading events: -errno; 0: none */
	struct run_child child;
	struct run_signals signals;
	struct run_snapshot snapshot;
	struct shelf *shelf; /* files of the program, and of those that are followed */
	struct run_book book;
	struct run_stream stream;
	struct follow follow;
	struct peak *peak; /* NULL: the heap's peak is not watched */
	struct ev *ev;
	bool has_binary, is_go, stripped, pie, cgo;
	char go_version[128];
	char no_gc[256];
	struct run_seen seen;
	bool gc_late;	    /* its GC probe came after its start */
	bool execed, asked; /* the child is the program; SIGUSR1 */
	bool ended;	    /* the child */
	bool abandoned;	    /* nobody takes what is left to write */
	/* when the next snapshot is due: ns and bytes */
	uint64_t next_ns, next_due_ns, high_at_last;
};

/* Attaches the probes to the waiting child. program_fd as of run_find_program. */
int run_watch_open(struct run *r, int program_fd, struct err *e);
/* From the exec to the end: fills r->seen. */
void run_watch(struct run *r, int program_fd);
/* r->ev is read from here on, by r->intake.ring; an error of that is told, and ends nothing. */
void run_intake_begin(struct run *r);
/* Until all is written. */
void run_finish(struct run *r);

/* ---- children (run_children.c) */

void run_children_event(struct run *r, const struct event *e);

/* Of those that are there: a malloc'ed array for the caller to free, its reports too. Their number.
 */
size_t run_children_reports(struct run *r, struct report **out);

/* ---- the report (run_report.c) */

/* Writes it: as of now, or of the end. A write error is told. */
void run_report(struct run *r);

#endif
