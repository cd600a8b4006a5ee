# SPDX-License-Identifier: BSD-2-Clause
"""bcc_count.py PID: BCC counting a process's mapping calls by user stack, until it is interrupted."""
import signal
import sys
import time

from bcc import BPF

CALLS = ("mmap", "munmap", "mremap", "brk")
TEXT = """
struct key { int stack; u32 call; };
BPF_STACK_TRACE(stacks, 16384);
BPF_HASH(counts, struct key);
BPF_ARRAY(rss, u64, 1);
static inline void one(void *ctx, u32 call) {
	struct key k = {};
	if (bpf_get_current_pid_tgid() >> 32 != PID) return;
	k.call = call;
	k.stack = stacks.get_stackid(ctx, BPF_F_USER_STACK);
	counts.increment(k);
}
TRACEPOINT_PROBE(kmem, rss_stat) {
	if (bpf_get_current_pid_tgid() >> 32 == PID) rss.increment(0);
	return 0;
}
"""
for i, call in enumerate(CALLS):
    TEXT += "TRACEPOINT_PROBE(syscalls, sys_exit_%s) { one(args, %d); return 0; }\n" % (call, i)

signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
b = BPF(text=TEXT.replace("PID", sys.argv[1]))
print("ready", flush=True)
while True:
    time.sleep(1)
