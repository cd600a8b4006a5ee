/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a uprobe may go. From Linux 6.18 on, on amd64, the kernel turns a uprobe on a 5-byte NOP
 * into a call, whose return address overwrites the red zone of a function that keeps a value there:
 * the target computes with another one. Function entries are safe, nothing is in the callee's red
 * zone yet; but a NOP is where compilers and USDT put places for probes, in the midst of functions.
 * No probe of ours goes to any NOP.
 */
#ifndef RSSCOPE_EVENT_PLACE_H
#define RSSCOPE_EVENT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "event/ev.h"

/* Whether amd64 code begins with a NOP of any length. endbr64 is none. */
bool place_is_nop(const uint8_t *code, size_t n);

/* Reads the file at `offset`. 0; -ESTALE there is other code than the one given; -EINVAL it is a
 * NOP (amd64 only) or behind the end; -errno. */
int place_check(int fd, uint64_t offset, const uint8_t code[EV_CODE], struct err *e);

/*
 * Tries a uprobe on a 5-byte NOP on a child of ours: how many of its calls of a function with a
 * value in the red zone gave another one. 0; -ENOTSUP not on this architecture; -EAGAIN the probe
 * did not fire; -errno: mostly -EACCES or -EPERM, CAP_SYS_ADMIN is missing.
 */
int place_try_nop(uint32_t calls, uint32_t *wrong);

#endif
