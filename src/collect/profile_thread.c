/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads by the stack that made them, as runtime/pprof shows them. */
#include "collect/profile_impl.h"

#include <errno.h>
#include <string.h>

#include "collect/profile_saved.h"

static int add(void *ctx, const uint64_t *pc, size_t n)
{
	struct making *k = ctx;
	int r = profile_take_stack(k, ADDRESSES_LOGICAL, pc, n);

	if (!r && !k->n)
		r = profile_push_name(k, "[not recorded]");
	return r ? r : profile_put_counted(k, &(struct profile_sample){ .value = { 1 } });
}

int profile_make_threadcreate(struct making *k, struct err *e)
{
	int r = profile_saved_begin(k);

	if (!r)
		r = go_createstacks_read(&k->g->rt, add, k);
	if (r == -ENOENT)
		return err_set(e, -ENOTSUP, "the runtime's list of threads was not found");
	return r ? err_set(e, r, "reading the runtime's threads: %s", strerror(-r)) : 0;
}
