// SPDX-License-Identifier: BSD-2-Clause

// gcloop runs garbage collections: `gcloop -cycles N` does N of them, one for each line on stdin, or
// all at once with -free. Prints the number done after each line; ends when N are done and stdin
// ends. A line "free" asks for debug.FreeOSMemory instead, "alloc" allocates until one comes, "wait"
// waits until one comes, "exec" becomes the command given by arguments. Any Go release from 1.15 on builds it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

type node struct {
	left, right *node
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

func numGC() uint32 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.NumGC
}

// allocate makes garbage in two goroutines until n cycles have come of themselves.
func allocate(n uint32) {
	var wg sync.WaitGroup
	until := numGC() + n
	for i := 0; i < 2; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for numGC() < until {
				for k := 0; k < 20; k++ {
					tree(10)
				}
			}
		}()
	}
	wg.Wait()
}

// gcStats are debug.ReadGCStats, the newest pause first; at most 256.
type gcStats struct {
	Cycles     int64           `json:"cycles"`
	PauseTotal time.Duration   `json:"pause_total"`
	Pauses     []time.Duration `json:"pauses"`
}

func main() {
	cycles := flag.Int("cycles", 100, "how many")
	free := flag.Bool("free", false, "don't wait for a line before each, only before the first")
	auto := flag.Bool("auto", false, "let them come by allocating, all at once")
	stats := flag.Bool("stats", false, "print debug.ReadGCStats at the end")
	depth := flag.Int("depth", 14, "the live heap is a tree of that depth")
	flag.Parse()
	keep := tree(*depth)
	fmt.Println(`{"ready":true}`)
	in := bufio.NewScanner(os.Stdin)
	if *auto {
		*cycles, *free = *cycles*btoi(in.Scan()), true
		allocate(uint32(*cycles))
		fmt.Printf("{\"cycles\":%d}\n", numGC())
		*cycles = 0
	}
	for i := 0; i < *cycles; i++ {
		if (!*free || i == 0) && !in.Scan() {
			return
		}
		tree(10)
		switch in.Text() {
		case "free":
			debug.FreeOSMemory()
		case "alloc":
			allocate(1)
		case "wait":
			for n := numGC(); numGC() == n; {
				time.Sleep(10 * time.Millisecond)
			}
		case "exec":
			fmt.Println(syscall.Exec(flag.Arg(0), flag.Args(), os.Environ()))
		default:
			runtime.GC()
		}
		if !*free || i == *cycles-1 {
			fmt.Printf("{\"cycles\":%d}\n", numGC())
		}
	}
	if *stats {
		var s debug.GCStats
		debug.ReadGCStats(&s)
		json.NewEncoder(os.Stdout).Encode(gcStats{s.NumGC, s.PauseTotal, s.Pause})
	}
	for in.Scan() {
	}
	runtime.KeepAlive(keep)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
