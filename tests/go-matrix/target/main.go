// SPDX-License-Identifier: BSD-2-Clause

// The matrix target compiles with every Go from 1.15 on. It holds memory of all kinds, then answers
// one line of JSON on stdout to each line on stdin: what its runtime says at that moment. From that
// read on nothing is allocated, so that a program that waits then is just as it says.
//
//	truth     nothing but the answer
//	gc        a forced collection;  churn N: garbage until N more collections ran by themselves
//	grow N    N MiB more of heap, kept;  drop: lets go of all of that
//	park N    N more goroutines that wait
//	quit
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"
)

const mib = 1 << 20

type node struct {
	next *node
	data [5]uint64
}

type named struct {
	name  string
	value uint64
}

var (
	kept    [][]byte
	extra   [][]byte
	list    *node
	words   []*uint64
	bytes   []*[3]byte
	garbage []byte
	waste   = 16 << 10 // bytes of each piece of garbage
	block   = make(chan int)
	out     = make([]byte, 0, 1<<16)
	in      [256]byte
)

func fill(b []byte) []byte {
	for i := range b {
		b[i] = byte(i) | 1
	}
	return b
}

// hold makes objects of every size class, of each as many as make that many bytes, and n of some;
// it lets every third of the small ones die.
func hold(bytesEach, n int) {
	for size := 8; size <= 40<<10; size += size/4 + 8 {
		for i := 0; i < 1+bytesEach/size; i++ {
			kept = append(kept, fill(make([]byte, size)))
		}
	}
	for i := range kept {
		if i%3 == 2 {
			kept[i] = nil
		}
	}
	for i := 0; i < 3; i++ {
		kept = append(kept, fill(make([]byte, 3*mib+i*777)))
	}
	for i := 0; i < n; i++ {
		list = &node{next: list}
		list.data[1] = uint64(i)
		words = append(words, new(uint64))
		bytes = append(bytes, new([3]byte))
		if i%3 == 2 {
			words[i] = nil
		}
	}
	for i := 0; i < 20; i++ {
		o := &node{}
		runtime.SetFinalizer(o, func(*node) {})
	}
}

//go:noinline
func deep(n int, ready chan<- int) int {
	var frame [1024]byte
	fill(frame[:])
	if n > 0 {
		return deep(n-1, ready) + int(frame[n%1024])
	}
	ready <- 1
	return <-block + int(frame[3])
}

func park(n, kib int) {
	ready := make(chan int)
	for i := 0; i < n; i++ {
		go deep(kib, ready)
		<-ready
	}
}

// churn allocates garbage until n more collections have run.
func churn(n uint64) {
	start := collections()
	for collections() < start+n {
		for i := 0; i < 64; i++ {
			garbage = make([]byte, waste)
		}
	}
	garbage = nil
}

func grow(n uint64) {
	for ; n > 0; n-- {
		extra = append(extra, fill(make([]byte, mib-4096)))
		for i := 0; i < 4; i++ {
			extra = append(extra, fill(make([]byte, 1024)))
		}
	}
}

// Print writes what the program knows about itself: strings that were made before, then integers.
func answer() {
	v := figures()
	out = append(out[:0], `{"pid":`...)
	out = strconv.AppendInt(out, int64(os.Getpid()), 10)
	out = append(out, `,"go":"`...)
	out = append(out, runtime.Version()...)
	out = append(out, `","metrics":{`...)
	for i := range v {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, v[i].name...)
		out = append(out, `":`...)
		out = strconv.AppendUint(out, v[i].value, 10)
	}
	out = append(out, "}}\n"...)
	for b := out; len(b) > 0; {
		n, err := syscall.Write(1, b)
		if err != nil {
			os.Exit(1)
		}
		b = b[n:]
	}
}

// command reads a line without allocating.
func command() (word string, n uint64) {
	have := 0
	for {
		k, err := syscall.Read(0, in[have:])
		if err == syscall.EINTR {
			continue
		}
		if k <= 0 || err != nil {
			os.Exit(0)
		}
		if have += k; in[have-1] == '\n' || have == len(in) {
			break
		}
	}
	for i := 0; i < have; i++ {
		if c := in[i]; c >= '0' && c <= '9' {
			n = n*10 + uint64(c-'0')
		}
	}
	for _, w := range [...]string{"truth", "gc", "churn", "grow", "drop", "park", "quit"} {
		if have > len(w) && string(in[:len(w)]) == w {
			return w, n
		}
	}
	return "", 0
}

func run(word string, n uint64) {
	switch word {
	case "truth":
	case "gc":
		runtime.GC()
	case "churn":
		churn(n)
	case "grow":
		grow(n)
	case "drop":
		extra = nil
	case "park":
		park(int(n), 1)
	case "quit":
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, "unknown command")
		os.Exit(2)
	}
}

func main() {
	publish := flag.String("publish", "", "file to map: own reads, all the time, under load")
	small := flag.Bool("small", false, "for a capture: few objects")
	pages := flag.String("third", "", "file to write: every third object of each page kept, which pages")
	flag.Parse()
	if *pages != "" {
		keepThird(*pages)
		return
	}
	if *small {
		waste = 1 << 20 // few spans
		hold(8<<10, 300)
		park(8, 1)
	} else {
		hold(64<<10, 5000)
		park(40, 3)
	}
	native()
	debug.FreeOSMemory()
	if percent := debug.SetGCPercent(-1); percent >= 0 {
		debug.SetGCPercent(percent)
		churn(3)
	}
	runtime.GC()
	if *publish != "" {
		load(*publish)
		return
	}
	answer()
	for {
		word, n := command()
		run(word, n)
		answer()
	}
}

// An address that does not come from a Go pointer.
func at(a uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}
