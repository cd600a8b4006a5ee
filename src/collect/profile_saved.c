/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles and captures. A capture is taken by making the profiles once, while what they read is
 * saved: their memory as parts (memsrc_begin_part), which each profile is replayed from alone, and
 * of the program's file what names code. What is found by going over the whole file is kept as
 * notes.
 */
#include "collect/profile_saved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* What the notes on a part are called. */
struct part_note {
	char name[64];
};

static struct part_note note_of(const char *part, const char *what)
{
	struct part_note n;

	snprintf(n.name, sizeof(n.name), "profile_%s%s", part, what);
	return n;
}

/* Of the value of the note on a part itself. */
enum { PART_TORN, PART_WHOLE, PART_CUT };

static int check_capture(struct memsrc *m, const struct profile_kind *kind, uint64_t *state,
			 struct err *e)
{
	if (!kind->part)
		return err_set(e, -ENOTSUP,
			       "captures hold no %s profile; take it while the process runs, or "
			       "from a core",
			       kind->name);
	if (memsrc_note(m, note_of(kind->part, "").name, state))
		return err_set(e, -ENOTSUP,
			       "this capture holds no %s profile: it was taken with --no-profiles, "
			       "or by an rsscope that saves none; take it while the process runs",
			       kind->name);
	if (*state == PART_TORN)
		return err_set(e, -ENOTSUP,
			       "this capture holds no %s profile: the process exited while it was "
			       "saved",
			       kind->name);
	return 0;
}

int profile_saved_open(struct memsrc *m, const struct profile_kind *kind, struct profile *p,
		       struct err *e)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), state = PART_WHOLE;
	bool noted = memsrc_kind(m) == MEMSRC_CAPTURE || memsrc_is_saved(m);
	int r = 0;

	if (memsrc_kind(m) == MEMSRC_CAPTURE)
		r = check_capture(m, kind, &state, e);
	if (r)
		return r;
	if (state == PART_CUT)
		r = profile_say(p, "the capture is full: some of what was there is missing");
	if (!r && noted && kind->part)
		r = memsrc_note(m, note_of(kind->part, "_time_unix_ns").name, &now);
	/* when a core was written it does not say */
	p->time_unix_ns = r || memsrc_kind(m) == MEMSRC_CORE ? 0 : now;
	return r == -ENOENT ? 0 : r;
}

int profile_saved_begin(struct making *k)
{
	return k->kind->part ? memsrc_begin_part(k->s->m, note_of(k->kind->part, "_at").name) : 0;
}

int profile_saved_fact(struct making *k, const char *name, int r, uint64_t *value)
{
	struct memsrc *m = k->s->m;

	if (memsrc_kind(m) == MEMSRC_CAPTURE)
		return memsrc_note(m, name, value);
	return !r && memsrc_is_saved(m) ? memsrc_note(m, name, value) : r;
}

/* ---- saving */

/* Of the kinds that are made of one part, one does. */
static bool is_first(size_t i)
{
	const struct profile_kind *kind = profile_kind_at(i);

	for (size_t k = 0; k < i; k++)
		if (profile_kind_at(k)->part && !strcmp(profile_kind_at(k)->part, kind->part))
			return false;
	return true;
}

static int save_part(struct session *s, const struct profile_kind *kind)
{
	uint64_t state = PART_WHOLE;
	struct err e = { 0 };
	struct profile p;
	int r = collect_profile(s, kind, &p, &e);

	profile_free(&p);
	/* what the program has none of is told again from what is saved */
	if (r == -ESRCH)
		state = PART_TORN;
	else if (r && r != -ENOTSUP)
		return r;
	else if (memsrc_is_full(s->m))
		state = PART_CUT;
	return memsrc_note(s->m, note_of(kind->part, "").name, &state);
}

int profiles_save(struct session *s, struct err *e)
{
	int r;

	if (!session_main_go(s))
		return 0;
	r = session_record_names(s);
	for (size_t i = 0; profile_kind_at(i) && !r; i++)
		if (profile_kind_at(i)->part && is_first(i))
			r = save_part(s, profile_kind_at(i));
	if (!r)
		r = session_keep_names(s);
	return r ? err_set(e, r, "saving profiles: %s", strerror(-r)) : 0;
}
