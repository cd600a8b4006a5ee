// SPDX-License-Identifier: BSD-2-Clause

// work does a fixed amount of work for each line on stdin, and prints what it took of CPU and of time:
//
//	gc N		N collections of a live heap of some MiB
//	alloc N		N thousand objects of 128 bytes, most of them garbage at once
//	mmap N		N mappings made, touched and unmapped
//	syscall N	N thousand calls of getppid
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	pad         [14]uintptr
}

var (
	keep *node
	ring [4096]*node
)

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func do(what string, n int) {
	switch what {
	case "gc":
		for i := 0; i < n; i++ {
			runtime.GC()
		}
	case "alloc":
		for i := 0; i < n*1000; i++ {
			ring[i%len(ring)] = &node{}
		}
	case "mmap":
		for i := 0; i < n; i++ {
			m, err := syscall.Mmap(-1, 0, 64<<10, syscall.PROT_READ|syscall.PROT_WRITE,
				syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				panic(err)
			}
			m[0] = 1
			syscall.Munmap(m)
		}
	case "syscall":
		for i := 0; i < n*1000; i++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
	}
}

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func main() {
	var what string
	var n int
	keep = tree(15)
	fmt.Println(`{"ready":true}`)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Sscanf(in.Text(), "%s %d", &what, &n)
		start, before := time.Now(), cpu()
		do(what, n)
		spent := cpu() - before
		fmt.Printf("{\"cpu_ns\":%d,\"wall_ns\":%d}\n", spent, time.Since(start).Nanoseconds())
	}
}
