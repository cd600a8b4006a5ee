// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The calls that map and unmap, at the syscall tracepoints: they are everywhere, and every system
 * call of every process takes the slow path for them.
 */
#include "calls.h"

/* Only the arguments that the call has: reading further is refused when attaching. One by one: an
 * index would make a pointer of the context, which the verifier refuses. */
static __always_inline int tp_enter(struct trace_event_raw_sys_enter *ctx, __u16 call, int nargs)
{
	struct rsc_target *t;
	struct call_slot *slot = call_begin(call, &t);

	if (!slot)
		return 0;
	slot->rec.args[0] = ctx->args[0];
	slot->rec.args[1] = nargs > 1 ? ctx->args[1] : 0;
	slot->rec.args[2] = nargs > 2 ? ctx->args[2] : 0;
	slot->rec.args[3] = nargs > 3 ? ctx->args[3] : 0;
	slot->rec.args[4] = nargs > 4 ? ctx->args[4] : 0;
	slot->rec.args[5] = nargs > 5 ? ctx->args[5] : 0;
	return call_entered(ctx, t, call, slot);
}

#define CALL(fn, name, nr, nargs)                                                                  \
	SEC("?tp/syscalls/sys_enter_" #name)                                                       \
	int fn##_enter(struct trace_event_raw_sys_enter *ctx)                                      \
	{                                                                                          \
		return tp_enter(ctx, nr, nargs);                                                   \
	}                                                                                          \
	SEC("?tp/syscalls/sys_exit_" #name)                                                        \
	int fn##_exit(struct trace_event_raw_sys_exit *ctx)                                        \
	{                                                                                          \
		return call_exit(nr, ctx->ret);                                                    \
	}

CALLS(CALL)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
