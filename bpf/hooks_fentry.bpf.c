// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The calls that map and unmap, at the entry and the exit of their functions in the kernel: where
 * its trampolines allow that (arm64 since 6.4), other system calls are left alone.
 */
#include "arch.h"
#include "calls.h"

static __always_inline int fentry(void *ctx, __u16 call, int nargs)
{
	struct rsc_target *t;
	struct call_slot *slot = call_begin(call, &t);
	const struct pt_regs *regs = NULL;

	if (!slot)
		return 0;
	/* The function's argument, as mere memory: in the BTF of 5.10 it points to a struct that is
	 * declared only, and verifiers refuse to load it. */
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	slot->rec.args[0] = arch_syscall_arg(regs, 0);
	slot->rec.args[1] = nargs > 1 ? arch_syscall_arg(regs, 1) : 0;
	slot->rec.args[2] = nargs > 2 ? arch_syscall_arg(regs, 2) : 0;
	slot->rec.args[3] = nargs > 3 ? arch_syscall_arg(regs, 3) : 0;
	slot->rec.args[4] = nargs > 4 ? arch_syscall_arg(regs, 4) : 0;
	slot->rec.args[5] = nargs > 5 ? arch_syscall_arg(regs, 5) : 0;
	return call_entered(ctx, t, call, slot);
}

#define CALL(fn, name, nr, nargs)                                                                  \
	SEC("?fentry/" ARCH_SYSCALL #name)                                                         \
	int fn##_fentry(void *ctx)                                                                 \
	{                                                                                          \
		return fentry(ctx, nr, nargs);                                                     \
	}                                                                                          \
	SEC("?fexit/" ARCH_SYSCALL #name)                                                          \
	int BPF_PROG(fn##_fexit, void *regs, long ret)                                             \
	{                                                                                          \
		return call_exit(nr, ret);                                                         \
	}

CALLS(CALL)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
