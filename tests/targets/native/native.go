// SPDX-License-Identifier: BSD-2-Clause

// Package native holds C memory of known sizes: malloc in small and large blocks, threads with a
// touched stack and touched thread-local data. It knows what glibc says about it.
package native

/*
#cgo CFLAGS: -O1
#cgo LDFLAGS: -lpthread
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 1000, LARGE = 1 << 20, STACK = 192 << 10, TLS = 64 << 10 };

// Half in small blocks, half in blocks that glibc maps one by one.
static void take(size_t n, size_t *small, size_t *large)
{
	for (size_t k = 0; k + SMALL <= n / 2; k += SMALL) {
		char *p = malloc(SMALL);

		if (!p)
			abort();
		memset(p, 1, SMALL);
		*small += SMALL;
	}
	for (size_t k = 0; k + LARGE <= n / 2; k += LARGE) {
		char *p = malloc(LARGE);

		if (!p)
			abort();
		memset(p, 1, LARGE);
		*large += LARGE;
	}
}

static __thread char local[TLS];
static int ready[2];

__attribute__((noinline)) static void touch(volatile char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 64)
		p[i] = 1;
}

static void *thread(void *arg)
{
	char stack[STACK];

	touch(stack, sizeof(stack));
	touch(local, sizeof(local));
	if (write(ready[1], "", 1) != 1)
		abort();
	for (;;)
		pause();
	return arg;
}

static int start(size_t n)
{
	char c;

	if (pipe(ready))
		return -1;
	for (size_t i = 0; i < n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, thread, NULL) || read(ready[0], &c, 1) != 1)
			return -1;
	}
	return 0;
}

static struct mallinfo2 info(void)
{
	return mallinfo2();
}
*/
import "C"

var small, large, threads C.size_t

// Malloc takes n bytes.
func Malloc(n uint64) {
	C.take(C.size_t(n), &small, &large)
}

// Threads starts n threads that sleep for ever.
func Threads(n uint64) {
	if C.start(C.size_t(n)) != 0 {
		panic("no C thread")
	}
	threads = C.size_t(n)
}

// Truth returns what was taken and mallinfo2.
func Truth() map[string]uint64 {
	i := C.info()
	return map[string]uint64{
		"small": uint64(small), "large": uint64(large),
		"threads": uint64(threads), "thread_stack": C.STACK, "thread_local": C.TLS,
		"arena": uint64(i.arena), "hblkhd": uint64(i.hblkhd),
		"uordblks": uint64(i.uordblks), "fordblks": uint64(i.fordblks),
	}
}
