/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines by call stack, as runtime/pprof shows them. */
#include "collect/profile_impl.h"

#include <errno.h>
#include <string.h>

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
	return take_named(k, "[running]", 0);
}

static int add(void *ctx, const struct go_stack *s)
{
	struct making *k = ctx;
	int r;

	if (is_system(k, s->startpc))
		return 0;
	k->note->samples++;
	k->note->cut += s->cut;
	k->note->running += !s->npc;
	r = s->npc ? profile_take_stack(k, ADDRESSES_PHYSICAL, s->pc, s->npc) : take_running(k);
	if (!r && !k->n) /* it has not begun, and will with a wrapper */
		r = take_named(k, profile_function_at(k, s->startpc + 1), s->startpc);
	return r ? r
		 : profile_count(k->p, k->stack, k->n, (const int64_t[PROFILE_VALUES_MAX]){ 1 });
}

int profile_make_goroutine(struct making *k, const struct session_go *g, struct err *e)
{
	int r = go_stacks_read(&g->rt, g->bin, add, k);

	k->note->stacks = k->p->samples.n;
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the runtime's list of goroutines was not found");
	return r ? err_set(e, r, "reading goroutines: %s", strerror(-r)) : 0;
}
