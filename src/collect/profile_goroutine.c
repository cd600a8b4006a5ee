/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines by call stack and labels, as runtime/pprof shows them; as further labels what it does
 * not show: state, minutes of waiting, who started them. */
#include "collect/goroutines.h"
#include "collect/profile_saved.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 4096 };

/* The set of labels of goroutines that have all of this in common. */
struct set {
	uint64_t labels, gopc, minutes;
	uint32_t status, index; /* index + 1 of the set; 0: free */
	uint8_t reason;
};

struct counting {
	struct making *k;
	uint64_t now_ns;
	uint64_t running; /* whose stacks can't be read */
	uint64_t cut;	  /* whose stacks end where no goroutine begins */
	bool unread;	  /* labels of some can't be read */
	bool cut_sets;	  /* labels of some are not all there */
	bool saved;	  /* from or for a capture, which holds no labels */
	bool unsaved;	  /* some have labels that it does not hold */
	struct go_labels labels;
	struct set sets[SETS];
};

/* ---- labels */

static int add_label(struct counting *c, struct profile_label *v, size_t *n, const char *key,
		     const char *value)
{
	int64_t a = profile_string(c->k->p, key), b = a < 0 ? a : profile_string(c->k->p, value);

	if (b < 0)
		return b;
	v[(*n)++] = (struct profile_label){ a, b };
	return 0;
}

static int read_labels(struct counting *c, const struct go_stack *s)
{
	int r;

	c->unsaved |= c->saved && s->labels;
	if (c->saved) /* they are the program's own strings */
		return 0;
	r = go_labels_read(&c->k->g->rt, s->labels, &c->labels);
	c->unread |= r && r != -ESRCH;
	c->cut_sets |= c->labels.cut;
	return r == -ESRCH ? r : 0;
}

static int64_t make_set(struct counting *c, const struct go_stack *s, uint64_t minutes)
{
	struct profile_label v[GO_LABELS_MAX + 3];
	const char *creator = goroutine_creator(c->k->names, s);
	char state[64], text[24];
	size_t n = 0;
	int r = read_labels(c, s);

	for (size_t i = 0; i < c->labels.n && !r; i++)
		r = add_label(c, v, &n, c->labels.v[i].key, c->labels.v[i].value);
	if (!r)
		r = add_label(c, v, &n, "goroutine_state",
			      go_stack_state(c->k->g->rt.l, s, state, sizeof(state)));
	if (!r && minutes) {
		snprintf(text, sizeof(text), "%" PRIu64, minutes);
		r = add_label(c, v, &n, "goroutine_minutes", text);
	}
	if (!r && *creator && s->goid != 1) /* the runtime's own start */
		r = add_label(c, v, &n, "goroutine_created_by", creator);
	return r ? r : profile_labels(c->k->p, v, n);
}

/* Most goroutines are like many others. */
static int64_t set_of(struct counting *c, const struct go_stack *s)
{
	uint64_t minutes = goroutine_minutes(s, c->now_ns);
	struct set x = { s->labels, s->gopc, minutes, s->status, 0, s->reason };
	uint64_t h = (s->labels ^ s->gopc << 7 ^ minutes << 3 ^ s->reason) * 0x9e3779b97f4a7c15ULL;
	struct set *at = &c->sets[h >> 52];
	int64_t i;

	_Static_assert(SETS == 1 << 12, "the hash gives 12 bits");
	if (at->index && at->labels == x.labels && at->gopc == x.gopc && at->minutes == minutes &&
	    at->status == x.status && at->reason == x.reason)
		return at->index;
	i = make_set(c, s, minutes);
	if (i > 0) {
		x.index = i;
		*at = x;
	}
	return i;
}

/* ---- stacks */

/* A stack of one location, which is called so. */
static int take_named(struct making *k, const char *name, uint64_t addr)
{
	int64_t at = profile_find(k->p, addr), r = 0;

	if (at < 0) {
		at = profile_location(k->p, addr, 0);
		r = at < 0 ? at : profile_line(k->p, at, name, "", 0);
	}
	k->stack[0] = at;
	k->n = 1;
	return r < 0 ? r : 0;
}

int profile_take_goroutine(struct making *k, const struct go_stack *s)
{
	int r;

	k->n = 0;
	if (!s->npc) /* one whose stack moves while it is read is there all the same */
		return profile_push_name(k, "[running]");
	r = profile_take_stack(k, ADDRESSES_PHYSICAL, s->pc, s->npc);
	if (!r && !k->n) /* it has not begun, and will with a wrapper */
		r = take_named(k, profile_function_at(k, s->startpc + 1), s->startpc);
	return r;
}

static int add(void *ctx, const struct go_stack *s)
{
	struct counting *c = ctx;
	struct profile_sample x = { .value = { 1 } };
	int64_t set;
	int r;

	if (goroutine_is_system(c->k->names, s))
		return 0;
	c->cut += s->cut;
	c->running += !s->npc;
	set = set_of(c, s);
	if (set < 0)
		return set;
	x.labels = set;
	r = profile_take_goroutine(c->k, s);
	return r ? r : profile_put_counted(c->k, &x);
}

static int say(const struct counting *c)
{
	int r = profile_say_unread(c->k->p, c->running, c->cut);

	if (!r && c->unread)
		r = profile_say(c->k->p, "the labels of some goroutines could not be read");
	if (!r && c->unsaved)
		r = profile_say(c->k->p, "the program's labels are not in a capture");
	if (!r && c->cut_sets)
		r = profile_say(c->k->p,
				"labels of goroutines are cut: at most %d of each, of %d bytes",
				GO_LABELS_MAX, GO_LABEL_MAX);
	if (!r && !c->now_ns)
		r = profile_say(c->k->p, "waiting times of goroutines are unknown: the file does "
					 "not record the clock");
	return r;
}

int profile_say_unread(struct profile *p, uint64_t running, uint64_t cut)
{
	int r = 0;

	if (running)
		r = profile_say(p,
				"%" PRIu64 " goroutines were running: their stacks can't be read, "
				"they are [running]",
				running);
	if (!r && cut)
		r = profile_say(p, "the stacks of %" PRIu64 " goroutines are incomplete", cut);
	return r;
}

int profile_make_goroutine(struct making *k, struct err *e)
{
	_free_ struct counting *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->k = k;
	c->saved = memsrc_kind(k->s->m) == MEMSRC_CAPTURE || memsrc_is_saved(k->s->m);
	c->now_ns = goroutine_clock(k->s->m);
	r = profile_saved_begin(k);
	if (!r)
		r = go_stacks_read(&k->g->rt, k->g->bin, false, add, c);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the runtime's list of goroutines was not found");
	r = r ? r : say(c);
	return r ? err_set(e, r, "reading goroutines: %s", strerror(-r)) : 0;
}
