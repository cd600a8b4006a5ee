/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines by call stack, as runtime/pprof shows them. */
#include "collect/profile_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "collect/profile_saved.h"
#include "goruntime/stacks.h"

/* runtime/traceback.go, isSystemGoroutine: those of the runtime, which the program did not start.
 */
static bool is_system(struct making *k, uint64_t startpc)
{
	static const char *const programs[] = { "runtime.main", "runtime.corostart",
						"runtime.handleAsyncEvent" };
	const char *name = profile_function_at(k, startpc + 1);

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (!strcmp(name, programs[i]))
			return false;
	return !strncmp(name, "runtime.", 8);
}

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

/* One whose stack moves while it is read is there all the same. */
static int take_running(struct making *k)
{
	k->n = 0;
	return profile_push_name(k, "[running]");
}

struct counting {
	struct making *k;
	uint64_t running; /* whose stacks can't be read */
	uint64_t cut;	  /* whose stacks end where no goroutine begins */
};

static int add(void *ctx, const struct go_stack *s)
{
	struct counting *c = ctx;
	struct making *k = c->k;
	int r;

	if (is_system(k, s->startpc))
		return 0;
	c->cut += s->cut;
	c->running += !s->npc;
	r = s->npc ? profile_take_stack(k, ADDRESSES_PHYSICAL, s->pc, s->npc) : take_running(k);
	if (!r && !k->n) /* it has not begun, and will with a wrapper */
		r = take_named(k, profile_function_at(k, s->startpc + 1), s->startpc);
	return r ? r : profile_put_counted(k, &(struct profile_sample){ .value = { 1 } });
}

static int say(const struct counting *c)
{
	int r = 0;

	if (c->running)
		r = profile_say(c->k->p,
				"%" PRIu64 " goroutines were running: their stacks can't be read, "
				"they are [running]",
				c->running);
	if (!r && c->cut)
		r = profile_say(c->k->p, "the stacks of %" PRIu64 " goroutines are incomplete",
				c->cut);
	return r;
}

int profile_make_goroutine(struct making *k, struct err *e)
{
	struct counting c = { .k = k };
	int r = profile_saved_begin(k);

	if (!r)
		r = go_stacks_read(&k->g->rt, k->g->bin, add, &c);

	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the runtime's list of goroutines was not found");
	r = r ? r : say(&c);
	return r ? err_set(e, r, "reading goroutines: %s", strerror(-r)) : 0;
}
