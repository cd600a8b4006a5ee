// SPDX-License-Identifier: BSD-2-Clause

//go:build cgo
// +build cgo

package main

// #include <unistd.h>
import "C"

func inC() { go C.pause() }
