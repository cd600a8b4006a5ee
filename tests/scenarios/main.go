// SPDX-License-Identifier: BSD-2-Clause

// scenarios brings about what findings are about, and what is nearly that: `scenarios NAME`. It
// prints a line of JSON when it is there; a line on stdin takes it one step further, which it
// prints, too. It ends with stdin.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

const mib = 1 << 20

type scenario struct {
	what string
	// start brings it about; step goes on, as often as asked.
	start, step func() error
}

var scenarios = map[string]scenario{
	"live":       {"110 MiB of live heap, right after a cycle; a step: objects up to the goal", live, fill},
	"peak":       {"200 MiB were needed once and are free now", peak, freeMemory},
	"steady":     {"100 MiB are free, needed before the next cycle ends; a step: up to the goal", steady, fill},
	"holes":      {"returned memory between live objects; a step: in huge pages", holes, collapse},
	"cache":      {"30 MiB of live heap; a step: 40 MiB more, 4 cycles", small, grow},
	"churn":      {"30 MiB of live heap; a step: 40 MiB of garbage, 4 cycles", small, churn},
	"leak":       {"30 MiB of live heap; a step: 48 MiB more, over 12 cycles", small, leak},
	"filled":     {"30 MiB of live heap; a step: 40 MiB more, over 4 cycles, then 12 without", small, filled},
	"goroutines": {"a step: 500 goroutines more, which wait", nothing, block},
	"burst":      {"a step: 500 goroutines more, which end", nothing, burst},
}

func nothing() error { return nil }

func say(step int) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("{\"pid\":%d,\"step\":%d,\"heap_alloc\":%d,\"next_gc\":%d,\"goroutines\":%d}\n",
		os.Getpid(), step, m.HeapAlloc, m.NextGC, runtime.NumGoroutine())
}

func main() {
	if len(os.Args) != 2 || scenarios[os.Args[1]].start == nil {
		fmt.Fprintln(os.Stderr, "usage: scenarios NAME, one of")
		for name, s := range scenarios {
			fmt.Fprintf(os.Stderr, "  %-12s %s\n", name, s.what)
		}
		os.Exit(2)
	}
	s := scenarios[os.Args[1]]
	if err := s.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	say(0)
	in := bufio.NewScanner(os.Stdin)
	for step := 1; in.Scan(); step++ {
		if err := s.step(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		say(step)
	}
	runtime.KeepAlive(kept)
}

// kept is a global, so that what it holds is live.
var kept [][]byte

// hold takes n MiB of heap in objects of 64 KiB, touched, without a cycle on the way: a limit must
// not be reached by garbage.
func hold(n int) {
	percent := debug.SetGCPercent(-1)
	for i := 0; i < n*16; i++ {
		kept = append(kept, touched(64<<10))
	}
	runtime.GC()
	debug.SetGCPercent(percent)
}

func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 512 {
		b[i] = 1
	}
	return b
}
