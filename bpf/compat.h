/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel changes that the programs bridge, one shim for each, with the commit that made it. What a
 * kernel has is asked of its BTF, never of its version.
 */
#ifndef RSSCOPE_BPF_COMPAT_H
#define RSSCOPE_BPF_COMPAT_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define CORE __attribute__((preserve_access_index))

/*
 * mm_struct.rss_stat: one atomic per kind up to Linux 6.1; a percpu_counter per kind since
 * f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter", 6.2). Of those only the folded
 * `count` can be read cheaply.
 */
struct mm_rss_stat___v61 {
	atomic_long_t count[4];
} CORE;

struct mm_struct___v61 {
	struct mm_rss_stat___v61 rss_stat;
} CORE;

static __always_inline bool compat_rss_atomic(void)
{
	return bpf_core_field_exists(((struct mm_struct___v61 *)0)->rss_stat.count);
}

static __always_inline bool compat_rss_percpu(void)
{
	return bpf_core_field_exists(((struct mm_struct *)0)->rss_stat[0].count);
}

/* Pages of one kind: 0 file, 1 anon, 2 swap, 3 shmem (enum in include/linux/mm_types_task.h). */
static __always_inline long compat_rss_pages(struct mm_struct *mm, unsigned int member)
{
	long n = 0;

	if (compat_rss_percpu()) {
		__u32 stride = bpf_core_type_size(struct percpu_counter);
		void *first = (void *)&mm->rss_stat[0].count;

		bpf_probe_read_kernel(&n, sizeof(n), first + (__u64)stride * (member & 3));
	} else if (compat_rss_atomic()) {
		struct mm_struct___v61 *old = (void *)mm;
		void *first = (void *)&old->rss_stat.count;

		bpf_probe_read_kernel(&n, sizeof(n), first + sizeof(n) * (member & 3));
	}
	return n < 0 ? 0 : n;
}

/* All kinds, bytes. The loops are in the branches: around them, compilers move the question where a
 * field is before the one whether it is there, which verifiers refuse. */
static __always_inline void compat_rss_sizes(struct mm_struct *mm, __u64 page_size, __u64 *sizes)
{
	__builtin_memset(sizes, 0, 4 * sizeof(*sizes));
	if (compat_rss_percpu()) {
		__u32 stride = bpf_core_type_size(struct percpu_counter);
		void *at = (void *)&mm->rss_stat[0].count;

		for (int i = 0; i < 4; i++, at += stride)
			bpf_probe_read_kernel(&sizes[i], sizeof(*sizes), at);
	} else if (compat_rss_atomic()) {
		struct mm_struct___v61 *old = (void *)mm;

		bpf_probe_read_kernel(sizes, 4 * sizeof(*sizes), &old->rss_stat.count);
	}
	for (int i = 0; i < 4; i++)
		sizes[i] = (__s64)sizes[i] < 0 ? 0 : sizes[i] * page_size;
}

/* mm_struct.owner exists with CONFIG_MEMCG only. */
static __always_inline struct task_struct *compat_mm_owner(struct mm_struct *mm)
{
	if (!bpf_core_field_exists(mm->owner))
		return NULL;
	return BPF_CORE_READ(mm, owner);
}

/*
 * The tracepoint rss_stat lost its third argument, the count, in f1a7941243c1 (6.2). A typedef of
 * another shape does not match: such a kernel takes the fallback.
 */
typedef void (*btf_trace_rss_stat___v62)(void *, struct mm_struct *, int);
typedef void (*btf_trace_rss_stat___v510)(void *, struct mm_struct *, int, long);

/* Set with exit_group(2) and when a fatal signal is sent (include/linux/sched/signal.h). */
#define SIGNAL_GROUP_EXIT 4

/* sched_process_exit got `group_dead` in 6.16. */
struct linux_binprm {
};
typedef void (*btf_trace_sched_process_fork___v510)(void *, struct task_struct *,
						    struct task_struct *);
typedef void (*btf_trace_sched_process_exit___v510)(void *, struct task_struct *);
typedef void (*btf_trace_sched_process_exit___v616)(void *, struct task_struct *, bool);
typedef void (*btf_trace_sched_process_exec___v510)(void *, struct task_struct *, pid_t,
						    struct linux_binprm *);

static __always_inline bool compat_rss_trace(void)
{
	return bpf_core_type_exists(btf_trace_rss_stat___v62) ||
	       bpf_core_type_exists(btf_trace_rss_stat___v510);
}

/* The two structs are named so that this object's BTF defines them: a mere declaration matches
 * nothing. */
static __always_inline bool compat_sched_trace(void)
{
	return bpf_core_type_exists(struct task_struct) &&
	       bpf_core_type_exists(struct linux_binprm) &&
	       bpf_core_type_exists(btf_trace_sched_process_fork___v510) &&
	       bpf_core_type_exists(btf_trace_sched_process_exec___v510) &&
	       (bpf_core_type_exists(btf_trace_sched_process_exit___v510) ||
		bpf_core_type_exists(btf_trace_sched_process_exit___v616));
}

/* Named, so that it can be asked for. */
struct bpf_tramp_image {
};

/* bpf_task_pt_regs(): dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper", 5.15), and with it
 * bpf_get_current_task_btf() (5.11). */
enum bpf_func_id___regs {
	BPF_FUNC_task_pt_regs___regs = 1,
};

static __always_inline bool compat_has_task_pt_regs(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___regs, BPF_FUNC_task_pt_regs___regs);
}

/* The break: vmlinux.h leaves it out. */
struct mm_struct___brk {
	unsigned long brk;
} CORE;

static __always_inline __u64 compat_brk(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct___brk *mm = (void *)BPF_CORE_READ(task, mm);

	return bpf_core_field_exists(mm->brk) ? BPF_CORE_READ(mm, brk) : 0;
}

#endif
