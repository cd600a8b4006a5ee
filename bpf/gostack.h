/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The goroutine behind a call from C or from the runtime's system stack.
 *
 * There the thread's g is not the goroutine but m.g0, the native stack ends after a frame or two
 * (C libraries keep no frame pointers), and the runtime has saved the goroutine's registers in
 * g.m.curg.sched. From its bp the frame-pointer chain leads through Go code, which always keeps
 * it (amd64 since Go 1.7, arm64 since 1.12).
 */
#ifndef RSSCOPE_BPF_GOSTACK_H
#define RSSCOPE_BPF_GOSTACK_H

#include "arch.h"
#include "common.h"

/* Frames looked at; what is stored is bounded by the room in the record as well. */
#define GO_FRAMES_MAX 40

static __always_inline int user_u64(__u64 addr, __u64 *out)
{
	return bpf_probe_read_user(out, sizeof(*out), (void *)addr);
}

/* The saved pc and bp of the goroutine that this thread works for. 0; 1 when the thread runs on
 * the goroutine's own stack, or has none; -EFAULT. */
static __always_inline int go_saved(const struct rsc_gopath *go, __u64 *pc, __u64 *bp)
{
	__u64 tp = arch_thread_pointer((struct task_struct *)bpf_get_current_task());
	__u64 g = 0, m = 0, curg = 0;

	if (!tp || user_u64(tp + go->tls_g, &g))
		return -1;
	if (!g)
		return 1;
	if (user_u64(g + go->g_m, &m) || !m || user_u64(m + go->m_curg, &curg))
		return -1;
	if (!curg || curg == g)
		return 1;
	if (user_u64(curg + go->g_sched_pc, pc) || user_u64(curg + go->g_sched_bp, bp))
		return -1;
	return 0;
}

/* Appends the goroutine's frames behind the nstack that are there. */
static __always_inline void go_stack(const struct rsc_gopath *go, struct rsc_rec_call *rec)
{
	__u64 pc = 0, bp = 0, frame[2];
	__u64 at = rec->nstack;
	int r;

	if (!go->on)
		return;
	r = go_saved(go, &pc, &bp);
	if (r > 0)
		return;
	if (r < 0)
		goto failed;
	for (int i = 0; i < GO_FRAMES_MAX; i++) {
		if (at >= RSC_STACK_MAX) {
			rec->hdr.flags |= RSC_F_STACK_CUT;
			break;
		}
		rec->stack[masked(at++, RSC_STACK_MAX - 1)] = pc;
		if (!bp)
			break;
		if (bpf_probe_read_user(frame, sizeof(frame), (void *)bp))
			goto failed;
		pc = frame[1];
		if (!pc || (frame[0] && frame[0] <= bp))
			break;
		bp = frame[0];
	}
	rec->ngo = at - rec->nstack;
	return;
failed:
	rec->ngo = at - rec->nstack;
	rec->hdr.flags |= RSC_F_GO_FAILED;
	count_one(RSC_N_GO_STACK);
}

#endif
