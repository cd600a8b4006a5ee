// SPDX-License-Identifier: BSD-2-Clause

// goroutines has goroutines that wait in as many ways as there are, with labels, locked to threads,
// in finalizers, in C, with large stacks, and ended ones; it dumps them itself when it is asked: the truth
// for what is told from outside. Lines on standard input: "dump PREFIX" writes PREFIX.1, PREFIX.2
// (debug=1 and 2) and PREFIX.pb.gz; "gc"; "end N": as many begin and end; "stacks": the bytes of their spans.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	parked = flag.Int("n", 10000, "goroutines that are parked")
	large  = flag.Int("large", 0, "goroutines that wait deep in calls, and as many that have come back")
	never  = make(chan int)
	other  = make(chan int)
	keep   interface{}
	sink   byte
)

type worker struct{ in chan int }

//go:noinline
func (w *worker) run(id int) { sink += byte(<-w.in + id) }

type runner interface{ run(int) }

func inlined(c chan int) int { return <-c + 1 }

//go:noinline
func deep(n int, at func()) byte {
	var b [1000]byte
	b[n%1000] = byte(n)
	if n == 0 {
		at()
		return b[1]
	}
	return deep(n-1, at) + b[n%1000]
}

func panics() {
	defer func() {
		defer func() { recover() }()
		<-never // in a deferred function, below a panic
	}()
	panic("on purpose")
}

func parkThem(n int) {
	w := &worker{never}
	var r runner = w
	for i := 0; i < n; i++ {
		switch i % 5 {
		case 0:
			go w.run(i)
		case 1:
			go r.run(i)
		case 2:
			go func() { sink += byte(inlined(never)) }()
		case 3:
			go func() {
				select {
				case v := <-w.in:
					sink += byte(v)
				case v := <-other:
					sink += byte(v)
				}
			}()
		case 4:
			go time.Sleep(time.Hour)
		}
	}
}

func labelled() {
	for i := 0; i < 7; i++ {
		labels := pprof.Labels("tenant", fmt.Sprint("t", i%3), "route", "/v1/put \"x\"")
		pprof.Do(context.Background(), labels, func(ctx context.Context) {
			go func() { sink += byte(inlined(never)) }()
			more := make([]string, 0, 24)
			for k := 0; k < 12; k++ {
				more = append(more, fmt.Sprint("key", k), "v")
			}
			pprof.Do(ctx, pprof.Labels(more...), func(context.Context) { go new(worker).wait() })
		})
	}
}

//go:noinline
func (w *worker) wait() { sink += byte(<-w.in) } // a nil channel

func variety() {
	var pipe [2]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	go panics()
	go func() {
		runtime.LockOSThread()
		sink += byte(<-never)
	}()
	go func() { select {} }()
	mu.Lock()
	go mu.Lock()
	wg.Add(1)
	go wg.Wait()
	if err := syscall.Pipe(pipe[:]); err == nil {
		go func() { syscall.Read(pipe[0], make([]byte, 1)) }()
	}
	if r, _, err := os.Pipe(); err == nil {
		keep = r
		go r.Read(make([]byte, 1))
	}
}

// finalize makes a finalizer wait, which no other one gets past.
func finalize() {
	began := make(chan bool)
	func() {
		w := &worker{make(chan int)}
		runtime.SetFinalizer(w, func(w *worker) {
			began <- true
			sink += byte(<-never)
		})
	}()
	runtime.GC()
	<-began
}

// end makes n goroutines that are there at the same time, and end.
func end(n int) {
	var began, ended sync.WaitGroup
	gate := make(chan bool)
	for i := 0; i < n; i++ {
		began.Add(1)
		ended.Add(1)
		go func() { began.Done(); <-gate; ended.Done() }()
	}
	began.Wait()
	close(gate)
	ended.Wait()
	time.Sleep(100 * time.Millisecond)
}

func dump(prefix string) error {
	for level, suffix := range []string{".pb.gz", ".1", ".2"} {
		f, err := os.Create(prefix + suffix)
		if err != nil {
			return err
		}
		if err := pprof.Lookup("goroutine").WriteTo(f, level); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	var done sync.WaitGroup
	flag.Parse()
	parkThem(*parked)
	labelled()
	variety()
	for i := 0; i < *large; i++ {
		done.Add(2)
		go func() { deep(55, func() { done.Done(); sink += byte(<-never) }) }()
		go func() { deep(55, func() {}); done.Done(); sink += byte(<-never) }()
	}
	done.Wait()
	inC()
	time.Sleep(300 * time.Millisecond)
	finalize()
	time.Sleep(200 * time.Millisecond)
	fmt.Println(`{}`)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		var err error
		switch {
		case len(words) == 1 && words[0] == "gc":
			runtime.GC()
		case len(words) == 2 && words[0] == "end":
			n, _ := strconv.Atoi(words[1])
			end(n)
		case len(words) == 1 && words[0] == "stacks":
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Printf("{\"stack_inuse\":%d}\n", m.StackInuse)
			continue
		case len(words) == 2 && words[0] == "dump":
			err = dump(words[1])
		}
		if err != nil {
			fmt.Printf("{\"error\":%q}\n", err.Error())
		} else {
			fmt.Println(`{}`)
		}
	}
}
