/* SPDX-License-Identifier: BSD-2-Clause */
/* `profile --type cpu`: where a process spends CPU time, as runtime/pprof's CPU profile has it. */
#ifndef RSSCOPE_OBSERVE_CPU_H
#define RSSCOPE_OBSERVE_CPU_H

#include "base/err.h"
#include "model/profile/profile.h"
#include "session/session.h"

/* Not 100, as net/http/pprof has it: clocks of the CPUs would run in step with the kernel's tick
 * and with a program's own timers of 10 ms, and see these always or never. */
enum { OBSERVE_CPU_HZ = 99 };

struct observe_cpu;

/*
 * Loads and attaches what samples the process of s, which outlives it: the part that needs
 * privileges. hz: samples a second of each CPU, at most EV_CPU_HZ_MAX; 0: OBSERVE_CPU_HZ. 0;
 * -EPERM, -ENOTSUP, -ESRCH, other -errno, with a text.
 */
int observe_cpu_open(struct session *s, unsigned int hz, struct observe_cpu **out, struct err *e);
void observe_cpu_close(struct observe_cpu *c); /* NULL-safe */

/*
 * Samples for so long, or until the process ends or calls exec, or SIGINT, SIGTERM or SIGHUP comes;
 * what was seen until then is the profile, and a sentence beside it says so. Programs of C have
 * one, too. Beside it which share of the time the garbage collector took, and why so much, by the
 * runtime's own figures. out has the columns samples and cpu already (profile_of_kind). Once. 0 or
 * -errno, with a text.
 */
int observe_cpu_run(struct observe_cpu *c, double seconds, struct profile *out, struct err *e);

#endif
