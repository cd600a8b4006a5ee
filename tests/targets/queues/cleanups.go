// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.24
// +build go1.24

package main

import (
	"runtime"
	"sync/atomic"
)

func stuckCleanup(int) {
	if atomic.AddInt32(&ran, 1) == 1 {
		started <- true
	}
	<-gate
}

//go:noinline
func leaveCleanups(n int) {
	for i := 0; i < n; i++ {
		runtime.AddCleanup(new(object), stuckCleanup, i)
	}
}
