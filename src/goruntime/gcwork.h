/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime.work: the figures of the cycle that has just ended, which gctrace prints. Found by what
 * it holds, like the other globals, but only once a cycle has ended: before that it is all zeros.
 */
#ifndef RSSCOPE_GORUNTIME_GCWORK_H
#define RSSCOPE_GORUNTIME_GCWORK_H

#include "goruntime/goruntime.h"

/*
 * The run-time address of runtime.work. -ENOENT: not found, or no cycle has ended yet; -EAGAIN:
 * several candidates, or a cycle ended while looking. Each is worth another try later.
 *
 * Witnesses: heap2 equals the controller's heapMarked (both are set from work.bytesMarked at mark
 * termination, mgc.go gcMarkTermination and gcMark), `cycles` is memstats.numgc or one more while
 * a cycle runs, the four times are in order. known: where it is when that is known; 0: anywhere.
 */
int go_work_find(const struct go_runtime *rt, uint64_t known, uint64_t *out);

/* Whether it may lie there: cycles and times as above; before the first cycle has ended, nothing
 * else can be said. */
bool go_work_fits(const struct go_runtime *rt, uint64_t work);

/* Whether gcController may lie there: its marking began when work's cycle did (gcStart sets both
 * from one clock reading), and its times are none that can't be. */
bool go_controller_fits(const struct go_runtime *rt, uint64_t work, uint64_t controller);

#endif
