/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/event.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *name;
	unsigned int nargs;
} calls[CALL_COUNT] = {
	[CALL_MMAP] = { "mmap", 6 },
	[CALL_MUNMAP] = { "munmap", 2 },
	[CALL_MREMAP] = { "mremap", 5 },
	[CALL_BRK] = { "brk", 1 },
};

const char *event_call_name(enum event_callno c)
{
	return calls[c].name;
}

unsigned int event_call_nargs(enum event_callno c)
{
	return calls[c].nargs;
}

const char *event_name(const struct event *e)
{
	switch (e->type) {
	case EVENT_CALL:
		return event_call_name(e->call.call);
	case EVENT_RSS:
		return "rss";
	case EVENT_GC:
		return "gc";
	case EVENT_THREAD_START:
		return e->task.new_process ? "fork" : "thread_start";
	case EVENT_THREAD_EXIT:
		return e->task.group_dead ? "exit" : "thread_exit";
	case EVENT_EXEC:
		return "exec";
	case EVENT_TYPE_COUNT:
		break;
	}
	return "?";
}

int event_call_errno(const struct event_call *c)
{
	/* brk(0) asks for the break; any other request that worked returns what was asked for. */
	if (c->call == CALL_BRK)
		return c->args[0] && (uint64_t)c->ret != c->args[0] ? ENOMEM : 0;
	/* MAX_ERRNO, include/linux/err.h */
	return c->ret < 0 && c->ret >= -4095 ? (int)-c->ret : 0;
}

/* The wrappers around the calls: what lies between them and the code that wanted memory. */
static bool is_wrapper(const struct frame *f)
{
	static const char *const go[] = {
		"runtime.", "runtime/",		 "internal/runtime/", "syscall.",
		"syscall/", "golang.org/x/sys/", "internal/syscall/",
	};
	static const char *const libs[] = { "libc.so", "libc-",	 "ld-linux",
					    "ld-musl", "[vdso]", "libpthread" };
	const char *base;

	if (f->go) {
		for (size_t i = 0; i < ARRAY_LEN(go); i++)
			if (f->func && !strncmp(f->func, go[i], strlen(go[i])))
				return true;
		return false;
	}
	if (!f->module)
		return !f->func;
	base = strrchr(f->module, '/');
	base = base ? base + 1 : f->module;
	for (size_t i = 0; i < ARRAY_LEN(libs); i++)
		if (!strncmp(base, libs[i], strlen(libs[i])))
			return true;
	return false;
}

int event_caller(const struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_wrapper(&f[i]))
			return i;
	/* All of it is the runtime's own: the innermost one with a name says what it does. */
	for (size_t i = 0; i < n; i++)
		if (f[i].func)
			return i;
	return n ? 0 : -1;
}
