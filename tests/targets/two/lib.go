// SPDX-License-Identifier: BSD-2-Clause

// Package main is a Go library with a runtime of its own, in a program that holds two of them.
package main

import "C"

import "runtime"

var kept [][]byte

// Hold keeps mib MiB of touched memory, more than before.
//
//export Hold
func Hold(mib int) {
	for i := 0; i < mib; i++ {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = 1
		}
		kept = append(kept, b)
	}
	runtime.GC()
	runtime.GC()
}

// Heap is what this runtime says of its own heap.
//
//export Heap
func Heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func main() {}
