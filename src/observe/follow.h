/* SPDX-License-Identifier: BSD-2-Clause */
/* `--follow`: the processes that a target has forked, and those that they have, while they live. */
#ifndef RSSCOPE_OBSERVE_FOLLOW_H
#define RSSCOPE_OBSERVE_FOLLOW_H

#include "collect/collect.h"
#include "event/ev.h"
#include "out/watch.h"
#include "session/session.h"

struct follow_proc {
	pid_t pid;
	struct session s;	/* its m is NULL: it had ended when it was looked for */
	struct watch_seen seen; /* what was printed of it last */
	bool ended;
};

struct follow {
	struct ev *ev; /* borrowed; NULL: nothing is followed, and all below is of no effect */
	struct shelf *shelf;	/* borrowed, may be NULL: of the files of all */
	struct go_cache *cache; /* likewise */
	struct watch_clock clock;
	VEC(struct follow_proc *) v;
	uint64_t followed, ended;
	VEC(struct watch_loss) losses; /* of processes, those that have ended among them */
};

void follow_open(struct follow *f, struct ev *ev, struct shelf *shelf, struct go_cache *cache,
		 const struct watch_clock *clock);
void follow_close(struct follow *f); /* safe on a zeroed struct */

/* Takes in what an event of a process other than the target tells; the process, or NULL: it is not
 * one of those followed. Borrowed until follow_done. */
struct follow_proc *follow_event(struct follow *f, const struct event *e);

/* When the event has been printed: gives up what has ended. */
void follow_done(struct follow *f);

/* Regions in which calls were lost, of any process. 0 or -ENOMEM. */
int follow_losses(struct follow *f, const struct ev_region *g, size_t n);

/* Notes what was lost of a process so far, in f->losses: once, before it is dropped or at the end.
 * Of more than some hundred processes it is one sum. 0 or -ENOMEM. */
int follow_note_losses(struct follow *f, pid_t pid);

/* Between batches of events. */
void follow_turn(struct follow *f);

/* Looks at one that is there: with what it has mapped, by whom, as far as that is known. *co is for
 * the caller to begin; what it gets is borrowed from p. 0, or -errno: it has ended. The caller ends
 * *out with report_free when 0. */
int follow_report(struct follow_proc *p, struct collect_opts *co, struct report *out);

#endif
