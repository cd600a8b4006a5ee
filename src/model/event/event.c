/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/event/event.h"

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
	[CALL_MPROTECT] = { "mprotect", 3 },
	[CALL_PKEY_MPROTECT] = { "pkey_mprotect", 4 },
	[CALL_MADVISE] = { "madvise", 3 },
	[CALL_PRCTL] = { "prctl", 5 },
	[CALL_SHMAT] = { "shmat", 3 },
	[CALL_SHMDT] = { "shmdt", 1 },
	[CALL_REMAP_FILE_PAGES] = { "remap_file_pages", 5 },
};

unsigned int event_call_nargs(enum event_callno c)
{
	return calls[c].nargs;
}

/* include/uapi/asm-generic/mman-common.h */
const char *event_advice_name(uint32_t advice)
{
	static const char *const name[] = {
		[0] = "MADV_NORMAL",	      [1] = "MADV_RANDOM",
		[2] = "MADV_SEQUENTIAL",      [3] = "MADV_WILLNEED",
		[4] = "MADV_DONTNEED",	      [8] = "MADV_FREE",
		[9] = "MADV_REMOVE",	      [10] = "MADV_DONTFORK",
		[11] = "MADV_DOFORK",	      [12] = "MADV_MERGEABLE",
		[13] = "MADV_UNMERGEABLE",    [14] = "MADV_HUGEPAGE",
		[15] = "MADV_NOHUGEPAGE",     [16] = "MADV_DONTDUMP",
		[17] = "MADV_DODUMP",	      [18] = "MADV_WIPEONFORK",
		[19] = "MADV_KEEPONFORK",     [20] = "MADV_COLD",
		[21] = "MADV_PAGEOUT",	      [22] = "MADV_POPULATE_READ",
		[23] = "MADV_POPULATE_WRITE", [24] = "MADV_DONTNEED_LOCKED",
		[25] = "MADV_COLLAPSE",	      [100] = "MADV_HWPOISON",
		[101] = "MADV_SOFT_OFFLINE",  [102] = "MADV_GUARD_INSTALL",
		[103] = "MADV_GUARD_REMOVE",
	};

	return advice < ARRAY_LEN(name) ? name[advice] : NULL;
}

enum event_kind event_kind(const struct event *e)
{
	switch (e->type) {
	case EVENT_CALL:
		return KIND_MMAP + (e->call.call - CALL_MMAP);
	case EVENT_RSS:
		return KIND_RSS;
	case EVENT_GC:
		return KIND_GC;
	case EVENT_HEAP_GROW:
		return KIND_HEAP_GROW;
	case EVENT_THREAD_START:
		return e->task.new_process ? KIND_FORK : KIND_THREAD_START;
	case EVENT_THREAD_EXIT:
		return e->task.group_dead ? KIND_EXIT : KIND_THREAD_EXIT;
	case EVENT_EXEC:
	case EVENT_TYPE_COUNT:
		break;
	}
	return KIND_EXEC;
}

const char *event_kind_name(enum event_kind k)
{
	static const char *const name[KIND_COUNT] = {
		/* calls come first, in the order of event_callno */
		[KIND_RSS] = "rss",
		[KIND_GC] = "gc",
		[KIND_HEAP_GROW] = "heap_growth",
		[KIND_THREAD_START] = "thread_start",
		[KIND_THREAD_EXIT] = "thread_exit",
		[KIND_FORK] = "fork",
		[KIND_EXIT] = "exit",
		[KIND_EXEC] = "exec",
	};

	return k <= KIND_REMAP_FILE_PAGES ? calls[k].name : name[k];
}

int event_call_errno(const struct event_call *c)
{
	/* brk(0) asks for the break; any other request that worked returns what was asked for. */
	if (c->call == CALL_BRK)
		return c->args[0] && (uint64_t)c->ret != c->args[0] ? ENOMEM : 0;
	/* MAX_ERRNO, include/linux/err.h */
	return c->ret < 0 && c->ret >= -4095 ? (int)-c->ret : 0;
}

size_t event_call_depth(const struct event_call *c)
{
	/* The first of the goroutine's addresses is where it left its stack; those that follow are
	 * return addresses, the same in both parts. */
	for (size_t k = c->nstack + 1; k < (size_t)c->nstack + c->ngo; k++)
		for (size_t i = 0; i < c->nstack; i++)
			if (c->stack[i] == c->stack[k])
				return c->nstack;
	return c->nstack + c->ngo;
}
