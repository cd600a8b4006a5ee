/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What C's side of a process owns: glibc's heaps, thread stacks, thread-local storage.
 *
 * Sources: glibc malloc/arena.c (heap_info), malloc/malloc.c (mmapped chunks),
 * nptl/allocatestack.c (guard, then stack of the default size), sysdeps/x86_64/nptl/tls.h.
 */
#ifndef RSSCOPE_NATIVE_NATIVE_H
#define RSSCOPE_NATIVE_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/range.h"
#include "base/vec.h"
#include "proc/maps.h"
#include "source/memsrc.h"

enum native_kind {
	NATIVE_ARENA,	/* a heap of a thread arena: 64 MiB-aligned, with a heap_info */
	NATIVE_MMAPPED, /* one malloc block with a mapping of its own */
	NATIVE_STACK,	/* a thread's stack, glibc's cache of dead threads' stacks included */
	NATIVE_TLS,	/* the main thread's static TLS block, made by the loader */
	NATIVE_LOADER,	/* what the loader allocated before malloc was there: link maps, paths */
};

struct native_extent {
	uint64_t start, end; /* bytes, page-aligned */
	enum native_kind kind;
	pid_t tid;     /* NATIVE_STACK: the thread whose stack pointer lies inside; 0 unknown */
	char comm[16]; /* of that thread; "" unknown */
	uint64_t sp;   /* its stack pointer, when it stood still; 0: unknown */
};

struct native {
	VEC(struct native_extent) v; /* in order of discovery; may touch, don't overlap */
	uint32_t threads;	     /* in /proc/PID/task */
	bool truncated; /* more unexplained pages than are looked at for malloc blocks */
};

/* Thread stacks and arenas of the process. `stack_hints` are addresses known to lie in stacks
 * (the runtime's own books); may be NULL. Where `others` (sorted, without overlap) says that memory
 * is somebody else's nothing of it is read. */
int native_read(struct memsrc *m, const struct maps *maps, const uint64_t *stack_hints,
		size_t nhints, const range_vec *others, struct native *out, struct err *e);

/* malloc's mmapped blocks and the TLS block inside `gaps` (writable anonymous memory that nobody
 * else claims), looking only at pages in `resident`. tls: bytes of thread-local variables of the
 * executable and its libraries (PT_TLS). Appends to *out. */
int native_read_blocks(struct memsrc *m, const range_vec *gaps, const range_vec *resident,
		       uint64_t tls, struct native *out, struct err *e);

/* Those of the gaps that hold the loader's link maps. `dynamic` is the run-time address of the
 * executable's .dynamic section: its DT_DEBUG entry leads to them (elf/link.h, struct r_debug). */
int native_read_loader(struct memsrc *m, uint64_t dynamic, uint64_t size, const range_vec *gaps,
		       struct native *out, struct err *e);

void native_free(struct native *n);

#endif
