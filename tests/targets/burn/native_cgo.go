// SPDX-License-Identifier: BSD-2-Clause

//go:build cgo
// +build cgo

package main

/*
#cgo CFLAGS: -O2 -fomit-frame-pointer
#include <stdint.h>

// Beside it the place of Go's own thread-local variable is not the usual one.
#ifdef NO_LOCAL
static volatile uint64_t local[100];
#else
static __thread volatile uint64_t local[100];
#endif

static __attribute__((noinline)) uint64_t burn_leaf(uint64_t n, uint64_t x)
{
	for (uint64_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static __attribute__((noinline)) uint64_t burn_c(uint64_t n)
{
	local[n % 100] = burn_leaf(n, 88172645463325252ULL);
	return local[n % 100] + 1;
}
*/
import "C"

func callC(n int) { sink += uint64(C.burn_c(C.uint64_t(n))) }
