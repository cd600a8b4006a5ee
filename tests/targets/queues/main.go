// SPDX-License-Identifier: BSD-2-Clause

// queues has distributions of pauses and latencies, and finalizers and cleanups that wait behind one
// that does not end. Lines on standard input, each answered by a line of JSON:
//
//	work        makes the runtime stop the world and goroutines wait
//	histograms  {NAME: [[lower ns or null, upper ns or null, count], …]} of runtime/metrics
//	finalizers N, cleanups N  that many become ready, and the first one blocks
//	counts      {NAME: count} of runtime/metrics, where it has them
//	ticks       CPU ticks a second, as the runtime has it: computed now, if it was not before
//	step N      lets N of them go on; the next one blocks
//	release     lets all go on: how many ran
//	busy N      as finalizers, but the first one does not block: it never ends
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type object struct {
	next *object
	n    [6]int
}

var (
	gate    = make(chan bool)
	started = make(chan bool)
	ran     int32
	sink    [][]byte
)

// stuck is the finalizer that operators would look for.
func stuck(o *object) {
	if atomic.AddInt32(&ran, 1) == 1 {
		started <- true
	}
	<-gate
}

func busy(o *object) {
	started <- true
	for {
		o.n[0]++
	}
}

//go:noinline
func leave(n int, finalizer func(*object)) {
	for i := 0; i < n; i++ {
		runtime.SetFinalizer(new(object), finalizer)
	}
}

// ready collects what was left until its first function runs, which says so. No collection follows.
func ready() {
	for {
		runtime.GC()
		select {
		case <-started:
			runtime.GC() // ends the sweep: all are queued
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// release lets all that are queued run, without another collection.
func release() int32 {
	close(gate)
	for last := int32(-1); last != atomic.LoadInt32(&ran); time.Sleep(100 * time.Millisecond) {
		last = atomic.LoadInt32(&ran)
	}
	return atomic.LoadInt32(&ran)
}

func work() {
	var wg sync.WaitGroup
	for i := 0; i < 64; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; k < 20; k++ {
				runtime.Gosched()
				time.Sleep(time.Microsecond)
			}
		}()
	}
	wg.Wait()
	for i := 0; i < 40; i++ {
		sink = append(sink, make([]byte, 1<<16))
		runtime.GC()
		runtime.GOMAXPROCS(1 + i%2) // stops the world for something else
	}
	time.Sleep(50 * time.Millisecond)
}

// ticks is what the runtime scales the cycles of block and mutex profiles with.
func ticks() (n int64) {
	var text bytes.Buffer
	pprof.Lookup("block").WriteTo(&text, 1)
	for _, line := range strings.Split(text.String(), "\n") {
		fmt.Sscanf(line, "cycles/second=%d", &n)
	}
	return n
}

func main() {
	debug.SetGCPercent(-1)
	in := bufio.NewScanner(os.Stdin)
	answer(map[string]interface{}{"go": runtime.Version()})
	for in.Scan() {
		word := strings.Fields(in.Text())
		n := 0
		if len(word) > 1 {
			n, _ = strconv.Atoi(word[1])
		}
		switch word[0] {
		case "work":
			work()
			answer("worked")
		case "histograms":
			answer(histograms())
		case "counts":
			answer(counts())
		case "ticks":
			answer(ticks())
		case "finalizers":
			leave(n, stuck)
			ready()
			answer("blocked")
		case "busy":
			leave(n, busy)
			ready()
			answer("busy")
		case "step":
			for i := 0; i < n; i++ {
				gate <- true
			}
			time.Sleep(50 * time.Millisecond)
			answer("stepped")
		case "cleanups":
			leaveCleanups(n)
			ready()
			answer("blocked")
		case "release":
			answer(release())
		}
	}
}

func answer(v interface{}) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}
