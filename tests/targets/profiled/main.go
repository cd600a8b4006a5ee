// SPDX-License-Identifier: BSD-2-Clause

// profiled has a heap of many call stacks, and writes its own profiles when it is asked: the truth
// for those that are read from outside. Lines on standard input: "write DIR"; "churn": goroutines that
// begin, run and end all the time.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	name        string
}

var (
	keep   [][]byte
	tables []map[string]*bytes.Buffer
	trees  []*node
)

//go:noinline
func cacheLoad(n int) {
	for i := 0; i < n; i++ {
		keep = append(keep, make([]byte, 1000+i%5000))
	}
}

// Small enough to be inlined, two deep.
func newBuffer(i int) *bytes.Buffer { return bytes.NewBuffer(make([]byte, 256+i%100)) }
func named(i int) (string, *bytes.Buffer) {
	return strconv.Itoa(i), newBuffer(i)
}

//go:noinline
func sessions(n int) {
	m := map[string]*bytes.Buffer{}
	for i := 0; i < n; i++ {
		k, b := named(i)
		m[k] = b
	}
	tables = append(tables, m)
}

func (t *node) grow(depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{(&node{}).grow(depth - 1), (&node{}).grow(depth - 1), strings.Repeat("x", depth)}
}

//go:noinline
func garbage(n int) {
	for i := 0; i < n; i++ {
		_ = append([]byte(nil), make([]byte, 8192)...)
	}
}

//go:noinline
func each(n int, f func(i int)) {
	for i := 0; i < n; i++ {
		f(i)
	}
}

type sorted []string

func (s sorted) Len() int { return len(s) }
func (s sorted) Less(i, j int) bool {
	keep = append(keep, make([]byte, 640))
	return s[i] < s[j]
}
func (s sorted) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func fill() {
	cacheLoad(20000)
	sessions(50000)
	trees = append(trees, (&node{}).grow(16))
	each(5000, func(i int) { keep = append(keep, make([]byte, 3000)) })
	done := make(chan bool)
	go func() {
		defer close(done)
		each(200, func(i int) {
			defer func() { keep = append(keep, make([]byte, 70000)) }()
		})
	}()
	<-done
	names := make(sorted, 3000)
	for i := range names {
		names[i] = strconv.Itoa(i * 7919 % 3001)
	}
	sort.Sort(names)
	garbage(10000)
}

// Goroutines that wait, in as many ways.
type waiter struct{ c chan int }

func (w waiter) wait() { <-w.c }

type waits interface{ wait() }

func receive(c chan int) int { return <-c }

func nested(depth int, f func()) {
	if depth > 0 {
		nested(depth-1, f)
		return
	}
	f()
}

func park() {
	var (
		never = make(chan int)
		done  chan bool
		mu    sync.Mutex
		wg    sync.WaitGroup
		w     waits = &waiter{never}
		pipe  [2]int
	)
	mu.Lock()
	wg.Add(1)
	for i := 0; i < 100; i++ {
		go func() { keep = append(keep, make([]byte, receive(never))) }()
	}
	for i := 0; i < 50; i++ {
		go nested(i%7, func() {
			select {
			case <-done:
			case done <- true:
			}
		})
	}
	for i := 0; i < 20; i++ {
		go w.wait() // by a method that the compiler makes
	}
	for i := 0; i < 10; i++ {
		go mu.Lock()
	}
	for i := 0; i < 9; i++ {
		go func() {
			other := sync.NewCond(&sync.Mutex{})
			other.L.Lock()
			other.Wait()
		}()
	}
	go func() { wg.Wait() }()
	go parkWithText(never, "no", "capture", "holds", "what", "lies", "on", "a", "stack")
	for i := 0; i < 8; i++ {
		go time.Sleep(time.Hour)
	}
	if err := syscall.Pipe(pipe[:]); err == nil {
		go func() { syscall.Read(pipe[0], make([]byte, 1)) }()
	}
	time.Sleep(200 * time.Millisecond)
}

// What goroutines wait for, some of it sampled.
//
//go:noinline
func receiveLate(n int) {
	for i := 0; i < n; i++ {
		c := make(chan int)
		go func() {
			time.Sleep(time.Duration(50+i%5*100) * time.Microsecond)
			c <- i
		}()
		if i%2 == 0 {
			one(c)
		} else {
			waits(&waiter{c}).wait()
		}
	}
}

// Both are inlined.
func one(c chan int) int     { return <-c }
func release(mu *sync.Mutex) { mu.Unlock() }

//go:noinline
func holdLock(mu *sync.Mutex) {
	mu.Lock()
	for begin := time.Now(); time.Since(begin) < 100*time.Microsecond; {
	}
	release(mu)
}

func contend() {
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	runtime.SetBlockProfileRate(200000)
	runtime.SetMutexProfileFraction(2)
	receiveLate(300)
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; k < 200; k++ {
				holdLock(&mu)
				runtime.Gosched()
			}
		}()
	}
	wg.Wait()
	runtime.SetBlockProfileRate(0) // what is recorded stays
}

// What only a stack holds, of a goroutine that waits.
//
//go:noinline
func parkWithText(c chan int, words ...string) byte {
	var b [80]byte
	copy(b[:], strings.Join(words, " "))
	return b[(receive(c)+int(b[0]))%len(b)]
}

func deep(n int) int {
	var b [256]byte
	if n == 0 {
		runtime.Gosched()
		return int(b[0])
	}
	return deep(n-1) + int(b[n%256])
}

func churn() {
	var wg sync.WaitGroup
	for {
		for i := 0; i < 2000; i++ {
			wg.Add(1)
			go func(i int) {
				defer wg.Done()
				deep(i % 200)
				time.Sleep(time.Duration(i%10) * time.Millisecond)
			}(i)
		}
		wg.Wait()
	}
}

func write(dir string) error {
	for _, name := range []string{"heap", "allocs", "goroutine", "threadcreate", "block", "mutex"} {
		f, err := os.Create(filepath.Join(dir, name+".pb.gz"))
		if err != nil {
			return err
		}
		if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func work() {
	fill()
	contend()
	park()
	runtime.GC()
	garbage(5000)
	cacheLoad(3000)
	runtime.GC()
	garbage(1000)
	cacheLoad(1000)
}

func main() {
	debug.SetGCPercent(-1)
	if len(os.Args) > 1 { // "early": no GC cycle has ended
		sessions(20000)
		cacheLoad(20000)
	} else {
		work()
	}
	fmt.Println(`{}`)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		if len(words) == 1 && words[0] == "churn" {
			go churn()
			fmt.Println(`{}`)
			continue
		}
		if len(words) != 2 || words[0] != "write" {
			continue
		}
		if err := write(words[1]); err != nil {
			fmt.Printf("{\"error\":%q}\n", err.Error())
		} else {
			fmt.Println(`{}`)
		}
	}
}
