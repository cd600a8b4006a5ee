/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by fleet.c, fleet_turn.c and their unit tests. */
#ifndef RSSCOPE_SESSION_FLEET_IMPL_H
#define RSSCOPE_SESSION_FLEET_IMPL_H

#include "base/vec.h"
#include "session/fleet.h"

enum {
	FLEET_NONE = -1,
	FLEET_BURSTS = 4, /* of ticks in an interval */
	FLEET_LEDGER_BURSTS = 16,
};

/* A member's place. Its number decides the phase, so that places are used again from the first. */
struct fleet_slot {
	struct fleet_member *m;	     /* NULL: free */
	uint64_t tick_at, ledger_at; /* UINT64_MAX: never */
};

struct fleet {
	struct fleet_opts o;
	struct loop *loop;
	struct loop_timer timer;
	struct loop_fd ends; /* of an epoll descriptor with the pidfds of all members */
	struct shelf *shelf;
	struct go_cache *own_cache;
	VEC(struct fleet_slot) slots;
	uint64_t last_id;
	struct fleet_stats stats; /* but for members and shelf */
};

/* ---- fleet.c */

/* Whether the process of the member in slot i has ended or called exec, and what follows of that.
 * True: it has. */
bool fleet_check(struct fleet *f, size_t i);

/* The slot of the member with that id, or FLEET_NONE. */
long fleet_slot_of(const struct fleet *f, uint64_t id);

/* The same of the process, as the PID says. */
long fleet_slot_of_pid(const struct fleet *f, int32_t pid);

/* ---- fleet_turn.c */

/* Sets when slot i is due, after now. */
void fleet_schedule(struct fleet *f, size_t i, uint64_t now_ns);
/* Sets the timer. */
void fleet_arm(struct fleet *f);
/* loop_timer's: serves what is due at now_ns, within the bounds of a turn, and sets the timer. */
int fleet_serve(void *fleet, uint64_t now_ns);

/* The part of an interval that slot i is later than slot 0: for any number of first slots as even
 * as halving gaps makes it. */
uint64_t fleet_phase(size_t i, uint64_t interval_ns);

#endif
