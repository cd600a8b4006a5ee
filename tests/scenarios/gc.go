// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// node is what the collector has to follow one by one.
type node struct {
	next *node
	data [3]uintptr
}

var list *node

func holdList(n int) {
	for i := 0; i < n*mib/32; i++ {
		list = &node{next: list}
	}
}

func cpu(class string) float64 {
	s := []metrics.Sample{{Name: "/cpu/classes/" + class + ":cpu-seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64()
}

func cycles() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// allocate makes garbage in all Ps until enough says so, and 30 cycles at least; the figures are
// those of the last cycle.
func allocate(enough func() bool) {
	var workers sync.WaitGroup
	end := make(chan struct{})
	for i := 0; i < 2*runtime.GOMAXPROCS(0); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				select {
				case <-end:
					return
				default:
				}
				var l *node
				for k := 0; k < 1000; k++ {
					l = &node{next: l}
				}
				runtime.KeepAlive(l)
			}
		}()
	}
	for deadline := time.Now().Add(40 * time.Second); (cycles() < 30 || !enough()) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	close(end)
	workers.Wait()
	runtime.GC()
}

func thrash() error {
	holdList(48)
	runtime.GC()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(52 * mib)
	allocate(func() bool { return cpu("gc/total")-cpu("gc/mark/idle") > 1.5 })
	return nil
}

// calm allocates as long, with room for it.
func calm() error {
	holdList(4)
	debug.SetGCPercent(400)
	allocate(func() bool { return cpu("user") > 2 })
	debug.FreeOSMemory() // what is left of the heap is not what this is about
	return nil
}

// assist has a heap that takes long to mark, and allocates all the while.
func assist() error {
	holdList(64)
	runtime.GC()
	debug.SetGCPercent(3)
	allocate(func() bool {
		a := cpu("gc/mark/assist")
		return a > 1 && a > 0.2*cpu("user")
	})
	return nil
}
