// SPDX-License-Identifier: BSD-2-Clause

//go:build !cgo
// +build !cgo

package main

func native(kind uint64) uint64 { return kind }
