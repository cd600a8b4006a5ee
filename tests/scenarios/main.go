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

// Without a reference to the profiler the linker leaves it out.
var profiler = runtime.MemProfile

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

	"parked":        {"30,000 goroutines wait to send", parked(30000), nothing},
	"parked-few":    {"8,000 do", parked(8000), nothing},
	"ended":         {"200,000 goroutines were there at once and have ended", ended(200000), nothing},
	"ended-few":     {"30,000 were", ended(30000), nothing},
	"buckets":       {"131,072 stacks of allocations, each a bucket of the profiler", buckets(17), nothing},
	"buckets-few":   {"4,096", buckets(12), nothing},
	"garbage":       {"GOGC=400: 40 MiB of live heap, and 140 MiB of garbage", garbage(400, 40, 140), nothing},
	"garbage-due":   {"GOGC=100: 80 MiB of live heap, and 70 MiB of garbage", garbage(100, 80, 70), nothing},
	"sparse":        {"of a million objects of 120 B each 64th lives", sparse(64), nothing},
	"sparse-due":    {"each second one lives: the rest is filled before the next cycle", sparse(2), nothing},
	"untouched":     {"300 MiB of live heap that nobody has touched", untouched, nothing},
	"thrash":        {"a memory limit just above the live heap, under allocation", thrash, nothing},
	"calm":          {"the same allocation without a limit", calm, nothing},
	"assist":        {"allocation faster than the GC marks", assist, nothing},
	"blocked":       {"150 threads in read; a step: they are idle", blocked, unblock},
	"finalizers":    {"2,000 objects wait for a finalizer that is blocked", finalizers(true), nothing},
	"finalizers-ok": {"2,000 objects were finalized", finalizers(false), nothing},
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
	runtime.KeepAlive(profiler)
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
