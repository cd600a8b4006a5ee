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
 * a cycle runs, the four times are in order.
 */
int go_work_find(const struct go_runtime *rt, uint64_t *out);

#endif
