/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/{status,stat,smaps_rollup,limits}: counters of one process. All sizes in bytes. */
#ifndef RSSCOPE_PROC_STATUS_H
#define RSSCOPE_PROC_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proc/texts.h"

struct proc_status {
	char comm[64];
	int32_t ns_pid; /* innermost pid namespace */
	uint32_t threads;
	uint64_t vm_rss, vm_hwm, vm_pte, vm_swap, vm_stk, rss_anon, rss_file, rss_shmem;
	bool kernel_thread; /* no Vm lines */
};

struct proc_stat {
	uint64_t minflt, majflt; /* of the whole thread group, fs/proc/array.c do_task_stat() */
	uint64_t start_time;	 /* clock ticks since boot */
	char state;
};

struct proc_rollup {
	uint64_t rss, pss, anon_huge, swap, anonymous, lazyfree;
};

int proc_status_read(const struct proc_texts *m, unsigned int seq, struct proc_status *out,
		     struct err *e);
int proc_stat_read(const struct proc_texts *m, unsigned int seq, struct proc_stat *out,
		   struct err *e);

/* smaps_rollup is exact where VmRSS lags by per-CPU batches. Kernels ≥ 4.14. */
int proc_rollup_read(const struct proc_texts *m, unsigned int seq, struct proc_rollup *out,
		     struct err *e);

/* Soft RLIMIT_STACK in bytes: glibc's default thread stack size. 8 MiB when unlimited. */
uint64_t proc_stack_limit(const struct proc_texts *m);

/* Pure parsers of the texts, for tests and fuzzing. -EINVAL when fields are missing. */
int proc_status_parse(const char *text, struct proc_status *out);
int proc_stat_parse(const char *text, struct proc_stat *out);

#endif
