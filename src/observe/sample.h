/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read now and then: the process's sizes, and how far memory is from its limits. */
#ifndef RSSCOPE_OBSERVE_SAMPLE_H
#define RSSCOPE_OBSERVE_SAMPLE_H

#include "model/findings/pace.h"
#include "out/watch.h"
#include "session/session.h"

/* Between two samples; all zeros to begin with. */
struct sampler {
	uint64_t events, started, ended;
	struct pace pace[WATCH_LIMITS];
};

void sample_count(struct sampler *s, const struct event *e);

/* 0 or -errno: it ends. What can't be had of the limits is left out. */
int sample_take(struct sampler *s, struct session *of, uint64_t now_ns, struct watch_sample *out);

#endif
