/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What all programs share: the maps (defined in maps.bpf.c), the filter, the counting of losses,
 * the header of a record.
 */
#ifndef RSSCOPE_BPF_COMMON_H
#define RSSCOPE_BPF_COMMON_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <rsscope/wire.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

/* Members of a task's struct pid, one for each nested pid namespace: MAX_PID_NS_LEVEL is 32. */
#define PIDNS_MAX 33

/* Inode of the observer's pid namespace when it is not the initial one, else 0. */
extern const volatile __u32 cfg_pidns;
/* Bytes of unread records that wake the reader: a quarter of the ring. */
extern const volatile __u64 cfg_wake_bytes;
/* Set by user space as it goes: see struct rsc_tally. ring_many: it has put several targets there.
 */
extern __u64 ring_epoch, ring_share;
extern __u32 ring_many;

/* A call under way, by thread: the record itself, completed at the exit. The slot stays with the
 * thread, so that its next call needs no allocation. */
struct call_slot {
	struct rsc_rec_call rec;
	__u32 busy;
	__u32 pad;
};

extern struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

extern struct targets_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_TARGETS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, struct rsc_target);
} targets SEC(".maps");

extern struct rss_state_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_TARGETS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, struct rsc_rss_state);
} rss_state SEC(".maps");

extern struct tally_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_TARGETS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, struct rsc_tally);
} tally SEC(".maps");

/* Processes whose end has been told. */
extern struct ended_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RSC_TARGETS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, __u32);
} ended SEC(".maps");

extern struct counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RSC_N_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

extern struct calls_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* tid in the initial namespace */
	__type(value, struct call_slot);
} calls SEC(".maps");

extern struct lost_regions_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_REGIONS_MAX);
	__type(key, struct rsc_region);
	__type(value, __u64);
} lost_regions SEC(".maps");

/* What madvise was called for, and how often. */
extern struct advice_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_ADVICE_MAX);
	__type(key, struct rsc_advice_key);
	__type(value, struct rsc_advice);
} advice SEC(".maps");

/* How many of the targets were forked by others. */
extern struct followed_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} followed SEC(".maps");

/* One zeroed slot: what a thread's first call starts from (too large for the BPF stack). */
extern struct blank_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_slot);
} blank SEC(".maps");

/* x & mask, for the verifier: written in C, a compiler that knows the mask to change nothing drops
 * it. */
#define masked(x, mask)                                                                            \
	({                                                                                         \
		__u64 _x = (x);                                                                    \
		asm volatile("%0 &= %1" : "+r"(_x) : "i"(mask));                                   \
		_x;                                                                                \
	})

static __always_inline void count_one(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* A record of that process is missing. */
static __always_inline void count_lost(__u32 which, __u32 tgid)
{
	struct rsc_tally *y = bpf_map_lookup_elem(&tally, &tgid);

	count_one(which);
	count_one(RSC_N_LOST);
	if (y)
		__sync_fetch_and_add(&y->lost, 1);
}

/* Updates that may fail for want of room. */
#define put_elem(map, key, value, flags)                                                           \
	({                                                                                         \
		long _r = bpf_map_update_elem(map, key, value, flags);                             \
		if (_r)                                                                            \
			count_one(RSC_N_MAP);                                                      \
		_r;                                                                                \
	})

#define ELEM_IS_THERE (-17) /* -EEXIST */

/* The same where an entry that is there already is no loss, and stays: ELEM_IS_THERE then. */
#define add_elem(map, key, value)                                                                  \
	({                                                                                         \
		long _r = bpf_map_update_elem(map, key, value, BPF_NOEXIST);                       \
		if (_r && _r != ELEM_IS_THERE)                                                     \
			count_one(RSC_N_MAP);                                                      \
		_r;                                                                                \
	})

/* Whether `size` bytes more are beyond a process's share of the ring; otherwise they are booked.
 * Where there is one process only, all of the ring is its own. Other CPUs may book at the same
 * time: the share is exact to some records. */
static __always_inline bool over_share(__u32 tgid, __u32 size)
{
	struct rsc_tally *y;
	__u32 zero = 0;
	__u64 *children = bpf_map_lookup_elem(&followed, &zero);

	if (!ring_share || (!ring_many && !(children && *children)))
		return false;
	y = bpf_map_lookup_elem(&tally, &tgid);
	if (!y)
		return false;
	if (y->epoch != ring_epoch) {
		y->epoch = ring_epoch;
		y->bytes = 0;
	}
	if (y->bytes + size > ring_share) {
		__sync_fetch_and_add(&y->over_share, 1);
		return true;
	}
	__sync_fetch_and_add(&y->bytes, size);
	return false;
}

/* The id of a task in the namespace cfg_pidns, 0 when it is not visible there. */
static __always_inline __u32 id_in_ns(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	__u32 stride = bpf_core_type_size(struct upid);

	for (__u32 i = 0; i < PIDNS_MAX; i++) {
		struct upid *u = (void *)&pid->numbers + (__u64)i * stride;

		if (i > level)
			break;
		if (BPF_CORE_READ(u, ns, ns.inum) == cfg_pidns)
			return BPF_CORE_READ(u, nr);
	}
	return 0;
}

struct ids {
	__u32 tgid, tid;
};

static __always_inline struct ids ids_of(struct task_struct *task)
{
	struct ids r;

	if (cfg_pidns) {
		r.tgid = id_in_ns(BPF_CORE_READ(task, group_leader));
		r.tid = id_in_ns(task);
	} else {
		r.tgid = BPF_CORE_READ(task, tgid);
		r.tid = BPF_CORE_READ(task, pid);
	}
	return r;
}

static __always_inline struct ids ids_of_current(void)
{
	__u64 both = bpf_get_current_pid_tgid();

	if (cfg_pidns)
		return ids_of((struct task_struct *)bpf_get_current_task());
	return (struct ids){ .tgid = both >> 32, .tid = both };
}

/* The process's entry when it is observed and `group` is wanted of it, else NULL. */
static __always_inline struct rsc_target *target_of(__u32 tgid, __u32 group)
{
	struct rsc_target *t = bpf_map_lookup_elem(&targets, &tgid);

	return t && (t->groups & group) ? t : NULL;
}

static __always_inline void rec_fill(struct rsc_rec *r, __u16 type, __u32 size, struct ids who)
{
	__u32 which = RSC_N_LOST;
	__u64 *lost = bpf_map_lookup_elem(&counters, &which);

	r->type = type;
	r->flags = 0;
	r->size = size;
	r->tgid = who.tgid;
	r->tid = who.tid;
	r->cpu = bpf_get_smp_processor_id();
	r->lost = lost ? *lost : 0;
	r->enter_ns = r->exit_ns = bpf_ktime_get_ns();
}

/* For frequent records: the reader polls, and is woken only by the one of them that makes the ring
 * a quarter full. Waking at each costs more than all the rest. */
static __always_inline __u64 wake_when_filling(__u32 size)
{
	__u64 unread = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	return unread < cfg_wake_bytes && unread + size >= cfg_wake_bytes ? BPF_RB_FORCE_WAKEUP
									  : BPF_RB_NO_WAKEUP;
}

#endif
