/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's clocks and times, in nanoseconds. */
#ifndef RSSCOPE_BASE_CLOCK_H
#define RSSCOPE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t timespec_ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000ULL + t->tv_nsec;
}

/* A clock that the kernel has always: CLOCK_MONOTONIC and its like. */
static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return timespec_ns(&t);
}

/* The clock of events and of the kernel's BPF programs. */
static inline uint64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

#endif
