/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of the heap by type, from a snapshot as a report is: the sums are those that its
 * ledger has as go/heap/live and go/heap/new-or-dead.
 */
#include "collect/profile_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "collect/collect.h"
#include "goruntime/types.h"

struct by_type {
	struct making *k;
	struct go_types *of[GO_FILES_MAX]; /* each runtime's */
	struct go_type_sum sum[GO_TYPE_HOWS];
	uint32_t cycles; /* that had ended before the snapshot; of a live process */
	bool again;	 /* where one ends meanwhile, the snapshot is taken again */
	bool moved;	 /* one has ended */
	bool any;	 /* objects of any kind */
	bool typed;	 /* a runtime whose objects have their types */
	bool untyped;	 /* one whose objects don't */
};

static int take_piece(void *ctx, const struct collect_piece *c)
{
	struct by_type *b = ctx;
	struct go_types **t = &b->of[c->go - b->k->s->go];
	const struct go_types_piece p = {
		.s = c->span,
		.b = c->slots,
		.large_type = go_heap_large_type(c->heap, c->span->start),
		.start = c->start,
		.end = c->end,
		.resident = c->resident,
	};
	int r = *t ? 0 : go_types_create(&c->go->rt, c->go->bin, t);

	b->any = true;
	return r ? r : go_types_add(*t, &p);
}

static int take_type(void *ctx, const char *name, enum go_type_how how, const struct go_type_sum *s)
{
	struct by_type *b = ctx;
	const struct profile_sample x = { .value = { s->live, s->objects, s->resident, s->dead } };
	int r;

	b->sum[how].live += s->live;
	b->sum[how].dead += s->dead;
	b->k->n = 0;
	r = profile_push_name(b->k, name);
	return r ? r : profile_put_counted(b->k, &x);
}

/* Whether bitmaps may have been read that were of another cycle than the spans. */
static bool has_moved(const struct by_type *b)
{
	uint32_t now;

	return memsrc_kind(b->k->s->m) == MEMSRC_LIVE && !memsrc_is_saved(b->k->s->m) &&
	       (go_types_cycles(&b->k->g->rt, &now) || now != b->cycles);
}

static int take_all(void *ctx)
{
	struct by_type *b = ctx;
	int r = 0;

	b->moved = has_moved(b);
	if (b->moved && b->again)
		return -EAGAIN;
	for (size_t i = 0; i < GO_FILES_MAX && !r; i++) {
		if (!b->of[i])
			continue;
		if (go_types_has_headers(b->of[i]))
			b->typed = true;
		else
			b->untyped = true;
		r = go_types_end(b->of[i], take_type, b);
	}
	return r;
}

static void forget(struct by_type *b)
{
	for (size_t i = 0; i < GO_FILES_MAX; i++)
		go_types_destroy(b->of[i]);
	*b = (struct by_type){ .k = b->k };
}

/* A snapshot in which no GC cycle ends, or the last of several. */
static int take(struct by_type *b, struct report *report, struct err *e)
{
	enum { TRIES = 5 };
	const struct collect_objects objects = { take_piece, take_all, b };
	const struct collect_opts opts = { .objects = &objects };
	int r = -EAGAIN;

	for (int i = 1; i <= TRIES && r == -EAGAIN; i++) {
		forget(b);
		report_free(report);
		b->again = i < TRIES;
		go_types_cycles(&b->k->g->rt, &b->cycles);
		r = collect_report(b->k->s, &opts, report, e);
	}
	return r;
}

/* ---- what is to be said beside */

static double percent(uint64_t part, uint64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

static int say_coverage(const struct by_type *b, uint64_t live)
{
	uint64_t noscan = b->sum[GO_TYPE_NOSCAN].live;
	uint64_t small = b->sum[GO_TYPE_SMALL].live + b->sum[GO_TYPE_SCAN].live;
	char bytes[32];
	int r = 0;

	if (b->untyped)
		r = profile_say(b->k->p,
				"objects have their types from Go 1.22 on, without "
				"GOEXPERIMENT=noallocheaders: this is %s, so they are listed by "
				"size class",
				session_go_version(b->k->s));
	if (r || !b->typed)
		return r;
	return profile_say(
		b->k->p,
		"types are known of %.1f%% of %s of live objects; by size class only: %.1f%% "
		"without pointers (noscan), %.1f%% with pointers, of at most 512 B (small)",
		percent(b->sum[GO_TYPE_EXACT].live, live), text_bytes(bytes, sizeof(bytes), live),
		percent(noscan, live), percent(small, live));
}

static int say_unknown(const struct by_type *b)
{
	uint64_t n = b->sum[GO_TYPE_UNKNOWN].live + b->sum[GO_TYPE_UNKNOWN].dead;
	char bytes[32];

	return n ? profile_say(b->k->p,
			       "%s are of unknown types: objects that changed while they were "
			       "read, or whose pages are swapped out",
			       text_bytes(bytes, sizeof(bytes), n))
		 : 0;
}

/* Against the ledger of the same snapshot. */
static int say_rest(const struct by_type *b, const struct ledger *l, uint64_t live, uint64_t dead)
{
	uint64_t apart = l->cat[CAT_GO_HEAP_OBJECTS].virtual_;
	const struct ledger_cat *in_live = &l->cat[CAT_GO_HEAP_LIVE];
	const struct ledger_cat *in_dead = &l->cat[CAT_GO_HEAP_DEAD];
	char x[32], y[32];
	int r = 0;

	if (apart)
		r = profile_say(b->k->p,
				"%s in user arenas, or in spans that could not be read, are left "
				"out",
				text_bytes(x, sizeof(x), apart));
	if (!r && (live != in_live->virtual_ || dead != in_dead->virtual_))
		r = profile_say(b->k->p,
				"the ledger of this snapshot has %s of live and %s of new or dead "
				"objects: these are other figures",
				text_bytes(x, sizeof(x), in_live->virtual_),
				text_bytes(y, sizeof(y), in_dead->virtual_));
	return r;
}

static int say(const struct by_type *b, const struct report *report)
{
	uint64_t live = 0, dead = 0;
	int r;

	for (size_t i = 0; i < GO_TYPE_HOWS; i++) {
		live += b->sum[i].live;
		dead += b->sum[i].dead;
	}
	r = say_coverage(b, live);
	if (!r)
		r = say_unknown(b);
	if (!r && b->moved)
		r = profile_say(b->k->p, "GC cycles ended while objects were read, each time that "
					 "it was tried: live ones may be missing");
	return r ? r : say_rest(b, &report->ledger, live, dead);
}

/* Why there are no objects. */
static int no_objects(const struct report *r, struct err *e)
{
	for (size_t i = 0; i < r->missing.n; i++)
		if (!strncmp(r->missing.v[i].path, "ledger[go", 9))
			return err_set(e, -EAGAIN, "the Go heap could not be read: %s",
				       r->missing.v[i].reason);
	return err_set(e, -EAGAIN, "the Go heap could not be read");
}

int profile_make_types(struct making *k, struct err *e)
{
	_free_ struct by_type *b = calloc(1, sizeof(*b));
	_free_ struct report *report = calloc(1, sizeof(*report));
	int r;

	if (!b || !report)
		return err_set(e, -ENOMEM, "out of memory");
	b->k = k;
	r = take(b, report, e);
	if (!r && !b->any)
		r = no_objects(report, e);
	if (!r && say(b, report))
		r = err_set(e, -ENOMEM, "out of memory");
	forget(b);
	report_free(report);
	return r;
}
