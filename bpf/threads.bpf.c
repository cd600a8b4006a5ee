// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Threads and processes: start, end, exec. */
#include "common.h"
#include "compat.h"

static __always_inline struct rsc_rec_task *task_record(__u16 type, struct ids who)
{
	struct rsc_rec_task *r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);

	if (!r) {
		count_lost(RSC_N_RING_TASK);
		return NULL;
	}
	rec_fill(&r->hdr, type, sizeof(*r), who);
	r->by_tgid = r->by_tid = r->exit_code = r->pad = 0;
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	return r;
}

static __always_inline int task_start(struct ids who, struct ids child, struct task_struct *task)
{
	struct rsc_rec_task *r;

	if (!target_of(who.tgid, RSC_GROUP_THREADS))
		return 0;
	r = task_record(RSC_THREAD_START, child);
	if (!r)
		return 0;
	r->by_tgid = who.tgid;
	r->by_tid = who.tid;
	if (child.tgid != who.tgid)
		r->hdr.flags |= RSC_F_NEW_PROCESS;
	if (task)
		BPF_CORE_READ_STR_INTO(&r->comm, task, comm);
	bpf_ringbuf_submit(r, 0);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(fork_btf, struct task_struct *parent, struct task_struct *child)
{
	return task_start(ids_of_current(), ids_of(child), child);
}

/* Fallback. The tracepoint has no thread group and the initial namespace's ids: a new process and
 * a new thread look the same, and the child counts as a thread. */
SEC("?tp/sched/sched_process_fork")
int fork_tp(struct trace_event_raw_sched_process_fork *ctx)
{
	struct ids who = ids_of_current();

	return task_start(who, (struct ids){ .tgid = who.tgid, .tid = ctx->child_pid }, NULL);
}

/* signal->live is decremented before the tracepoint (kernel/exit.c, do_exit): the last two threads
 * may both find it 0. The process ends once. */
static __always_inline bool is_last(struct task_struct *task, __u32 tgid)
{
	__u32 one = 1;

	return !BPF_CORE_READ(task, signal, live.counter) &&
	       !bpf_map_update_elem(&ended, &tgid, &one, BPF_NOEXIST);
}

static __always_inline int task_exit(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ids who = ids_of_current();
	__u32 tid = bpf_get_current_pid_tgid();
	struct rsc_rec_task *r;

	if (!target_of(who.tgid, RSC_GROUP_THREADS))
		return 0;
	bpf_map_delete_elem(&calls, &tid);
	r = task_record(RSC_THREAD_EXIT, who);
	if (!r)
		return 0;
	r->exit_code = BPF_CORE_READ(task, exit_code);
	if (is_last(task, who.tgid))
		r->hdr.flags |= RSC_F_GROUP_DEAD;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, r->hdr.flags & RSC_F_GROUP_DEAD ? BPF_RB_FORCE_WAKEUP : 0);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(exit_btf)
{
	return task_exit();
}

SEC("?tp/sched/sched_process_exit")
int exit_tp(void *ctx)
{
	return task_exit();
}

/* The memory is new. What the process had at most stays, but for what it was before it became the
 * program that is watched. */
static __always_inline void rss_exec(struct ids who)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_RSS);
	struct rsc_rss_state *s = bpf_map_lookup_elem(&rss_state, &who.tgid);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u64 sum;

	if (!t || !s)
		return;
	for (int i = 0; i < 4; i++)
		s->sizes[i] = compat_rss_pages(mm, i) * t->page_size;
	sum = s->sizes[0] + s->sizes[1] + s->sizes[3];
	s->sent = sum;
	s->swap_sent = s->sizes[2];
	if (!s->on || sum > s->high)
		s->high = sum;
	s->on = 1;
}

static __always_inline int task_exec(__u32 old_tid)
{
	struct ids who = ids_of_current();
	struct rsc_rec_task *r;

	rss_exec(who);
	if (!target_of(who.tgid, RSC_GROUP_THREADS))
		return 0;
	r = task_record(RSC_EXEC, who);
	if (!r)
		return 0;
	r->by_tgid = who.tgid;
	r->by_tid = old_tid ? old_tid : who.tid;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(exec_btf, struct task_struct *task, pid_t old_pid)
{
	return task_exec(cfg_pidns ? 0 : old_pid);
}

SEC("?tp/sched/sched_process_exec")
int exec_tp(void *ctx)
{
	return task_exec(0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
