/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What differs between processors: the thread pointer, the instruction pointer of a probe,
 * the arguments of a system call. */
#ifndef RSSCOPE_BPF_ARCH_H
#define RSSCOPE_BPF_ARCH_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/*
 * The current task's TLS base as the kernel last saw it: set by arch_prctl and clone, saved at
 * each context switch. A thread that changed it by an instruction of its own (wrfsbase, msr
 * tpidr_el0) and was not switched since shows the old one.
 */
static __always_inline __u64 arch_thread_pointer(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#elif defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ(task, thread.uw.tp_value);
#else
#error "no thread pointer for this architecture"
#endif
}

static __always_inline __u64 arch_ip(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, ip);
#else
	return BPF_CORE_READ((struct user_pt_regs *)regs, pc);
#endif
}

static __always_inline __u64 arch_sp(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, sp);
#else
	return BPF_CORE_READ((struct user_pt_regs *)regs, sp);
#endif
}

#if defined(__TARGET_ARCH_x86)
static __always_inline __u64 arch_fp(struct pt_regs *regs)
{
	return BPF_CORE_READ(regs, bp);
}
#else
/* Where the innermost function returns to, as long as it has called none. */
static __always_inline __u64 arch_lr(struct pt_regs *regs)
{
	return BPF_CORE_READ((struct user_pt_regs *)regs, regs[30]);
}
#endif

/* The first argument of a Go function that takes it in a register (abi-internal.md), at its entry.
 */
static __always_inline __u64 arch_go_arg(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, ax);
#else
	return BPF_CORE_READ((struct user_pt_regs *)regs, regs[0]);
#endif
}

/* Where a function returns to, at its entry; left alone where it can't be read. */
static __always_inline void arch_return_address(struct pt_regs *regs, __u64 *out)
{
#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_user(out, sizeof(*out), (void *)arch_sp(regs));
#else
	*out = BPF_CORE_READ((struct user_pt_regs *)regs, regs[30]);
#endif
}

/*
 * System call functions take the registers of user space (CONFIG_ARCH_HAS_SYSCALL_WRAPPER, both
 * since 4.17 and 4.19).
 */
#if defined(__TARGET_ARCH_x86)
#define ARCH_SYSCALL "__x64_sys_"
#else
#define ARCH_SYSCALL "__arm64_sys_"
#endif

static __always_inline __u64 arch_syscall_arg(const struct pt_regs *regs, int i)
{
#if defined(__TARGET_ARCH_x86)
	switch (i) {
	case 0:
		return BPF_CORE_READ(regs, di);
	case 1:
		return BPF_CORE_READ(regs, si);
	case 2:
		return BPF_CORE_READ(regs, dx);
	case 3:
		return BPF_CORE_READ(regs, r10);
	case 4:
		return BPF_CORE_READ(regs, r8);
	default:
		return BPF_CORE_READ(regs, r9);
	}
#else
	return BPF_CORE_READ((const struct user_pt_regs *)regs, regs[i]);
#endif
}

#endif
