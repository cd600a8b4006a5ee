// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The Go heap reaches a new high water: entry of runtime.(*mheap).grow(npage), which the allocator
 * calls when none of the address space that it ever had is free (runtime/mheap.go, allocSpan), for
 * 4 MiB at least. Steady programs never come here. The memory is not in use yet: who reads the
 * profiler's buckets does so somewhat later.
 */
#include "common.h"

SEC("?uprobe")
int heap_grow(struct pt_regs *ctx)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_GC);
	struct rsc_tally *y = bpf_map_lookup_elem(&tally, &who.tgid);
	__u64 now = bpf_ktime_get_ns();
	struct rsc_rec_grow *r;

	if (!t || !y)
		return 0;
	__sync_fetch_and_add(&y->grows, 1); /* under mheap_.lock: one at a time */
	if (now - y->grow_ns < RSC_GROW_GAP_NS)
		return 0;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_one(RSC_N_GROW);
		return 0;
	}
	y->grow_ns = now;
	rec_fill(&r->hdr, RSC_HEAP_GROW, sizeof(*r), who);
	r->calls = y->grows;
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
