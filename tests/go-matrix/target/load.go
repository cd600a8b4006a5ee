// SPDX-License-Identifier: BSD-2-Clause

package main

func load(path string) {}
