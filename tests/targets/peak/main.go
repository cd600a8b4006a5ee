// SPDX-License-Identifier: BSD-2-Clause

// peak holds 64 MiB, and more for a moment when it is asked. Lines on standard input: "spike MIB":
// so much, for 200 ms or as long as it takes; "work N": N GC cycles of garbage in a heap that does
// need to grow. "sys" is what the heap has been given of the address space. With the argument "spike MIB" it does that at once and ends.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

const (
	block   = 256 << 10
	holding = 64 << 20
)

var steady, spikes [][]byte

func fill(b []byte) []byte {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

//go:noinline
func hold() {
	for i := 0; i < holding/block; i++ {
		steady = append(steady, fill(make([]byte, block)))
	}
}

//go:noinline
func load(n int) {
	spikes = make([][]byte, 0, n)
	for i := 0; i < n; i++ {
		spikes = append(spikes, fill(make([]byte, block)))
	}
}

// What is named. Says how long all of it was there.
//
//go:noinline
func spike(mib int) {
	began := time.Now()
	load(mib * (1 << 20) / block)
	full := time.Now()
	if rest := 200*time.Millisecond - full.Sub(began); rest > 0 {
		time.Sleep(rest)
	} else {
		time.Sleep(60 * time.Millisecond)
	}
	held := time.Since(full)
	n := len(spikes)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	spikes = nil
	runtime.GC()
	debug.FreeOSMemory()
	fmt.Printf("{\"bytes\": %d, \"objects\": %d, \"ms\": %d, \"full_ms\": %d, \"sys\": %d}\n", n*block, n,
		time.Since(began)/time.Millisecond, held/time.Millisecond, m.HeapSys+m.StackInuse)
}

var sink []byte

//go:noinline
func garbage() { sink = fill(make([]byte, 64<<10)) }

func work(cycles uint32) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for end := m.NumGC + cycles; m.NumGC < end; runtime.ReadMemStats(&m) {
		for i := 0; i < 64; i++ {
			garbage()
		}
	}
	fmt.Printf("{\"cycles\": %d, \"sys\": %d}\n", m.NumGC, m.HeapSys+m.StackInuse)
}

func main() {
	runtime.MemProfile(nil, false) // else the linker leaves the profiler out
	debug.SetGCPercent(25)         // garbage stays small beside what is held
	hold()
	work(4)
	if len(os.Args) > 2 {
		n, _ := strconv.Atoi(os.Args[2])
		spike(n)
		time.Sleep(100 * time.Millisecond)
		return
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		f := strings.Fields(in.Text())
		n, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "spike":
			spike(n)
		case "work":
			work(uint32(n))
		}
	}
}
