// SPDX-License-Identifier: BSD-2-Clause

//go:build !go1.16
// +build !go1.16

package main

func histograms() map[string]interface{} { return map[string]interface{}{} }
func counts() map[string]interface{}     { return map[string]interface{}{} }
