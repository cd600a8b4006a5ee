/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frame of a stack a person would name. */
#include <string.h>

#include "base/cleanup.h"
#include "model/event/event.h"

static bool starts_with_any(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(s, list[i], strlen(list[i])))
			return true;
	return false;
}

static bool is_any(const char *s, size_t len, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && !memcmp(s, list[i], len))
			return true;
	return false;
}

/* "Mmap" of "golang.org/x/sys/unix.(*mmapper).Mmap", of "store.Mmap[...]", of "store::Mmap(int)".
 */
static const char *last_part(const char *func, size_t *n)
{
	const char *at;

	*n = strcspn(func, "[");
	for (at = func + *n; at > func && at[-1] != '.' && at[-1] != '/' && at[-1] != ':';)
		at--;
	*n -= at - func;
	/* C++ symbols may carry their arguments. */
	if (*at != '(' && memchr(at, '(', *n))
		*n = (const char *)memchr(at, '(', *n) - at;
	return at;
}

/* What cmd/cgo writes around calls: _Cfunc_f, _Cfunc_CString, _cgo_cmalloc, _cgoexp_…_f. */
static bool is_cgo_glue(const char *func)
{
	static const char *const prefixes[] = { "_cgo", "_Cfunc_", "_Cmacro_",
						"C.",	"x_cgo_",  "crosscall" };
	size_t n;

	return starts_with_any(func, prefixes, ARRAY_LEN(prefixes)) ||
	       starts_with_any(last_part(func, &n), prefixes, 3);
}

static bool is_go_wrapper(const char *func)
{
	static const char *const packages[] = {
		"runtime.",	     "runtime/", "internal/runtime/",
		"internal/syscall/", "syscall.", "golang.org/x/sys/",
	};

	return starts_with_any(func, packages, ARRAY_LEN(packages)) || is_cgo_glue(func);
}

static bool is_c_wrapper(const struct frame *f)
{
	static const char *const libs[] = {
		"libc.so",     "libc-",	      "ld-linux",    "ld-musl", "libpthread",
		"libjemalloc", "libtcmalloc", "libmimalloc", "[vdso]",
	};
	/* A static program has its C library inside; operator new is _Znwm, _Znam. */
	static const char *const prefixes[] = {
		"_int_",   "__libc_",	       "sysmalloc",	"_Znw",
		"_Zna",	   "operator new",     "_mid_memalign", "arena_get",
		"tcache_", "__pthread_create", "ptmalloc_"
	};
	static const char *const funcs[] = {
		"mmap",		  "mmap64",	    "__mmap",
		"__mmap64",	  "munmap",	    "__munmap",
		"mremap",	  "__mremap",	    "brk",
		"__brk",	  "sbrk",	    "__sbrk",
		"malloc",	  "calloc",	    "realloc",
		"free",		  "cfree",	    "__morecore",
		"new_heap",	  "alloc_new_heap", "grow_heap",
		"posix_memalign", "memalign",	    "aligned_alloc",
		"valloc",	  "pvalloc",	    "reallocarray",
		"mremap_chunk",	  "strdup",	    "__strdup",
		"strndup",	  "__strndup",	    "pthread_create",
		"allocate_stack",
	};
	const char *base = f->module ? strrchr(f->module, '/') : NULL;

	base = base ? base + 1 : f->module;
	if (base && starts_with_any(base, libs, ARRAY_LEN(libs)))
		return true;
	return f->func &&
	       (is_any(f->func, strlen(f->func), funcs, ARRAY_LEN(funcs)) ||
		starts_with_any(f->func, prefixes, ARRAY_LEN(prefixes)) || is_cgo_glue(f->func));
}

static bool is_wrapper(const struct frame *f)
{
	return f->go && f->func ? is_go_wrapper(f->func) : is_c_wrapper(f);
}

/* A program's own wrapper around the system call, by its name. */
static bool is_thin(const struct frame *f)
{
	static const char *const names[] = {
		"mmap",	  "Mmap",    "MMap",	"mmap64", "mremap", "Mremap",	"munmap",
		"Munmap", "madvise", "Madvise", "brk",	  "sbrk",   "mprotect", "Mprotect",
	};
	const char *last;
	size_t n;

	if (!f->func)
		return false;
	last = last_part(f->func, &n);
	return is_any(last, n, names, ARRAY_LEN(names));
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

/* Past everything between the program and the call. −1: nothing is left. */
static int who_wants(const struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].func && !is_wrapper(&f[i]) && !is_thin(&f[i]))
			return i;
	for (size_t i = 0; i < n; i++)
		if (f[i].func && !is_wrapper(&f[i]))
			return i;
	for (size_t i = 0; i < n; i++)
		if (f[i].module && !is_wrapper(&f[i]))
			return i;
	return -1;
}

int event_caller(const struct frame *f, size_t n)
{
	int caller = who_wants(f, n);

	if (caller >= 0)
		return caller;
	/* All of it is the runtime's or the C library's own. */
	caller = event_maker(f, n);
	if (caller >= 0)
		return caller;
	for (size_t i = 0; i < n; i++)
		if (f[i].func && !is_go_plumbing(&f[i]))
			return i;
	return n ? 0 : -1;
}

size_t event_chain(const struct frame *f, size_t n, int caller, int *out, size_t max)
{
	size_t k = 0;

	if (caller < 0 || (size_t)caller >= n || !max)
		return 0;
	out[k++] = caller;
	for (size_t i = caller + 1; i < n && k < max; i++)
		if (f[i].func && !is_wrapper(&f[i]) &&
		    (!f[out[k - 1]].func || strcmp(f[i].func, f[out[k - 1]].func)))
			out[k++] = i;
	return k;
}
