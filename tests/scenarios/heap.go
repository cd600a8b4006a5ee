// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

func live() error {
	hold(110)
	return nil
}

func peak() error {
	hold(200)
	kept = nil
	runtime.GC()
	return nil
}

func freeMemory() error {
	debug.FreeOSMemory()
	return nil
}

// steady holds 100 MiB, of 200 that it held a cycle ago: the goal is 200 MiB again.
func steady() error {
	hold(200)
	kept = append([][]byte(nil), kept[:len(kept)/2]...)
	runtime.GC()
	return nil
}

// fill allocates up to the goal, as a program does before the next cycle, but without that cycle.
func fill() error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	goal := m.NextGC
	percent := debug.SetGCPercent(-1)
	for n := m.HeapAlloc; n < goal; n += 64 << 10 {
		sink = touched(64 << 10)
	}
	debug.SetGCPercent(percent)
	return nil
}

func small() error {
	hold(30)
	return nil
}

func grow() error {
	for i := 0; i < 4; i++ {
		hold(10)
	}
	return nil
}

func leak() error {
	for i := 0; i < 12; i++ {
		hold(4)
	}
	return nil
}

func filled() error {
	grow()
	for i := 0; i < 3; i++ {
		churn()
	}
	return nil
}

var sink []byte

func churn() error {
	for i := 0; i < 4; i++ {
		for k := 0; k < 160; k++ {
			sink = touched(64 << 10)
		}
		sink = nil
		runtime.GC()
	}
	return nil
}

// holes leaves one object of 64 KiB in each 2 MiB, and gives the rest back to the kernel.
func holes() error {
	hold(128)
	for i := range kept {
		if i%32 != 0 {
			kept[i] = nil
		}
	}
	debug.FreeOSMemory()
	return nil
}

const hugePage = 2 * mib

// collapse does at once what khugepaged does in time: a huge page where one page is (Linux 6.1).
func collapse() error {
	const madvCollapse = 25
	for _, b := range kept {
		if b == nil {
			continue
		}
		at := uintptr(unsafe.Pointer(&b[0])) &^ (hugePage - 1)
		_, _, e := syscall.Syscall(syscall.SYS_MADVISE, at, hugePage, madvCollapse)
		if e != 0 && e != syscall.EINVAL && e != syscall.ENOMEM && e != syscall.EAGAIN {
			return e
		}
	}
	return nil
}
