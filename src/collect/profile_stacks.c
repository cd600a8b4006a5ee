/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of Go's stacks by who uses it: the stack of a sample is the goroutine's, and who
 * started it. What is no goroutine's has a name. */
#include "collect/goroutines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/stack_book.h"

struct stacks {
	struct making *k;
	struct stack_book book;
	uint64_t running; /* of these it is not known how much of their stacks they use */
	uint64_t cut;	  /* whose stacks end where no goroutine begins */
	uint64_t deep;	  /* that have more frames than are told */
	uint64_t outside; /* whose stacks lie elsewhere by now */
};

/* The columns of the table in profile.c. */
static int put(struct stacks *t, const struct go_stack *s, const struct stack_bytes *b)
{
	struct profile_sample x = { .size = s->hi - s->lo,
				    .value = { (int64_t)b->reserved,
					       s->sp ? (int64_t)(s->hi - s->sp) : 0,
					       (int64_t)b->resident, s->goid != 0 } };

	return profile_put_counted(t->k, &x);
}

static int take_creator(struct stacks *t, const struct go_stack *s)
{
	const char *f = s->goid == 1 ? "" : goroutine_creator(t->k->names, s);
	char name[512];

	if (!*f)
		return 0;
	snprintf(name, sizeof(name), "created by %s", f);
	return profile_push_name(t->k, name);
}

static int take_stack(struct stacks *t, const struct go_stack *s)
{
	int r;

	t->k->n = 0;
	if (s->status == GO_GDEAD || s->status == GO_GDEADEXTRA)
		return profile_push_name(t->k, "dead goroutines' stacks");
	t->running += !s->sp;
	if (goroutine_is_system(t->k->names, s))
		return profile_push_name(t->k, "the runtime's own goroutines");
	t->cut += s->cut;
	t->deep += s->npc == GO_STACK_DEPTH_MAX;
	r = profile_take_goroutine(t->k, s);
	return r ? r : take_creator(t, s);
}

static int add(void *ctx, const struct go_stack *s)
{
	struct stacks *t = ctx;
	struct stack_bytes b;
	int r;

	if (!s->hi)
		return 0;
	if (!stack_book_take(&t->book, s->lo, s->hi, &b)) {
		t->outside++;
		return 0;
	}
	r = take_stack(t, s);
	return r ? r : put(t, s, &b);
}

/* Those of threads that C has made lie elsewhere. */
static int add_system(void *ctx, const struct go_stack *s)
{
	struct stacks *t = ctx;
	struct stack_bytes b;
	int r;

	if (!stack_book_take(&t->book, s->lo, s->hi, &b))
		return 0;
	t->k->n = 0;
	r = profile_push_name(t->k, "threads' stacks (g0, gsignal)");
	return r ? r : put(t, s, &b);
}

static int add_rest(struct stacks *t)
{
	const struct go_stack none = { 0 };
	struct stack_bytes b;
	int r;

	stack_book_rest(&t->book, &b);
	if (!b.reserved)
		return 0;
	t->k->n = 0;
	r = profile_push_name(t->k, "stack cache");
	return r ? r : put(t, &none, &b);
}

static int say(const struct stacks *t)
{
	struct profile *p = t->k->p;
	int r = 0;

	if (t->running)
		r = profile_say(p,
				"%" PRIu64
				" goroutines were running: used bytes of their stacks are unknown "
				"and left out",
				t->running);
	if (!r)
		r = profile_say_unread(p, 0, t->cut);
	if (!r && t->deep)
		r = profile_say(p,
				"of %" PRIu64 " goroutines only the innermost %d frames are told",
				t->deep, GO_STACK_DEPTH_MAX);
	if (!r && t->outside)
		r = profile_say(p,
				"%" PRIu64
				" goroutines got their stacks during the read and are left out",
				t->outside);
	return r ? r
		 : profile_say(p, "threads' stacks, dead goroutines' stacks and the stack cache "
				  "have no used bytes: they are unknown");
}

static int read_all(struct stacks *t)
{
	const struct session_go *g = t->k->g;
	int r = go_stacks_read(&g->rt, g->bin, true, add, t);

	if (!r)
		r = go_system_stacks_read(&g->rt, add_system, t);
	if (r == -ENODATA || r == -EFAULT) /* threads that can't be read: theirs is in the rest */
		r = 0;
	if (!r)
		r = add_rest(t);
	return r ? r : say(t);
}

/* In the order of a ledger: spans, pages, then whose they are. */
int profile_make_stacks(struct making *k, struct err *e)
{
	struct stacks t = { .k = k };
	struct go_heap heap = { 0 };
	int r = go_heap_read(&k->g->rt, PASS_SPANS, &heap, e);

	if (!r)
		r = stack_book_open(k->s->m, &heap, &t.book);
	if (!r)
		r = read_all(&t);
	go_heap_free(&heap);
	stack_book_free(&t.book);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the runtime's list of goroutines was not found");
	return r && !e->text[0] ? err_set(e, r, "reading stacks: %s", strerror(-r)) : r;
}
