// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where one process spends CPU time: at each tick of a CPU's cpu-clock the stack of the thread that
 * runs there, counted by stack in the kernel, so that memory depends on no rate. Time in the kernel
 * counts where user space asked for it. An object of its own: it needs no ring, and is not attached
 * beside the others.
 *
 * The parts of a stack are kept apart as they are found, user space joins them: the thread's own
 * chain of frame pointers; behind it, on the runtime's system stack or in C, that of the goroutine
 * that the thread works for; and who called the innermost function, where that has no frame yet or
 * never gets one, so that the chain leads past its caller.
 */
#include "arch.h"
#include "common.h"
#include "compat.h"

const volatile __u32 cfg_pidns = 0;
struct rsc_cpu_target cpu_target = {};
struct rsc_cpu_count cpu_count = {};
struct counters_map counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSC_CPU_STACKS);
	__type(key, __u64); /* hash of the stack */
	__type(value, struct rsc_cpu_stack);
} cpu_stacks SEC(".maps");

/* The stack under way: too large for the BPF stack. Ticks of a CPU do not nest. What lies behind
 * the ends of its parts is of earlier ones. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rsc_cpu_stack);
} cpu_scratch SEC(".maps");

static __always_inline int word_at(__u64 addr, __u64 *out)
{
	return bpf_probe_read_user(out, sizeof(*out), (void *)addr);
}

static __always_inline bool is_text(__u64 addr)
{
	return addr > cpu_target.text && addr <= cpu_target.etext;
}

/* The registers of user space, also while the thread is in the kernel: there without the helper
 * (Linux 5.15) they are not known, NULL. */
static __always_inline struct pt_regs *user_regs(void *ctx)
{
	struct pt_regs *regs = NULL;

	if (compat_has_task_pt_regs())
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	/* struct bpf_perf_event_data_kern, include/linux/perf_event.h: they come first */
	if (bpf_probe_read_kernel(&regs, sizeof(regs), ctx) || !regs)
		return NULL;
	return (__s64)arch_ip(regs) < 0 ? NULL : regs;
}

static __always_inline void take_caller(void *ctx, struct rsc_cpu_stack *s)
{
	struct pt_regs *regs = user_regs(ctx);
	__u64 at[2] = {};

	if (!regs)
		return;
#if defined(__TARGET_ARCH_x86)
	if (bpf_probe_read_user(at, sizeof(at), (void *)arch_sp(regs)))
		return;
	if (is_text(at[0])) {
		s->caller = at[0];
	} else if (at[0] == arch_fp(regs) && is_text(at[1])) {
		s->caller = at[1];
		s->flags |= RSC_CPU_PUSHED;
	}
#else
	at[0] = arch_lr(regs);
	if (is_text(at[0]))
		s->caller = at[0];
#endif
}

/* What the runtime saved of the goroutine when this thread left its stack. False: the thread is on
 * a goroutine's stack, handles a signal, or works for none. */
static __always_inline bool saved(struct rsc_gobuf *b)
{
	__u64 tp = arch_thread_pointer((struct task_struct *)bpf_get_current_task());
	__u64 g = 0, m = 0, g0 = 0, curg = 0;
	struct rsc_cpu_target *t = &cpu_target;

	if (!t->go.on || !tp || word_at(tp + t->go.tls_g, &g) || !g)
		return false;
	if (word_at(g + t->go.g_m, &m) || !m || word_at(m + t->m_g0, &g0) || g != g0)
		return false;
	if (word_at(m + t->go.m_curg, &curg) || !curg || curg == g)
		return false;
	return !word_at(curg + t->go.g_sched_pc, &b->pc) &&
	       !word_at(curg + t->go.g_sched_bp, &b->bp) && !word_at(curg + t->g_sched_sp, &b->sp);
}

/* The goroutine's part. Where the function that switched stacks keeps no frame, its caller is told
 * by the word above its stack alone. */
static __always_inline void take_goroutine(struct rsc_cpu_stack *s)
{
	struct rsc_gobuf b = {};
	__u64 frame[2], n = 0;

	if (!saved(&b) || !b.pc)
		return;
	s->go[n++] = b.pc;
	if (b.bp != b.sp && !word_at(b.sp, frame) && is_text(frame[0]))
		s->go[n++] = frame[0];
	for (int i = 0; i < RSC_CPU_GO - 3; i++) {
		if (!b.bp || bpf_probe_read_user(frame, sizeof(frame), (void *)b.bp) || !frame[1])
			break;
		s->go[masked(n++, RSC_CPU_GO - 1)] = frame[1];
		if (frame[0] <= b.bp)
			break;
		b.bp = frame[0];
	}
	s->go[masked(n, RSC_CPU_GO - 1)] = 0;
	s->ngo = n;
}

static __always_inline __u64 mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static __always_inline __u64 hash_of(const struct rsc_cpu_stack *s)
{
	__u64 h = mix(s->caller, s->flags);

	for (int i = 0; i < RSC_CPU_NATIVE; i++) {
		if (!s->native[i])
			break;
		h = mix(h, s->native[i]);
	}
	for (int i = 0; i < RSC_CPU_GO; i++) {
		if (!s->go[i])
			break;
		h = mix(h, s->go[i]);
	}
	return h;
}

static __always_inline void count(const struct rsc_cpu_stack *s)
{
	__u64 key = hash_of(s);
	struct rsc_cpu_stack *there = bpf_map_lookup_elem(&cpu_stacks, &key);

	/* Another CPU may put the same one there at the same time. */
	if (!there && !add_elem(&cpu_stacks, &key, s))
		return;
	if (!there)
		there = bpf_map_lookup_elem(&cpu_stacks, &key);
	if (there)
		__sync_fetch_and_add(&there->count, 1);
	else
		__sync_fetch_and_add(&cpu_count.lost, 1);
}

/* Whether the thread is of the program that is asked for: an exec makes a new address space before
 * it gives up the old one. */
static __always_inline bool is_program(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 mm = (__u64)BPF_CORE_READ(task, mm);

	if (!mm)
		return true; /* it ends, and has given up its memory */
	if (!cpu_target.mm)
		cpu_target.mm = mm;
	return cpu_target.mm == mm;
}

SEC("perf_event")
int cpu_clock(void *ctx)
{
	struct ids who = ids_of_current();
	__u64 began = bpf_ktime_get_ns();
	struct rsc_cpu_stack *s;
	__u32 zero = 0;
	long n;

	if (!cpu_target.tgid || who.tgid != cpu_target.tgid)
		return 0;
	if (!is_program()) {
		__sync_fetch_and_add(&cpu_count.other, 1);
		return 0;
	}
	s = bpf_map_lookup_elem(&cpu_scratch, &zero);
	if (!s)
		return 0;
	__sync_fetch_and_add(&cpu_count.seen, 1);
	n = bpf_get_stack(ctx, s->native, sizeof(s->native), BPF_F_USER_STACK);
	s->nnative = n > 0 ? (__u64)n / 8 : 0;
	s->native[masked(s->nnative, RSC_CPU_NATIVE)] = 0;
	s->go[0] = s->caller = 0;
	s->ngo = s->flags = 0;
	s->count = 1;
	take_caller(ctx, s);
	take_goroutine(s);
	count(s);
	__sync_fetch_and_add(&cpu_count.ns, bpf_ktime_get_ns() - began);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
