// SPDX-License-Identifier: BSD-2-Clause

// shapes makes one kind of memory in large numbers, says so in a line of JSON, and ends when its stdin
// does; a line there, N, is another shape of the kind:
//
//	unswept N	N objects of 256 bytes, kept, which a cycle has marked and nobody has swept:
//			with the Green Tea collector most mark bits of their spans are untouched.
//			Needs GODEBUG=asyncpreemptoff=1, so that nobody gets to sweep
//	sparse N	N objects of 120 bytes, of which every 64th is kept: a survivor in each span
//	goroutines N	N goroutines at once, which end
//	buckets N	N allocations by different stacks (a power of 2), each of which is profiled;
//			no others are
//	maps N		N mappings of a page each
//	released N	N MiB that are written and given back to the kernel; with GODEBUG=madvdontneed=0 it
//			need not take them
//	collapsed N	N MiB that are given back, of which a page in 16 is written behind the runtime's
//			back; of the first half the kernel makes huge pages then, where it can
//	texts N		N buffers of 128 KiB that global variables point to, each full of one sentence
//			that is nowhere else, every other one behind 8 KiB of zeros
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

type block struct {
	next *block
	rest [31]uintptr
}

type event struct{ a [15]uint64 }

var (
	blocks *block
	events []*event
	region []byte
	sink   []byte
	kept   [16][]byte
	ways   int     // of the stacks that were there
	at     uintptr // where the first of them lies
)

func unswept(n int) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	for i := 0; i < n; i++ {
		blocks = &block{next: blocks}
	}
	runtime.GC() // sweeping gives each span new mark bits, apart from the alloc bits, which are read
	cycles := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(cycles)
	before := cycles[0].Value.Uint64()
	debug.SetGCPercent(100)
	for cycles[0].Value.Uint64() == before {
		sink = make([]byte, 64<<10)
		metrics.Read(cycles)
	}
}

// Waits for stdin to end, without leaving the only P to anybody.
func hold() {
	var b [1]byte
	for {
		if n, _, e := syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&b)), 1); e != syscall.EINTR && n != 1 {
			return
		}
	}
}

func sparse(n int) {
	all := make([]*event, n)
	for i := range all {
		all[i] = &event{}
	}
	for i := 0; i < n; i += 64 {
		events = append(events, all[i])
	}
	runtime.GC()
	runtime.GC()
}

func goroutines(n int) {
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i := 0; i < n; i++ {
		all.Add(1)
		go func() { defer all.Done(); <-gate }()
	}
	close(gate)
	all.Wait()
	debug.FreeOSMemory()
}

//go:noinline
func left(bits, depth int) int { return parse(bits, depth-1) + 1 }

//go:noinline
func right(bits, depth int) int { return parse(bits, depth-1) + 2 }

//go:noinline
func parse(bits, depth int) int { // the bits decide the way down
	switch {
	case depth <= 0:
		sink = make([]byte, 16)
		return 0
	case bits>>(depth%20)&1 == 0:
		return left(bits, depth)
	}
	return right(bits, depth)
}

func buckets(n int) {
	runtime.GOMAXPROCS(1)
	runtime.MemProfileRate = 1
	for i := 0; i < n; i++ {
		parse(ways+i, 20)
	}
	runtime.MemProfileRate = 0
	sink = make([]byte, 16) // a P whose rate has changed takes one sample more
	ways += n
}

func maps(n int) {
	page := os.Getpagesize()
	var err error
	region, err = syscall.Mmap(-1, 0, n*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	for i := 0; i < n && err == nil; i++ {
		region[i*page] = 1
	}
	for i := 0; i < n && err == nil; i += 2 {
		err = syscall.Mprotect(region[i*page:(i+1)*page], syscall.PROT_READ)
	}
	if err != nil {
		panic(err)
	}
}

// Where they were.
func released(n int) uintptr {
	b := make([]byte, n<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	at := uintptr(unsafe.Pointer(&b[0]))
	b = nil
	debug.FreeOSMemory()
	return at
}

func collapsed(n int) {
	const huge = 2 << 20
	at, size := released(n), uintptr(n)<<20
	first := (at + huge - 1) &^ (huge - 1)
	for i := first; i < at+size; i += 64 << 10 {
		*(*byte)(unsafe.Pointer(i)) = 1
	}
	syscall.Syscall(syscall.SYS_MADVISE, first, size/2&^(huge-1), 25 /* MADV_COLLAPSE */)
}

func texts(n int) {
	sentence := strings.Join([]string{"no", "capture", "holds", "this", "however", "many", "pointers", "to", "it", "are", "followed"}, " ")
	for i := range kept[:n] {
		kept[i] = make([]byte, 128<<10)
		for to := i % 2 * 8192; to < len(kept[i]); {
			to += copy(kept[i][to:], sentence)
		}
	}
	at = uintptr(unsafe.Pointer(&kept[0][0]))
}

func main() {
	shapes := map[string]func(int){"texts": texts, "released": func(n int) { released(n) }, "collapsed": collapsed, "unswept": unswept, "sparse": sparse, "goroutines": goroutines, "buckets": buckets, "maps": maps}
	n, _ := strconv.Atoi(os.Args[2])
	shapes[os.Args[1]](n)
	say(n)
	if os.Args[1] == "unswept" {
		hold()
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n, _ := strconv.Atoi(lines.Text())
		shapes[os.Args[1]](n)
		say(n)
	}
	runtime.KeepAlive(blocks)
	runtime.KeepAlive(events)
	runtime.KeepAlive(region)
	runtime.KeepAlive(kept)
}

func say(n int) {
	records, _ := runtime.MemProfile(nil, true)
	var s runtime.MemStats
	runtime.ReadMemStats(&s) // also empties the caches, so that its figures are exact
	line := []byte(fmt.Sprintf("{\"pid\":%d,\"shape\":%q,\"n\":%d,\"heap_alloc\":%d,\"heap_inuse\":%d,\"next_gc\":%d,\"buckhash_sys\":%d,\"records\":%d,\"goroutines\":%d,\"at\":%d}\n",
		os.Getpid(), os.Args[1], n, s.HeapAlloc, s.HeapInuse, s.NextGC, s.BuckHashSys, records, runtime.NumGoroutine(), at))
	// to the scheduler no system call: nobody else gets the P meanwhile
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&line[0])), uintptr(len(line)))
}
