// SPDX-License-Identifier: BSD-2-Clause

//go:build guest
// +build guest

package main

import "C"

// For a C program that holds this one as a library.
//
//export guest_main
func guest_main() { main() }
