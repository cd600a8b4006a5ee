/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finalizers and cleanups that are ready to run: objects are dead, and somebody else holds what
 * they led to until then. One goroutine runs all finalizers, some run cleanups (1.24 has these in
 * the finalizers' queue); one that blocks keeps all behind it. Sources: runtime/mfinal.go,
 * mcleanup.go of Go 1.15–1.27.
 */
#ifndef RSSCOPE_GORUNTIME_FINALS_H
#define RSSCOPE_GORUNTIME_FINALS_H

#include "goruntime/goruntime.h"

/*
 * walk: count what waits, block by block, and hold the counters against that: what does not agree,
 * though it was read again, is not known. Else the counters alone. 0; -ESRCH.
 */
int go_finals_read(const struct go_runtime *rt, bool walk, struct go_finals *out);

enum go_final_kind { GO_FINAL_FINALIZER, GO_FINAL_CLEANUP };

/*
 * Calls fn for each function that is being run as one, or that blocks there: its link-time address,
 * 0: the goroutine runs, and its stack can't be read. To be asked when some wait: it looks at all
 * goroutines. Stops at the first value of fn that is not 0, and returns it. 0; -ENOENT: goroutines
 * are not known; -errno.
 */
typedef int go_final_fn(void *ctx, uint64_t pc);
int go_finals_running(const struct go_runtime *rt, struct bin *b, enum go_final_kind kind,
		      go_final_fn *fn, void *ctx);

#endif
