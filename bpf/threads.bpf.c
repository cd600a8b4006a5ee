// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Threads and processes: start, end, exec. */
#include "common.h"
#include "compat.h"

static __always_inline struct rsc_rec_task *task_record(__u16 type, struct ids who)
{
	struct rsc_rec_task *r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);

	if (!r) {
		count_lost(RSC_N_RING_TASK, who.tgid);
		return NULL;
	}
	rec_fill(&r->hdr, type, sizeof(*r), who);
	r->by_tgid = r->by_tid = r->exit_code = r->pad = 0;
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	return r;
}

/* ---- processes that are forked */

/* What it has at its start: its parent's pages, as the fork has copied their table. */
static __always_inline void rss_of_child(__u32 tgid, const struct rsc_target *t, bool shares,
					 struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct rsc_rss_state s = {};

	if (!shares)
		compat_rss_sizes(mm, t->page_size, s.sizes);
	s.sent = s.high = s.sizes[0] + s.sizes[1] + s.sizes[3];
	s.swap_sent = s.sizes[2];
	s.on = !shares;
	put_elem(&rss_state, &tgid, &s, BPF_ANY);
}

static __always_inline bool put_child(struct rsc_target *t, __u32 parent, __u32 child, bool shares)
{
	struct rsc_region all = { .tgid = child, .region = RSC_REGION_ALL };
	__u64 none = 0;
	struct rsc_target *c;

	if (put_elem(&targets, &child, t, BPF_ANY))
		return false;
	c = bpf_map_lookup_elem(&targets, &child);
	if (!c)
		return false;
	c->forked = 1;
	c->memory_of = 0;
	if (!shares) {
		c->groups = t->groups | t->at_exec;
		put_elem(&lost_regions, &all, &none, BPF_ANY);
		return true;
	}
	/* Until its exec what it maps is its parent's. */
	c->memory_of = t->memory_of ? t->memory_of : parent;
	c->at_exec = t->groups & RSC_FOLLOW ? t->groups | t->at_exec : 0;
	c->groups &= RSC_GROUP_MAPPINGS | RSC_GROUP_MADVISE;
	if (c->at_exec) {
		c->groups |= RSC_GROUP_THREADS | RSC_FOLLOW;
		put_elem(&lost_regions, &all, &none, BPF_ANY);
	}
	return true;
}

/* A new process becomes a target before it runs: none of its calls is missed. The flags of its
 * record. */
static __always_inline __u16 follow(struct rsc_target *t, __u32 parent, __u32 child,
				    struct task_struct *task)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	bool shares = BPF_CORE_READ(task, mm) == BPF_CORE_READ(current, mm);
	__u16 flags = RSC_F_NEW_PROCESS | (shares ? RSC_F_SHARES_MM : 0);
	bool full, wanted = t->groups & RSC_FOLLOW;
	struct rsc_tally fresh = {};
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&followed, &zero);

	if (!child || !n || (!wanted && !shares))
		return flags;
	full = *n >= RSC_FOLLOW_MAX;
	bpf_map_delete_elem(&ended, &child); /* of one that had its id before */
	if (full || !put_child(t, parent, child, shares)) {
		if (wanted)
			count_one(RSC_N_UNFOLLOWED);
		return flags;
	}
	__sync_fetch_and_add(n, 1);
	if (!wanted) /* its calls are its parent's, and user space never drops it */
		return flags;
	put_elem(&tally, &child, &fresh, BPF_ANY);
	rss_of_child(child, t, shares, task);
	return flags | RSC_F_FOLLOWED;
}

/* It has ended, or is watched no more. */
static __always_inline void leave(__u32 tgid)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&followed, &zero);

	if (!bpf_map_delete_elem(&targets, &tgid) && n)
		__sync_fetch_and_add(n, -1);
}

