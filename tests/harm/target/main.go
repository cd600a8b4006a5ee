// SPDX-License-Identifier: BSD-2-Clause

// The program that must not notice that it is watched: it works in rounds until standard input ends
// (or HARM_ROUNDS of them), and prints a line a round: its number, a hash of what it computed, a
// running hash of all rounds. A round is one of Period kinds, so that what an unwatched run prints
// for the first Period tells what a run of any length has to print. It allocates, keeps, collects,
// grows stacks, unwinds them, panics, maps and unmaps, starts programs: all that the probes are at.
// Builds with Go 1.15 and later.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

const (
	period = 48
	prime  = 2147483647 // so that an awk script can follow
)

type random uint64

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

func mix(h, v uint64) uint64 {
	return (h ^ v) * 1099511628211
}

type node struct {
	left, right *node
	name        string
	value       []byte
}

func grow(r *random, depth int) *node {
	if depth == 0 {
		return nil
	}
	n := &node{name: strconv.FormatUint(r.next(), 36), value: make([]byte, 8+r.next()%200)}
	for i := range n.value {
		n.value[i] = byte(r.next())
	}
	n.left, n.right = grow(r, depth-1), grow(r, depth-1)
	return n
}

func (n *node) sum(h uint64) uint64 {
	if n == nil {
		return mix(h, 7)
	}
	for _, b := range n.value {
		h = mix(h, uint64(b))
	}
	for i := 0; i < len(n.name); i++ {
		h = mix(h, uint64(n.name[i]))
	}
	return n.right.sum(n.left.sum(h))
}

// deep grows its stack, unwinds it by runtime.Callers at the bottom, and by a panic above it.
func deep(r *random, n int) (h uint64) {
	var frame [160]byte
	for i := range frame {
		frame[i] = byte(r.next())
	}
	if n == 0 {
		pcs := make([]uintptr, 512)
		k := runtime.Callers(0, pcs)
		frames := runtime.CallersFrames(pcs[:k])
		for {
			f, more := frames.Next()
			for i := 0; i < len(f.Function); i++ {
				h = mix(h, uint64(f.Function[i]))
			}
			h = mix(h, uint64(f.Line))
			if !more {
				break
			}
		}
		panic(h)
	}
	if n%40 == 0 {
		defer func() {
			if v, ok := recover().(uint64); ok {
				h = v
			}
			for _, b := range frame {
				h = mix(h, uint64(b))
			}
			if n < 120 {
				panic(h)
			}
		}()
	}
	h = deep(r, n-1)
	for _, b := range frame {
		h = mix(h, uint64(b))
	}
	return h
}

func goroutines(kind uint64) (h uint64) {
	var got [6]uint64
	done := make(chan int)
	for i := range got {
		go func(i int) {
			r := random(kind*977 + uint64(i) + 1)
			got[i] = deep(&r, 120)
			done <- i
		}(i)
	}
	for range got {
		<-done
	}
	for _, v := range got {
		h = mix(h, v)
	}
	return h
}

func mapped(r *random) (h uint64) {
	for i := 0; i < 4; i++ {
		n := int(1+r.next()%16) * 4096
		b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			return 0
		}
		for k := 0; k < n; k += 512 {
			b[k] = byte(r.next())
		}
		if syscall.Mprotect(b, syscall.PROT_READ) != nil {
			return 0
		}
		for k := 0; k < n; k += 512 {
			h = mix(h, uint64(b[k]))
		}
		if syscall.Munmap(b) != nil {
			return 0
		}
	}
	return h
}

func tables(r *random) (h uint64) {
	m := make(map[uint64]string)
	for i := 0; i < 300; i++ {
		m[r.next()%1000] = strconv.FormatUint(r.next(), 10)
	}
	for k, v := range m { // in any order
		h += mix(k, uint64(len(v))*31+uint64(v[len(v)-1]))
	}
	return h
}

func spawned() uint64 {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return 1
	}
	st, err := p.Wait()
	if err != nil || !st.Success() {
		return 2
	}
	return 3
}

func round(kind uint64, kept *node) uint64 {
	r := random(kind*2654435761 + 12345)
	h := grow(&r, 7).sum(kind)
	h = mix(h, tables(&r))
	h = mix(h, goroutines(kind))
	h = mix(h, mapped(&r))
	h = mix(h, native(kind))
	if kind%4 == 0 {
		runtime.GC()
	}
	if kind%12 == 0 {
		h = mix(h, spawned())
	}
	if kind%24 == 5 {
		debug.FreeOSMemory()
	}
	return kept.sum(h) % prime
}

func work() {
	limit, _ := strconv.Atoi(os.Getenv("HARM_ROUNDS"))
	ended := make(chan bool)
	if limit == 0 {
		go func() {
			_, _ = io.Copy(sink{}, os.Stdin)
			close(ended)
		}()
	}
	r := random(99)
	kept := grow(&r, 10) // to be what it is for all time
	out := bufio.NewWriter(os.Stdout)
	var chain uint64 = 1
	for i := 0; ; i++ {
		h := round(uint64(i%period), kept)
		chain = (chain*31 + h) % prime
		fmt.Fprintln(out, i, h, chain)
		out.Flush()
		select {
		case <-ended:
			fmt.Fprintln(out, "end", i+1)
			out.Flush()
			return
		default:
		}
		if limit > 0 && i+1 == limit {
			return
		}
		if limit == 0 {
			time.Sleep(50 * time.Millisecond) // there are many of us
		}
	}
}

type sink struct{}

func (sink) Write(b []byte) (int, error) { return len(b), nil }

func main() { work() }
