// SPDX-License-Identifier: BSD-2-Clause

//go:build cgo
// +build cgo

package main

/*
#include <stdlib.h>
#include <string.h>

static void *held;

static void hold_native(size_t n)
{
	held = malloc(n);
	if (held)
		memset(held, 1, n);
}
*/
import "C"

func native() { C.hold_native(3 << 20) }
