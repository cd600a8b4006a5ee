// SPDX-License-Identifier: BSD-2-Clause

//go:build cgo
// +build cgo

package main

// #include <stdint.h>
import "C"

// C calls Go from within a call of Go's: both kinds of frames are on the stack, and a collection
// unwinds them.
//
//export harmCallback
func harmCallback(v C.uint64_t) C.uint64_t {
	r := random(uint64(v)*2 + 1)
	return C.uint64_t(grow(&r, 5).sum(uint64(v)))
}

// HarmWork is what a C program calls that has this as its library.
//
//export HarmWork
func HarmWork() { work() }