/* Nobody will be told of its end, and drop it. */
static __always_inline void forget(__u32 tgid)
{
	struct rsc_region all = { .tgid = tgid, .region = RSC_REGION_ALL };

	bpf_map_delete_elem(&rss_state, &tgid);
	bpf_map_delete_elem(&tally, &tgid);
	bpf_map_delete_elem(&lost_regions, &all);
}

static __always_inline int task_start(struct ids who, struct ids child, struct task_struct *task)
{
	struct rsc_target *t = bpf_map_lookup_elem(&targets, &who.tgid);
	__u16 flags = 0;
	struct rsc_rec_task *r;

	if (!t)
		return 0;
	if (task && child.tgid != who.tgid)
		flags = follow(t, who.tgid, child.tgid, task);
	if (!(t->groups & RSC_GROUP_THREADS))
		return 0;
	r = task_record(RSC_THREAD_START, child);
	if (!r)
		return 0;
	r->by_tgid = who.tgid;
	r->by_tid = who.tid;
	r->hdr.flags |= flags;
	if (task)
		BPF_CORE_READ_STR_INTO(&r->comm, task, comm);
	bpf_ringbuf_submit(r, flags & RSC_F_FOLLOWED ? BPF_RB_FORCE_WAKEUP : 0);
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
 * may both find it 0. The process ends once; what cannot be remembered is told twice rather than
 * never. */
static __always_inline bool is_last(struct task_struct *task, __u32 tgid)
{
	__u32 one = 1;

	return !BPF_CORE_READ(task, signal, live.counter) &&
	       add_elem(&ended, &tgid, &one) != ELEM_IS_THERE;
}

/*
 * A child's entry goes with its end: there are RSC_FOLLOW_MAX of them, and a shell's commands come
 * faster than user space drops them. That has a price: the threads that are still between the
 * decrement and the tracepoint, at most one a CPU (before Linux 6.16 with exit_mm() in between),
 * find no entry and are not told. Entries that user space has put there are not short: they stay
 * until it drops them, and the end of each of their threads is told. What is lost meanwhile does
 * not depend on it: that is in `tally` and `lost_regions`, which stay either way.
 */
static __always_inline int task_exit(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ids who = ids_of_current();
	struct rsc_target *t = bpf_map_lookup_elem(&targets, &who.tgid);
	__u32 tid = bpf_get_current_pid_tgid();
	bool last, told, gone;
	struct rsc_rec_task *r;

	if (!t)
		return 0;
	told = t->groups & RSC_GROUP_THREADS;
	bpf_map_delete_elem(&calls, &tid);
	last = is_last(task, who.tgid);
	gone = last && t->forked;
	if (gone)
		leave(who.tgid);
	if (!told)
		return 0;
	r = task_record(RSC_THREAD_EXIT, who);
	if (!r) {
		if (gone)
			forget(who.tgid);
		return 0;
	}
	r->exit_code = BPF_CORE_READ(task, exit_code);
	if (last)
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
	compat_rss_sizes(mm, t->page_size, s->sizes);
	sum = s->sizes[0] + s->sizes[1] + s->sizes[3];
	s->sent = sum;
	s->swap_sent = s->sizes[2];
	if (!s->on || sum > s->high)
		s->high = sum;
	s->on = 1;
}

/* What was known of the program holds no more; one that lived in its parent's memory has its own.
 */
static __always_inline void new_program(struct rsc_target *t, __u32 tgid)
{
	if (t->memory_of && !t->at_exec) {
		leave(tgid);
		return;
	}
	if (t->memory_of)
		t->groups = t->at_exec;
	t->memory_of = 0;
	t->go.on = 0;
	for (int i = 0; i < RSC_WORDS_MAX; i++)
		t->words[i].size = 0;
}

static __always_inline int task_exec(__u32 old_tid)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = bpf_map_lookup_elem(&targets, &who.tgid);
	struct rsc_rec_task *r;

	if (!t)
		return 0;
	new_program(t, who.tgid);
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
