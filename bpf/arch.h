/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What differs between processors: the thread pointer, the instruction pointer of a probe. */
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

#endif
