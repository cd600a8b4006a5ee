// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The end of a GC cycle, and who began it.
 *
 * The end: entry of runtime.prepareFreeWorkbufs, called once a cycle by gcMarkDone's
 * tail with gcsema and worldsema held, after the cycle's figures are final and before gctrace
 * prints them (runtime/mgc.go, gcMarkTermination). It fires again when the stack has to grow at
 * its entry: user space drops a second record of the same cycle.
 *
 * The beginning: entry of runtime.gcStart(trigger gcTrigger), some times a cycle at most: whoever
 * finds that one is due calls it, and finds it begun already (runtime/mgc.go).
 */
#include "arch.h"
#include "common.h"

SEC("?uprobe")
int gc_end(struct pt_regs *ctx)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_GC);
	struct rsc_rec_gc *r;

	if (!t)
		return 0;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(RSC_N_RING_GC, who.tgid);
		return 0;
	}
	rec_fill(&r->hdr, RSC_GC, sizeof(*r), who);
	r->have = 0;
	r->pad = 0;
	r->ip = arch_ip(ctx);
	for (int i = 0; i < RSC_WORDS_MAX; i++) {
		__u32 size = t->words[i].size;
		__u64 v = 0;

		r->words[i] = 0;
		if (!size)
			continue;
		/* Two comparisons: merged into one of size - 9, as compilers like to do, verifiers
		 * up to Linux 6.1 learn nothing about size from it. */
		barrier_var(size);
		if (size > sizeof(v))
			continue;
		if (bpf_probe_read_user(&v, size, (void *)t->words[i].addr)) {
			count_one(RSC_N_WORD);
			continue;
		}
		r->words[i] = v;
		r->have |= 1U << i;
	}
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("?uprobe")
int gc_start(struct pt_regs *ctx)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_GC);
	struct rsc_rec_gc_start *r;
	__u64 kind = arch_go_arg(ctx), caller = 0;
	long n;

	if (!t)
		return 0;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_one(RSC_N_GC_START);
		return 0;
	}
	rec_fill(&r->hdr, RSC_GC_START, sizeof(*r), who);
	if (t->gc_arg &&
	    bpf_probe_read_user(&kind, sizeof(kind), (void *)(arch_sp(ctx) + t->gc_arg)))
		kind = -1;
	r->kind = kind < 3 ? kind : -1;
	arch_return_address(ctx, &caller);
	r->caller = caller;
	n = bpf_get_stack(ctx, r->stack, sizeof(r->stack), BPF_F_USER_STACK);
	r->nstack = n > 0 ? (__u64)n / 8 : 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
