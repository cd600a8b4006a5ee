/* SPDX-License-Identifier: BSD-2-Clause */
/* When members of a fleet are read. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "session/fleet_impl.h"

/* The bits of i from behind: 0, 1/2, 1/4, 3/4, 1/8, … of the interval. */
uint64_t fleet_phase(size_t i, uint64_t interval_ns)
{
	uint32_t part = 0;

	for (int bit = 0; bit < 32; bit++)
		part |= (uint32_t)(i >> bit & 1) << (31 - bit);
	return (unsigned __int128)interval_ns * part >> 32;
}

/* When slot i is read next, after `after`: its interval is divided into so many bursts. One reading
 * of a burst finds what another has run and read in the CPU's caches, which halves what it costs.
 */
static uint64_t next_time(const struct fleet *f, size_t i, unsigned int bursts, uint64_t interval,
			  uint64_t after)
{
	uint64_t first = f->o.start_ns + fleet_phase(i % bursts, interval);

	if (!interval)
		return UINT64_MAX;
	return first > after ? first : first + ((after - first) / interval + 1) * interval;
}

/* The next reading after `after`. */
static void set_tick(struct fleet *f, size_t i, uint64_t after)
{
	f->slots.v[i].tick_at = next_time(f, i, FLEET_BURSTS, f->o.tick_ns, after);
}

static void set_ledger(struct fleet *f, size_t i, uint64_t after)
{
	f->slots.v[i].ledger_at = next_time(f, i, FLEET_LEDGER_BURSTS, f->o.ledger_ns, after);
}

void fleet_schedule(struct fleet *f, size_t i, uint64_t now_ns)
{
	set_tick(f, i, now_ns);
	set_ledger(f, i, now_ns);
}

void fleet_pace(struct fleet *f, uint64_t tick_ns, uint64_t ledger_ns)
{
	uint64_t now = mono_ns();

	f->o.tick_ns = tick_ns;
	f->o.ledger_ns = ledger_ns;
	for (size_t i = 0; i < f->slots.n; i++)
		if (f->slots.v[i].m)
			fleet_schedule(f, i, now);
	fleet_arm(f);
}

int fleet_want_ledger(struct fleet *f, int32_t pid)
{
	long i = fleet_slot_of_pid(f, pid);

	if (i == FLEET_NONE)
		return -ESRCH;
	/* the time of now would be late, which it is not */
	f->slots.v[i].ledger_at = f->o.start_ns;
	fleet_arm(f);
	return 0;
}

/* The slot that has been due longest, at `until`; FLEET_NONE. *next: when one is. */
static long first_due(const struct fleet *f, bool ledger, uint64_t until, uint64_t *next)
{
	long best = FLEET_NONE;

	*next = UINT64_MAX;
	for (size_t i = 0; i < f->slots.n; i++) {
		const struct fleet_slot *s = &f->slots.v[i];
		uint64_t at = ledger ? s->ledger_at : s->tick_at;

		if (!s->m || at >= *next)
			continue;
		*next = at;
		best = i;
	}
	return *next <= until ? best : FLEET_NONE;
}

void fleet_arm(struct fleet *f)
{
	uint64_t tick, ledger;

	first_due(f, false, 0, &tick);
	first_due(f, true, 0, &ledger);
	tick = tick < ledger ? tick : ledger;
	/* of the loop's timers 0 is off */
	f->timer.at_ns = tick == UINT64_MAX ? 0 : tick ? tick : 1;
}

/* How many readings were left out since one was due. A wish (see fleet_want_ledger) is never late.
 */
static uint64_t late(const struct fleet *f, uint64_t due, uint64_t interval, uint64_t now)
{
	return !interval || due <= f->o.start_ns || now < due ? 0 : (now - due) / interval;
}

static uint64_t later(uint64_t due, uint64_t now)
{
	return due > now ? due : now;
}

/* A runtime that was not up when the session was opened is looked for by snapshots; where there are
 * none yet, by ticks. session_begin bounds how often. */
static int look_for_runtime(struct fleet_member *m)
{
	return m->s.ngo && !session_main_go(&m->s) ? session_begin(&m->s) : 0;
}

static int read_counters(struct fleet_member *m, struct session_counters *c)
{
	int r = look_for_runtime(m);

	*c = (struct session_counters){ 0 };
	return r ? r : session_tick(&m->s, c);
}

static void rest_after_tick(struct fleet *f, uint64_t id)
{
	long i = fleet_slot_of(f, id); /* the owner may have removed it */

	if (i != FLEET_NONE)
		memsrc_rest(f->slots.v[i].m->m);
}

/* True: the member had to be opened anew, which is the turn's work. */
static bool serve_tick(struct fleet *f, size_t i, uint64_t now)
{
	struct fleet_slot *s = &f->slots.v[i];
	struct fleet_member *m = s->m;
	struct session_counters c;
	uint64_t id = m->id;
	int r;

	f->stats.ticks_skipped += late(f, s->tick_at, f->o.tick_ns, now);
	set_tick(f, i, later(s->tick_at, now));
	/* reads of a Go runtime tell by themselves that its memory is gone; others do not */
	if (!session_main_go(&m->s) && fleet_check(f, i))
		return true;
	r = read_counters(m, &c);
	if (!r) {
		f->stats.ticks++;
		m->ticks++;
		if (f->o.ops.tick)
			f->o.ops.tick(f->o.ops.ctx, m, &c);
	}
	session_counters_free(&c);
	if (!r) {
		rest_after_tick(f, id);
		return false;
	}
	if (fleet_check(f, i))
		return true;
	f->stats.ticks_failed++;
	return false;
}

static void serve_ledger(struct fleet *f, size_t i, uint64_t now)
{
	struct fleet_slot *s = &f->slots.v[i];
	struct fleet_member *m = s->m;
	uint64_t id = m->id;
	long at;
	int r;

	f->stats.ledgers_skipped += late(f, s->ledger_at, f->o.ledger_ns, now);
	set_ledger(f, i, later(s->ledger_at, now));
	if (!m->open || !f->o.ops.ledger) {
		fleet_check(f, i);
		return;
	}
	r = f->o.ops.ledger(f->o.ops.ctx, m);
	at = fleet_slot_of(f, id);
	if (at == FLEET_NONE)
		return;
	m = f->slots.v[at].m;
	memsrc_rest(m->m);
	if (!r) {
		f->stats.ledgers++;
		m->ledgers++;
	} else if (!fleet_check(f, at)) {
		f->stats.ledgers_failed++;
	}
}

int fleet_serve(void *fleet, uint64_t now_ns)
{
	struct fleet *f = fleet;
	uint64_t until = now_ns, next;
	bool reopened = false;
	long i;

	for (int n = 0; n < FLEET_BATCH && !reopened; n++) {
		i = first_due(f, false, now_ns, &next);
		if (i == FLEET_NONE)
			break;
		reopened = serve_tick(f, i, now_ns);
		until = now_ns + f->o.tick_ns / FLEET_BURSTS;
	}
	/* before the next burst: rather now than to wake up for it alone */
	i = reopened ? FLEET_NONE : first_due(f, true, until, &next);
	if (i != FLEET_NONE)
		serve_ledger(f, i, now_ns);
	fleet_arm(f);
	return 0;
}
