/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/goroutines.h"

#include <string.h>

#include "base/clock.h"

static const char *function_at(struct symbolizer *names, uint64_t addr)
{
	struct frame f;

	symbolizer_frame(names, addr, &f);
	return f.func ? f.func : "";
}

/* Functions of the runtime in which goroutines run what is the program's. */
static bool is_programs(const char *name)
{
	static const char *const programs[] = { "runtime.main", "runtime.corostart",
						"runtime.handleAsyncEvent" };

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (!strcmp(name, programs[i]))
			return true;
	return false;
}

/* runtime/mfinal.go: it calls a finalizer by reflectcall, which becomes call16, call32, …; in 1.24
 * a cleanup directly. fingStatus itself lies nowhere where it could be found. */
static bool runs_finalizer(struct symbolizer *names, const struct go_stack *s)
{
	static const char call[] = "runtime.call";

	if (!s->npc)
		return true;
	for (size_t i = 0; i < s->npc; i++) {
		const char *f = function_at(names, s->pc[i]);

		if (*f && strncmp(f, "runtime.", 8) != 0)
			return true;
		if (!strncmp(f, call, sizeof(call) - 1) && f[sizeof(call) - 1] >= '1' &&
		    f[sizeof(call) - 1] <= '9')
			return true;
	}
	return false;
}

bool goroutine_is_system(struct symbolizer *names, const struct go_stack *s)
{
	const char *name = function_at(names, s->startpc + 1);

	if (strncmp(name, "runtime.", 8) != 0 || is_programs(name))
		return false;
	if (!strcmp(name, "runtime.runfinq") || !strcmp(name, "runtime.runFinalizers"))
		return !runs_finalizer(names, s);
	return strcmp(name, "runtime.runCleanups") != 0 || !s->cleanups;
}

uint64_t goroutine_clock(struct memsrc *m)
{
	uint64_t now = memsrc_kind(m) == MEMSRC_LIVE ? mono_ns() : 0;

	return memsrc_note(m, "goroutines_clock_ns", &now) ? 0 : now;
}

uint64_t goroutine_minutes(const struct go_stack *s, uint64_t now_ns)
{
	const uint64_t minute = 60000000000;

	if (s->wait_ns <= 0 || (uint64_t)s->wait_ns > now_ns)
		return 0;
	return (now_ns - (uint64_t)s->wait_ns) / minute;
}

const char *goroutine_creator(struct symbolizer *names, const struct go_stack *s)
{
	struct frame f[SYMBOLIZER_ALL];
	size_t n = s->gopc ? symbolizer_all(names, s->gopc, f, ARRAY_LEN(f)) : 0;

	return n && f[n - 1].func ? f[n - 1].func : "";
}
