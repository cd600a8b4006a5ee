// SPDX-License-Identifier: BSD-2-Clause

// origins makes mappings from known functions, one for each line on stdin: "mmap" through package
// syscall, "malloc" a large block of C's heap, "brk" a small one that moves the break, "heap" a
// large object of Go's heap, "goroutine" an mmap from a goroutine of its own, "touch" writes to what
// "mmap" and "goroutine" mapped.
package main

/*
#include <stdlib.h>
#include <unistd.h>
static void *block(size_t n) { return malloc(n); }
static void *moved(size_t n) { return sbrk(n); }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const mib = 1 << 20

var (
	mapped [][]byte
	blocks []unsafe.Pointer
	big    []byte
)

//go:noinline
func mapAnon(n int) {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	mapped = append(mapped, b)
}

//go:noinline
func cacheLoad(n int) { blocks = append(blocks, C.block(C.size_t(n))) }

//go:noinline
func moveBreak(n int) { blocks = append(blocks, C.moved(C.size_t(n))) }

//go:noinline
func growHeap(n int) { big = make([]byte, n) }

func main() {
	fmt.Println(`{"ready":true}`)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "mmap":
			mapAnon(3 * mib)
		case "malloc":
			cacheLoad(5 * mib)
		case "brk":
			moveBreak(7 * mib)
		case "heap":
			growHeap(200 * mib)
		case "touch":
			for _, b := range mapped {
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
			}
		case "goroutine":
			done := make(chan bool)
			go func() {
				mapAnon(9 * mib)
				done <- true
			}()
			<-done
		}
		fmt.Println("{}")
	}
}
