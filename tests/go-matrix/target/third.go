// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

const goPage = 8192

type page struct{ objects, live, fresh int }

// keepThird fills pages with objects of five sizes, lets two of three die, collects, and allocates some
// more, of which it keeps none. It writes the pages that are all its own: address, size, and how many
// objects of the page live and how many came after the cycle.
func keepThird(path string) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	w := bufio.NewWriter(f)
	var addr [len(makers)][]uintptr
	var fresh [len(makers)][]uintptr
	for k := range makers {
		n := 120 * goPage / makers[k].size
		addr[k] = make([]uintptr, n)
		fresh[k] = make([]uintptr, n/7)
	}
	debug.SetGCPercent(-1)
	runtime.GC()
	for k := range makers {
		for i := range addr[k] {
			p := makers[k].new()
			addr[k][i] = uintptr(p)
			if i%3 == 0 {
				keptThird = append(keptThird, p)
			}
		}
	}
	runtime.GC()
	for k := range makers {
		for i := range fresh[k] {
			fresh[k][i] = uintptr(makers[k].new())
		}
	}
	for k := range makers {
		pages, most := map[uintptr]*page{}, 0
		at := func(a uintptr) *page {
			p := pages[a/goPage]
			if p == nil {
				p = &page{}
				pages[a/goPage] = p
			}
			return p
		}
		for i, a := range addr[k] {
			p := at(a)
			if p.objects++; i%3 == 0 {
				p.live++
			}
			if p.objects > most {
				most = p.objects
			}
		}
		for _, a := range fresh[k] {
			at(a).fresh++
		}
		for a, p := range pages {
			if p.objects == most {
				fmt.Fprintf(w, "%d %d %d %d\n", a*goPage, makers[k].size, p.live, p.fresh)
			}
		}
	}
	if w.Flush() != nil || f.Close() != nil {
		panic("writing " + path)
	}
	os.Stdout.WriteString("{}\n")
	os.Stdin.Read(in[:])
	runtime.KeepAlive(keptThird)
}

var keptThird []unsafe.Pointer

// Sizes that are classes of their own, and that nothing else here has; one has pointers.
var makers = [...]struct {
	size int
	new  func() unsafe.Pointer
}{
	{112, func() unsafe.Pointer { return unsafe.Pointer(new([112]byte)) }},
	{48, func() unsafe.Pointer { return unsafe.Pointer(new(node)) }},
	{512, func() unsafe.Pointer { return unsafe.Pointer(new([512]byte)) }},
	{1024, func() unsafe.Pointer { return unsafe.Pointer(new([1024]byte)) }},
	{2048, func() unsafe.Pointer { return unsafe.Pointer(new([2048]byte)) }},
}
