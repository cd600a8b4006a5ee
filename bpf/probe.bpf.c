// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What this kernel has, asked of its BTF: libbpf resolves the questions when the program is
 * loaded, and one test run stores the answers. Loaded apart from the programs that depend on them.
 */
#include "arch.h"
#include "compat.h"

bool have_ringbuf, have_rss_trace, have_rss_fields, have_rss_percpu, have_sched_trace,
	have_tramp_image;

SEC("raw_tp")
int probe_btf(void *ctx)
{
	/* 457f44363a88 ("bpf: Implement BPF ring buffer and verifier support for it", 5.8) */
	have_ringbuf = bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF);
	/* b3d1411b6726 ("mm: emit tracepoint when RSS changes", 5.5) */
	have_rss_trace = compat_rss_trace();
	have_rss_percpu = compat_rss_percpu();
	have_rss_fields = compat_rss_percpu() || compat_rss_atomic();
	have_sched_trace = compat_sched_trace();
	/* Before e21aa341785c ("bpf: Fix fexit trampoline.", 5.12 and stable) detaching freed code
	 * that a sleeping call returned to. */
	have_tramp_image = bpf_core_type_exists(struct bpf_tramp_image);
	return 0;
}

/* Some kernels load what they then don't attach (arm64 before 6.4): it is attached for a moment,
 * to a rare call. */
SEC("?fexit/" ARCH_SYSCALL "mremap")
int probe_fexit(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
