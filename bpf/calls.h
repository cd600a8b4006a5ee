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

/* X(prefix of the programs' names, call, enum rsc_call, number of arguments); src/event/attach.c
 * has the same names. */
#define CALLS(X)                                                                                   \
	X(mmap, mmap, RSC_MMAP, 6)                                                                 \
	X(munmap, munmap, RSC_MUNMAP, 2)                                                           \
	X(mremap, mremap, RSC_MREMAP, 5)                                                           \
	X(brk, brk, RSC_BRK, 1)                                                                    \
	X(mprotect, mprotect, RSC_MPROTECT, 3)                                                     \
	X(pkey, pkey_mprotect, RSC_PKEY_MPROTECT, 4)                                               \
	X(madvise, madvise, RSC_MADVISE, 3)                                                        \
	X(prctl, prctl, RSC_PRCTL, 5)                                                              \
	X(shmat, shmat, RSC_SHMAT, 3)                                                              \
	X(shmdt, shmdt, RSC_SHMDT, 1)                                                              \
	X(remap, remap_file_pages, RSC_REMAP_FILE_PAGES, 5)

static __always_inline struct call_slot *slot_of_thread(void)
{
	__u32 tid = bpf_get_current_pid_tgid(), zero = 0;
	struct call_slot *slot = bpf_map_lookup_elem(&calls, &tid);
	void *init;

	if (slot)
		return slot;
	init = bpf_map_lookup_elem(&blank, &zero);
	if (!init || put_elem(&calls, &tid, init, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&calls, &tid);
}

/* ---- where what is lost has changed memory */

static __always_inline void lose_all(__u32 tgid)
{
	struct rsc_region key = { .tgid = tgid, .region = RSC_REGION_ALL };
	__u64 ns = bpf_ktime_get_ns();

	put_elem(&lost_regions, &key, &ns, BPF_EXIST);
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
		if (put_elem(&lost_regions, &key, &ns, BPF_ANY))
			lose_all(tgid);
		if (key.region++ >= last)
			return;
	}
}

