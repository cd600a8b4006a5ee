// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
)

//go:noinline
func send(running *sync.WaitGroup) {
	running.Done()
	never <- 1
}

func parked(n int) func() error {
	return func() error {
		var running sync.WaitGroup
		running.Add(n)
		for i := 0; i < n; i++ {
			go send(&running)
		}
		running.Wait()
		return nil
	}
}

func ended(n int) func() error {
	return func() error {
		var running, done sync.WaitGroup
		running.Add(n)
		done.Add(n)
		end := make(chan int)
		for i := 0; i < n; i++ {
			go func() {
				running.Done()
				<-end
				done.Done()
			}()
		}
		running.Wait()
		close(end)
		done.Wait()
		debug.FreeOSMemory()
		return nil
	}
}

//go:noinline
func left(depth int) { walk(depth - 1) }

//go:noinline
func right(depth int) { walk(depth - 1) }

// walk allocates at the end of each of its 2^depth paths.
//
//go:noinline
func walk(depth int) {
	if depth == 0 {
		sink = make([]byte, 64)
		return
	}
	left(depth)
	right(depth)
}

func buckets(depth int) func() error {
	return func() error {
		runtime.MemProfileRate = 1
		walk(depth)
		runtime.MemProfileRate = 0
		sink = nil
		debug.FreeOSMemory()
		return nil
	}
}

// garbage leaves so many MiB of it, without a cycle on the way.
func garbage(percent, live, dead int) func() error {
	return func() error {
		hold(live)
		debug.SetGCPercent(percent)
		runtime.GC()
		for i := 0; i < dead*16; i++ {
			sink = touched(64 << 10)
		}
		return nil
	}
}

type event struct{ words [15]uint64 }

var events []*event

func sparse(each int) func() error {
	return func() error {
		runtime.MemProfileRate = 8 << 10 // some hundred samples of what lives
		percent := debug.SetGCPercent(-1)
		all := make([]*event, 0, 1<<20)
		for i := 0; i < 1<<20; i++ {
			all = append(all, &event{[15]uint64{0: 1, 14: 1}})
		}
		for i, e := range all {
			if i%each == 0 {
				events = append(events, e)
			}
		}
		all = nil
		debug.SetGCPercent(percent)
		runtime.GC()
		debug.FreeOSMemory()
		return nil
	}
}

func untouched() error {
	percent := debug.SetGCPercent(-1)
	kept = append(kept, make([]byte, 300*mib))
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(percent)
	return nil
}
