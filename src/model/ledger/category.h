/* SPDX-License-Identifier: BSD-2-Clause */
/* The categories of the ledger. Names are a contract (JSON); order is the order of print. */
#ifndef RSSCOPE_MODEL_LEDGER_CATEGORY_H
#define RSSCOPE_MODEL_LEDGER_CATEGORY_H

/* X(id, name, what a person reads) */
#define CATEGORIES(X)                                                                              \
	X(GO_HEAP, "go/heap", "heap, not broken down")                                             \
	X(GO_HEAP_OBJECTS, "go/heap/objects", "objects: live and garbage")                         \
	X(GO_HEAP_LIVE, "go/heap/live", "objects marked by the last GC")                           \
	X(GO_HEAP_DEAD, "go/heap/new-or-dead", "allocated since, or garbage")                      \
	X(GO_HEAP_UNUSED, "go/heap/unused", "free slots in spans in use")                          \
	X(GO_HEAP_FREE, "go/heap/free", "free spans kept by the runtime")                          \
	X(GO_HEAP_RELEASED, "go/heap/released", "returned to OS, still resident")                  \
	X(GO_STACKS, "go/stacks", "goroutine stacks")                                              \
	X(GO_THREAD_STACKS, "go/thread-stacks", "C stacks of Go's threads")                        \
	X(GO_GC, "go/gc", "mark bits, work buffers, arenas")                                       \
	X(GO_ALLOCATOR, "go/allocator", "mspan, mcache, span tables")                              \
	X(GO_PROFILER, "go/profiler", "profile buckets and hash")                                  \
	X(GO_RUNTIME, "go/runtime", "other runtime memory")                                        \
	X(BINARY_TEXT, "binary/text", "code")                                                      \
	X(BINARY_RODATA, "binary/rodata", "constants, pclntab, types")                             \
	X(BINARY_DATA, "binary/data", "initialised variables")                                     \
	X(BINARY_BSS, "binary/bss", "zeroed variables")                                            \
	X(NATIVE, "native", "C memory, not broken down")                                           \
	X(NATIVE_MALLOC, "native/malloc", "C heap, in use or kept")                                \
	X(NATIVE_MALLOC_LIVE, "native/malloc/live", "C heap in use")                               \
	X(NATIVE_MALLOC_RETAINED, "native/malloc/retained", "freed, kept by malloc")               \
	X(NATIVE_STACKS, "native/stacks", "main stack, C threads")                                 \
	X(NATIVE_MMAP, "native/mmap", "anonymous mappings")                                        \
	X(NATIVE_COPIES, "native/copies", "private copies of file pages")                          \
	X(LIBS, "libs", "shared libraries, loader, TLS")                                           \
	X(FILES, "files", "mapped files")                                                          \
	X(SHM, "shm", "shared memory, memfd, tmpfs")                                               \
	X(DEVICE, "device", "kernel memory: rings, drivers")                                       \
	X(OBSERVER, "observer", "left by our own probes")                                          \
	X(UNKNOWN, "unknown", "not attributed by any rule")

enum category {
#define X(id, name, text) CAT_##id,
	CATEGORIES(X)
#undef X
		CAT_COUNT
};

const char *category_name(enum category c);
const char *category_text(enum category c);

/* The category of that name, or -1. */
int category_by_name(const char *name);

#endif
