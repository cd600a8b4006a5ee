/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside event/: libbpf's own messages and what a failed load means for a person. */
#ifndef RSSCOPE_EVENT_BPFLOG_H
#define RSSCOPE_EVENT_BPFLOG_H

#include "base/err.h"

/* Sets e for a BPF object that did not load with -errno r; returns r. */
int bpflog_load_error(int r, struct err *e);

#endif
