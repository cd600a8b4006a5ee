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

static bool starts_with_any(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(s, list[i], strlen(list[i])))
			return true;
	return false;
}

static bool is_go_wrapper(const char *func)
{
	static const char *const packages[] = {
		"runtime.",	     "runtime/", "internal/runtime/",
		"internal/syscall/", "syscall.", "golang.org/x/sys/",
	};

	return starts_with_any(func, packages, ARRAY_LEN(packages)) || strstr(func, "._Cfunc_");
}

static bool is_c_wrapper(const struct frame *f)
{
	static const char *const libs[] = { "libc.so", "libc-",	     "ld-linux",
					    "ld-musl", "libpthread", "[vdso]" };
	/* A static program has its C library inside. */
	static const char *const prefixes[] = { "_int_", "__libc_", "_cgo_", "sysmalloc" };
	static const char *const funcs[] = { "mmap",   "mmap64",    "__mmap",  "__mmap64",
					     "munmap", "__munmap",  "mremap",  "__mremap",
					     "brk",    "__brk",	    "sbrk",    "__sbrk",
					     "malloc", "calloc",    "realloc", "free",
					     "cfree",  "__morecore" };
	const char *base = f->module ? strrchr(f->module, '/') : NULL;

	base = base ? base + 1 : f->module;
	if (base && starts_with_any(base, libs, ARRAY_LEN(libs)))
		return true;
	for (size_t i = 0; f->func && i < ARRAY_LEN(funcs); i++)
		if (!strcmp(f->func, funcs[i]))
			return true;
	return f->func && starts_with_any(f->func, prefixes, ARRAY_LEN(prefixes));
}

static bool is_wrapper(const struct frame *f)
{
	return f->go ? is_go_wrapper(f->func) : is_c_wrapper(f);
}

/* sysMmap, sysAlloc, sysReserve, ..., mmap, munmap and their closures. */
static bool is_go_plumbing(const struct frame *f)
{
	static const char *const prefixes[] = { "runtime.sys", "runtime.mmap", "runtime.munmap",
						"runtime.callCgoM", "runtime.asmcgocall" };

	return f->go && starts_with_any(f->func, prefixes, ARRAY_LEN(prefixes));
}

int event_maker(const struct frame *f, size_t n)
{
	bool plumbing = false;

	for (size_t i = 0; i < n; i++) {
		if (is_go_plumbing(&f[i])) {
			/* systemstack is plumbing only below what calls the kernel */
			plumbing |= strcmp(f[i].func, "runtime.systemstack") &&
				    strcmp(f[i].func, "runtime.systemstack_switch");
			continue;
		}
		if (plumbing)
			return f[i].go && is_go_wrapper(f[i].func) ? (int)i : -1;
		if (!is_wrapper(&f[i]))
			return -1;
	}
	return -1;
}

int event_caller(const struct frame *f, size_t n)
{
	int maker;

	for (size_t i = 0; i < n; i++)
		if (f[i].func && !is_wrapper(&f[i]))
			return i;
	for (size_t i = 0; i < n; i++)
		if (f[i].module && !is_wrapper(&f[i]))
			return i;
	/* All of it is the runtime's or the C library's own. */
	maker = event_maker(f, n);
	if (maker >= 0)
		return maker;
	for (size_t i = 0; i < n; i++)
		if (f[i].func && !is_go_plumbing(&f[i]))
			return i;
	return n ? 0 : -1;
}
