/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is done at the entry and the exit of a mapping call, joined into one record, whichever way
 * they are hooked: mappings.bpf.c, hooks_fentry.bpf.c. The stack is taken at entry: a thread may
 * unmap its own.
 */
#ifndef RSSCOPE_BPF_CALLS_H
#define RSSCOPE_BPF_CALLS_H

#include "common.h"
#include "compat.h"
#include "gostack.h"

/* X(name, enum rsc_call, number of arguments); src/event/attach.c has the same names. */
#define CALLS(X)                                                                                   \
	X(mmap, RSC_MMAP, 6)                                                                       \
	X(munmap, RSC_MUNMAP, 2)                                                                   \
	X(mremap, RSC_MREMAP, 5)                                                                   \
	X(brk, RSC_BRK, 1)

static __always_inline struct call_slot *slot_of_thread(void)
{
	__u32 tid = bpf_get_current_pid_tgid(), zero = 0;
	struct call_slot *slot = bpf_map_lookup_elem(&calls, &tid);
	void *init;

	if (slot)
		return slot;
	init = bpf_map_lookup_elem(&blank, &zero);
	if (!init || bpf_map_update_elem(&calls, &tid, init, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&calls, &tid);
}

/* ---- where what is lost has changed memory */

static __always_inline void lose_all(__u32 tgid)
{
	struct rsc_region key = { .tgid = tgid, .region = RSC_REGION_ALL };
	__u64 ns = bpf_ktime_get_ns();

	bpf_map_update_elem(&lost_regions, &key, &ns, BPF_EXIST);
}

static __always_inline void lose(__u32 tgid, __u64 ns, __u64 start, __u64 end)
{
	struct rsc_region key = { .tgid = tgid, .region = start >> RSC_REGION_SHIFT };
	__u64 last = (end - 1) >> RSC_REGION_SHIFT;

	if (end <= start)
		return;
	if (last - key.region >= RSC_REGIONS_CALL) {
		lose_all(tgid);
		return;
	}
	for (int i = 0; i < RSC_REGIONS_CALL; i++) {
		if (bpf_map_update_elem(&lost_regions, &key, &ns, BPF_ANY))
			lose_all(tgid);
		if (key.region++ >= last)
			return;
	}
}

static __always_inline void lose_call(const struct rsc_rec_call *r)
{
	const __u64 *a = r->args, ret = r->ret, ns = r->hdr.exit_ns;
	__u32 tgid = r->hdr.tgid;

	if (r->call == RSC_BRK && !a[1]) {
		lose_all(tgid);
	} else if (r->call == RSC_BRK) {
		lose(tgid, ns, a[1] < ret ? a[1] : ret, a[1] < ret ? ret : a[1]);
	} else if (ret < -4095UL) { /* MAX_ERRNO: a failed one changes nothing */
		lose(tgid, ns, r->call == RSC_MMAP ? ret : a[0],
		     (r->call == RSC_MMAP ? ret : a[0]) + a[1]);
		if (r->call == RSC_MREMAP)
			lose(tgid, ns, ret, ret + a[2]);
	}
}

/* The slot of a call that begins in an observed process, its arguments still to be filled in (with
 * 0 where the call has fewer), or NULL. */
static __always_inline struct call_slot *call_begin(__u16 call, struct rsc_target **target)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_MAPPINGS);
	struct call_slot *slot;

	if (!t)
		return NULL;
	slot = slot_of_thread();
	if (!slot) {
		count_lost(RSC_N_ENTRY_LOST);
		lose_all(who.tgid);
		return NULL;
	}
	/* A program that is in use on this CPU is not run a second time there. */
	if (slot->busy) {
		count_lost(RSC_N_EXIT_LOST);
		lose_all(who.tgid);
	}
	slot->busy = 0;
	rec_fill(&slot->rec.hdr, RSC_CALL, 0, who);
	slot->rec.call = call;
	slot->rec.nstack = slot->rec.ngo = 0;
	*target = t;
	return slot;
}

/* The arguments are there. */
static __always_inline int call_entered(void *ctx, const struct rsc_target *t,
					struct call_slot *slot)
{
	long n;

	if (slot->rec.call == RSC_BRK)
		slot->rec.args[1] = compat_brk();
	n = bpf_get_stack(ctx, slot->rec.stack, 8 * RSC_KSTACK, BPF_F_USER_STACK);
	if (n > 0 && n <= 8 * RSC_KSTACK) {
		slot->rec.nstack = n / 8;
		if (n == 8 * RSC_KSTACK)
			slot->rec.hdr.flags |= RSC_F_STACK_CUT;
	} else {
		slot->rec.hdr.flags |= RSC_F_STACK_FAILED;
		count_one(RSC_N_STACK);
	}
	go_stack(&t->go, &slot->rec);
	slot->busy = 1;
	return 0;
}

static __always_inline int call_exit(__u16 call, __s64 ret)
{
	struct ids who = ids_of_current();
	__u32 tid = bpf_get_current_pid_tgid(), which = RSC_N_LOST, n;
	struct call_slot *slot;
	__u64 *lost;

	if (!target_of(who.tgid, RSC_GROUP_MAPPINGS))
		return 0;
	slot = bpf_map_lookup_elem(&calls, &tid);
	if (!slot || !slot->busy || slot->rec.call != call) {
		count_lost(RSC_N_EXIT_ALONE);
		lose_all(who.tgid);
		return 0;
	}
	slot->busy = 0;
	slot->rec.ret = ret;
	slot->rec.hdr.cpu = bpf_get_smp_processor_id();
	lost = bpf_map_lookup_elem(&counters, &which);
	slot->rec.hdr.lost = lost ? *lost : 0;
	n = slot->rec.nstack + slot->rec.ngo;
	if (n > RSC_STACK_MAX)
		n = RSC_STACK_MAX;
	n = __builtin_offsetof(struct rsc_rec_call, stack) + 8 * n;
	slot->rec.hdr.size = n;
	slot->rec.hdr.exit_ns = bpf_ktime_get_ns();
	if (bpf_ringbuf_output(&events, &slot->rec, n, wake_when_filling(n))) {
		count_lost(RSC_N_RING_CALL);
		lose_call(&slot->rec);
	}
	return 0;
}

#endif
