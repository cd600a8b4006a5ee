// SPDX-License-Identifier: BSD-2-Clause

//go:build !go1.16
// +build !go1.16

package main

import "runtime"

var (
	stats  runtime.MemStats
	values = make([]named, 0, 32)
)

func collections() uint64 {
	runtime.ReadMemStats(&stats)
	return uint64(stats.NumGC)
}

// figures gives MemStats under the names that package runtime/metrics has for the same sums since.
func figures() []named {
	s := &stats
	runtime.ReadMemStats(s)
	return append(values[:0],
		named{"/gc/cycles/automatic:gc-cycles", uint64(s.NumGC - s.NumForcedGC)},
		named{"/gc/cycles/forced:gc-cycles", uint64(s.NumForcedGC)},
		named{"/gc/cycles/total:gc-cycles", uint64(s.NumGC)},
		named{"/gc/heap/allocs:bytes", s.TotalAlloc},
		named{"/gc/heap/frees:bytes", s.TotalAlloc - s.HeapAlloc},
		named{"/gc/heap/goal:bytes", s.NextGC},
		named{"/gc/heap/objects:objects", s.HeapObjects},
		named{"/memory/classes/heap/free:bytes", s.HeapIdle - s.HeapReleased},
		named{"/memory/classes/heap/objects:bytes", s.HeapAlloc},
		named{"/memory/classes/heap/released:bytes", s.HeapReleased},
		named{"/memory/classes/heap/stacks:bytes", s.StackInuse},
		named{"/memory/classes/heap/unused:bytes", s.HeapInuse - s.HeapAlloc},
		named{"/memory/classes/metadata/mcache/free:bytes", s.MCacheSys - s.MCacheInuse},
		named{"/memory/classes/metadata/mcache/inuse:bytes", s.MCacheInuse},
		named{"/memory/classes/metadata/mspan/free:bytes", s.MSpanSys - s.MSpanInuse},
		named{"/memory/classes/metadata/mspan/inuse:bytes", s.MSpanInuse},
		named{"/memory/classes/metadata/other:bytes", s.GCSys},
		named{"/memory/classes/os-stacks:bytes", s.StackSys - s.StackInuse},
		named{"/memory/classes/other:bytes", s.OtherSys},
		named{"/memory/classes/profiling/buckets:bytes", s.BuckHashSys},
		named{"/memory/classes/total:bytes", s.Sys},
		named{"/sched/goroutines:goroutines", uint64(runtime.NumGoroutine())},
		named{"/gc/heap/allocs:objects+/gc/heap/tiny/allocs:objects", s.Mallocs},
		named{"/gc/heap/frees:objects+/gc/heap/tiny/allocs:objects", s.Frees},
		named{"/gc/pauses:nanoseconds", s.PauseTotalNs},
		named{"/cgo/go-to-c-calls:calls", uint64(runtime.NumCgoCall())})
}