static __always_inline void lose_call(const struct rsc_rec_call *r)
{
	const __u64 *a = r->args, ret = r->ret, ns = r->hdr.exit_ns;
	__u32 tgid = r->hdr.tgid;

	/* MAX_ERRNO: a failed one changes nothing; but an mprotect may have come half the way. */
	if (r->call != RSC_BRK && r->call != RSC_MPROTECT && r->call != RSC_PKEY_MPROTECT &&
	    ret >= -4095UL)
		return;
	switch (r->call) {
	case RSC_BRK:
		if (!a[1])
			lose_all(tgid);
		else
			lose(tgid, ns, a[1] < ret ? a[1] : ret, a[1] < ret ? ret : a[1]);
		return;
	case RSC_MREMAP:
		lose(tgid, ns, ret, ret + a[2]);
		lose(tgid, ns, a[0], a[0] + a[1]);
		return;
	case RSC_MMAP:
		lose(tgid, ns, ret, ret + a[1]);
		return;
	case RSC_MUNMAP:
	case RSC_MPROTECT:
	case RSC_PKEY_MPROTECT:
		lose(tgid, ns, a[0], a[0] + a[1]);
		return;
	case RSC_SHMAT: /* how large it is, the call does not tell */
	case RSC_SHMDT:
		lose_all(tgid);
		return;
	case RSC_PRCTL: /* a name changes no mapping, the break may */
		if (a[0] == RSC_PR_SET_MM)
			lose_all(tgid);
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
	if (t->memory_of)
		who.tgid = t->memory_of;
	slot = slot_of_thread();
	if (!slot) {
		count_lost(RSC_N_ENTRY_LOST, who.tgid);
		lose_all(who.tgid);
		return NULL;
	}
	/* A program that is in use on this CPU is not run a second time there. */
	if (slot->busy) {
		count_lost(RSC_N_EXIT_LOST, who.tgid);
		lose_all(who.tgid);
	}
	slot->busy = 0;
	rec_fill(&slot->rec.hdr, RSC_CALL, 0, who);
	slot->rec.call = call;
	slot->rec.nstack = slot->rec.ngo = slot->rec.nname = 0;
	*target = t;
	return slot;
}

/* Of prctl, what concerns mappings: include/uapi/linux/prctl.h. */
static __always_inline bool is_ours(const struct rsc_rec_call *r)
{
	return r->call != RSC_PRCTL || r->args[0] == RSC_PR_SET_VMA ||
	       r->args[0] == RSC_PR_SET_MM || r->args[0] == RSC_PR_SET_THP;
}

/* The name that a mapping gets, in front of the stack. */
static __always_inline void put_name(struct rsc_rec_call *rec)
{
	for (int i = 0; i < RSC_NAME_MAX / 8; i++)
		rec->stack[i] = 0;
	if (rec->args[0] == RSC_PR_SET_VMA && rec->args[4])
		bpf_probe_read_user_str(rec->stack, RSC_NAME_MAX, (void *)rec->args[4]);
}

static __always_inline void put_stack(void *ctx, const struct rsc_target *t, __u16 call,
				      struct rsc_rec_call *rec)
{
	__u32 at = call == RSC_PRCTL ? RSC_NAME_MAX / 8 : 0;
	long n = bpf_get_stack(ctx, &rec->stack[at], 8 * RSC_KSTACK, BPF_F_USER_STACK);

	if (n > 0 && n <= 8 * RSC_KSTACK) {
		rec->nstack = n / 8;
		if (n == 8 * RSC_KSTACK)
			rec->hdr.flags |= RSC_F_STACK_CUT;
	} else {
		rec->hdr.flags |= RSC_F_STACK_FAILED;
		count_one(RSC_N_STACK);
	}
	if (call != RSC_PRCTL)
		go_stack(&t->go, rec);
}

/* The arguments are there. */
static __always_inline int call_entered(void *ctx, const struct rsc_target *t, __u16 call,
					struct call_slot *slot)
{
	if (!is_ours(&slot->rec))
		return 0;
	if (call == RSC_BRK)
		slot->rec.args[1] = compat_brk();
	if (call == RSC_PRCTL) {
		slot->rec.nname = RSC_NAME_MAX;
		put_name(&slot->rec);
	}
	/* Go's scavenger makes many: no more than counting, unless they are asked for. */
	if (call != RSC_MADVISE || t->groups & RSC_GROUP_MADVISE)
		put_stack(ctx, t, call, &slot->rec);
	slot->busy = 1;
	return 0;
}

static __always_inline void count_advice(const struct rsc_target *t, const struct rsc_rec_call *r)
{
	struct rsc_advice_key key = { .tgid = r->hdr.tgid, .advice = r->args[2] };
	struct rsc_advice none = {}, *n = bpf_map_lookup_elem(&advice, &key);
	__u64 page = t->page_size;

	if (!n) {
		add_elem(&advice, &key, &none);
		n = bpf_map_lookup_elem(&advice, &key);
	}
	if (!n) {
		count_one(RSC_N_ADVICE);
		return;
	}
	__sync_fetch_and_add(&n->calls, 1);
	if ((__u64)r->ret >= -4095UL)
		__sync_fetch_and_add(&n->failed, 1);
	else
		__sync_fetch_and_add(&n->bytes, (r->args[1] + page - 1) & -page);
}

static __always_inline void call_send(struct call_slot *slot)
{
	__u32 which = RSC_N_LOST, n = slot->rec.nstack + slot->rec.ngo + slot->rec.nname / 8;
	__u64 *lost = bpf_map_lookup_elem(&counters, &which);

	slot->rec.hdr.lost = lost ? *lost : 0;
	slot->rec.hdr.cpu = bpf_get_smp_processor_id();
	if (n > RSC_STACK_MAX)
		n = RSC_STACK_MAX;
	n = __builtin_offsetof(struct rsc_rec_call, stack) + 8 * n;
	slot->rec.hdr.size = n;
	if (over_share(slot->rec.hdr.tgid, n)) {
		count_lost(RSC_N_SHARE, slot->rec.hdr.tgid);
		lose_call(&slot->rec);
		return;
	}
	/* The last eighth is left to what is rare and can't be missed: forks, execs, ends. */
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) + n > cfg_wake_bytes / 2 * 7 ||
	    bpf_ringbuf_output(&events, &slot->rec, n, wake_when_filling(n))) {
		count_lost(RSC_N_RING_CALL, slot->rec.hdr.tgid);
		lose_call(&slot->rec);
	}
}

static __always_inline int call_exit(__u16 call, __s64 ret)
{
	struct ids who = ids_of_current();
	struct rsc_target *t = target_of(who.tgid, RSC_GROUP_MAPPINGS);
	__u32 tid = bpf_get_current_pid_tgid();
	struct call_slot *slot;

	if (!t)
		return 0;
	if (t->memory_of)
		who.tgid = t->memory_of;
	slot = bpf_map_lookup_elem(&calls, &tid);
	if (!slot || !slot->busy || slot->rec.call != call) {
		if (call == RSC_PRCTL) /* most are not ours */
			return 0;
		count_lost(RSC_N_EXIT_ALONE, who.tgid);
		lose_all(who.tgid);
		return 0;
	}
	slot->busy = 0;
	slot->rec.ret = ret;
	slot->rec.hdr.exit_ns = bpf_ktime_get_ns();
	if (call == RSC_MADVISE)
		count_advice(t, &slot->rec);
	if (call != RSC_MADVISE || t->groups & RSC_GROUP_MADVISE)
		call_send(slot);
	return 0;
}

#endif
