// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Steps of the resident set. The tracepoint fires for each change of a counter (in batches of 64
 * up to Linux 6.1); a record is made only when the sum has moved by rss_step.
 */
#include "common.h"
#include "compat.h"

static __always_inline __u64 distance(__u64 a, __u64 b)
{
	return a > b ? a - b : b - a;
}

/* Two CPUs may be here at once for one process: a record too many or a high water short by what
 * the other one adds, no more. */
static __always_inline void rss_moved(const struct rsc_target *t, struct ids who, __u32 member,
				      __u64 bytes)
{
	struct rsc_rss_state *s = bpf_map_lookup_elem(&rss_state, &who.tgid);
	struct rsc_rec_rss *r;
	__u64 sum;

	if (!s || !s->on || member > 3)
		return;
	s->sizes[masked(member, 3)] = bytes;
	sum = s->sizes[0] + s->sizes[1] + s->sizes[3];
	if (sum > s->high)
		s->high = sum;
	if (distance(sum, s->sent) < t->rss_step &&
	    distance(s->sizes[2], s->swap_sent) < t->rss_step)
		return;
	if (over_share(who.tgid, sizeof(*r))) {
		count_lost(RSC_N_SHARE, who.tgid);
		return;
	}
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(RSC_N_RING_RSS, who.tgid);
		return;
	}
	s->sent = sum;
	s->swap_sent = s->sizes[2];
	rec_fill(&r->hdr, RSC_RSS, sizeof(*r), who);
	r->member = member;
	r->pad = 0;
	for (int i = 0; i < 4; i++)
		r->sizes[i] = s->sizes[i];
	r->high = s->high;
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
}

/* The counters may be moved by others: reclaim, khugepaged, a debugger. */
SEC("?tp_btf/rss_stat")
int BPF_PROG(rss_btf, struct mm_struct *mm, int member)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct rsc_target *t;
	struct ids who;

	if (BPF_CORE_READ(task, mm) == mm) {
		who = ids_of_current();
	} else {
		task = compat_mm_owner(mm);
		/* an exec builds the new mm beside the old one */
		if (!task || BPF_CORE_READ(task, mm) != mm)
			return 0;
		/* the OOM reaper takes what a dying process had: its last sizes stay */
		if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
			return 0;
		who = ids_of(task);
	}
	t = target_of(who.tgid, RSC_GROUP_RSS);
	if (t)
		rss_moved(t, who, member, compat_rss_pages(mm, member) * t->page_size);
	return 0;
}

/* Fallback: the kernel computes the size for every process, and of others' changes to our mm it
 * tells only a hash: those are not seen. */
SEC("?tp/kmem/rss_stat")
int rss_tp(struct trace_event_raw_rss_stat *ctx)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_RSS);

	if (t && ctx->curr)
		rss_moved(t, who, ctx->member, ctx->size > 0 ? ctx->size : 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
