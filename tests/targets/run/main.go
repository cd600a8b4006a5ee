// SPDX-License-Identifier: BSD-2-Clause

// run is a short program: it allocates, works for some milliseconds and ends as it is told.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

var kept [][]byte

func main() {
	mib := flag.Int("mib", 1, "live heap")
	ms := flag.Int("ms", 1, "how long, at least")
	gc := flag.Int("gc", 0, "collections that are asked for")
	status := flag.Int("status", 0, "exit status")
	sig := flag.Int("signal", 0, "signal to end by")
	drop := flag.Bool("drop", false, "let go of the heap before the end")
	flag.Parse()

	end := time.Now().Add(time.Duration(*ms) * time.Millisecond)
	for i := 0; i < *mib; i++ {
		b := make([]byte, 1<<20)
		for k := 0; k < len(b); k += 512 {
			b[k] = byte(k)
		}
		kept = append(kept, b)
	}
	for i := 0; i < *gc; i++ {
		runtime.GC()
	}
	if *drop {
		kept = nil
	}
	for time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(kept)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("%d\n", m.NumGC)
	if *sig != 0 {
		syscall.Kill(os.Getpid(), syscall.Signal(*sig))
		time.Sleep(time.Minute)
	}
	os.Exit(*status)
}
