// SPDX-License-Identifier: BSD-2-Clause

// mappings changes its mappings in every awkward way, a round of all of them for each line on stdin:
// mapped over with MAP_FIXED, cut in the middle, moved, shrunk, refused, unmapped across two. All go
// through one small function called mmap. Says after each round what is left of each by JSON.
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	kib  = 1 << 10
	mib  = 1 << 20
	rw   = syscall.PROT_READ | syscall.PROT_WRITE
	anon = syscall.MAP_ANON | syscall.MAP_PRIVATE
)

func mmap(addr, n uintptr, prot, flags int) uintptr {
	p, _, e := syscall.Syscall6(syscall.SYS_MMAP, addr, n, uintptr(prot), uintptr(flags), ^uintptr(0), 0)
	if e != 0 {
		return 0
	}
	if prot == rw {
		for i := uintptr(0); i < n; i += 4096 {
			*(*byte)(unsafe.Pointer(p + i)) = 1
		}
	}
	return p
}

func munmap(p, n uintptr) { syscall.Syscall(syscall.SYS_MUNMAP, p, n, 0) }

func mremap(p, old, n uintptr) { syscall.Syscall6(syscall.SYS_MREMAP, p, old, n, 1 /* MAYMOVE */, 0, 0) }

//go:noinline
func reserveAndCommit() { // 16 MiB committed in the middle of 64 reserved: 64
	p := mmap(0, 64*mib, syscall.PROT_NONE, anon|syscall.MAP_NORESERVE)
	mmap(p+8*mib, 16*mib, rw, anon|syscall.MAP_FIXED)
}

//go:noinline
func punchHole() { // 24 less 8 in the middle: 16
	p := mmap(0, 24*mib, rw, anon)
	munmap(p+8*mib, 8*mib)
}

var inTheWay int // bytes; nothing where another mapping is in the way already

//go:noinline
func growMove() { // 4 grown to 12, with 64 KiB in the way
	p := mmap(0, 4*mib, rw, anon)
	if mmap(p+4*mib, 64*kib, syscall.PROT_NONE, anon|0x100000 /* FIXED_NOREPLACE */) != 0 {
		inTheWay += 64 * kib
	}
	mremap(p, 4*mib, 12*mib)
}

//go:noinline
func shrink() { // 20 shrunk to 5
	p := mmap(0, 20*mib, rw, anon)
	mremap(p, 20*mib, 5*mib)
}

//go:noinline
func failing() { mmap(0, 1<<50, rw, anon) }

//go:noinline
func spanning() { // two neighbours of 4, the inner halves unmapped at once: 4
	p := mmap(0, 8*mib, syscall.PROT_NONE, anon)
	mmap(p, 4*mib, rw, anon|syscall.MAP_FIXED)
	mmap(p+4*mib, 4*mib, syscall.PROT_READ, anon|syscall.MAP_FIXED)
	munmap(p+2*mib, 4*mib)
}

//go:noinline
func paired() {
	for i := 0; i < 50; i++ {
		munmap(mmap(0, mib, rw, anon), mib)
	}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for n := 1; in.Scan(); n++ {
		reserveAndCommit()
		punchHole()
		growMove()
		shrink()
		failing()
		spanning()
		paired()
		fmt.Printf(`{"main.growMove":%d,"main.punchHole":%d,"main.reserveAndCommit":%d,"main.shrink":%d,"main.spanning":%d}`+"\n",
			n*12*mib+inTheWay, n*16*mib, n*64*mib, n*5*mib, n*4*mib)
	}
}
