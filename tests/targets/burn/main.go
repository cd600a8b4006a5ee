// SPDX-License-Identifier: BSD-2-Clause

// burn spends CPU time in functions of known shares, and says how much each got by the clocks of its
// own threads: the truth for CPU profiles that are taken from outside. Lines on standard input, each
// answered by one: "idle"; "go" begins; "profile FILE" begins, and writes its own profile; "stop" ends
// and answers {"three":NS,"one":NS,"c":NS,"alloc":NS,"all":NS,"cycles":N}: all is of the whole process,
// cycles are the collector's; "exit" ends the process two seconds later.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const threadClock, processClock = 3, 2 // CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID

func clock(id uintptr) int64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

var (
	sink   uint64
	spent  [4]int64 // by function, ns
	ending int32
	all    sync.WaitGroup
	trees  [2]*node

	cyclesBefore int64
)

const (
	three = iota
	one
	inC
	alloc
)

type node struct {
	left, right *node
	pad         [4]int
}

// A leaf without a frame: its caller is where its return address lies, in no chain of frame pointers.
//
//go:noinline
func spin(n int, x uint64) uint64 {
	for i := 0; i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

//go:noinline
func innerThree() uint64 { return spin(3000000, 88172645463325252) + 1 }

//go:noinline
func innerOne() uint64 { return spin(1000000, 88172645463325252) + 1 }

//go:noinline
func burnThree() { atomic.AddUint64(&sink, innerThree()) }

//go:noinline
func burnOne() { atomic.AddUint64(&sink, innerOne()) }

//go:noinline
func burnC() { callC(1000000) }

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

//go:noinline
func burnAlloc(i int) { trees[i%2] = tree(15) }

func timed(which int, f func()) {
	before := clock(threadClock)
	f()
	atomic.AddInt64(&spent[which], clock(threadClock)-before)
}

func burner(more func(i int)) {
	all.Add(1)
	go func() {
		defer all.Done()
		runtime.LockOSThread()
		for i := 0; atomic.LoadInt32(&ending) == 0; i++ {
			timed(three, burnThree)
			timed(one, burnOne)
			more(i)
		}
	}()
}

func cycles() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.NumGC)
}

func begin() int64 {
	cyclesBefore = cycles()
	atomic.StoreInt32(&ending, 0)
	for i := range spent {
		spent[i] = 0
	}
	before := clock(processClock)
	burner(func(int) {})
	burner(func(int) { timed(inC, burnC) })
	burner(func(i int) { timed(alloc, func() { burnAlloc(i) }) })
	return before
}

func end(before int64) string {
	atomic.StoreInt32(&ending, 1)
	all.Wait()
	out, _ := json.Marshal(map[string]int64{"three": spent[three], "one": spent[one], "c": spent[inC],
		"alloc": spent[alloc], "all": clock(processClock) - before, "cycles": cycles() - cyclesBefore})
	return string(out)
}

func main() {
	fmt.Printf("{\"pid\":%d}\n", os.Getpid())
	in := bufio.NewScanner(os.Stdin)
	var before int64
	profiling := false
	for in.Scan() {
		var path string
		line := in.Text()
		switch {
		case line == "go":
			before = begin()
			fmt.Println("{}")
		case line == "stop":
			if profiling {
				pprof.StopCPUProfile()
				profiling = false
			}
			fmt.Println(end(before))
		case line == "exit":
			time.AfterFunc(2*time.Second, func() { os.Exit(0) })
			fmt.Println("{}")
		default:
			if n, _ := fmt.Sscanf(line, "profile %s", &path); n == 1 {
				f, err := os.Create(path)
				if err == nil {
					err = pprof.StartCPUProfile(f)
				}
				profiling = err == nil
				before = begin()
			}
			fmt.Println("{}")
		}
	}
}
