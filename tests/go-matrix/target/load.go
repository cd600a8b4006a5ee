// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.17
// +build go1.17

package main

import (
	"math/rand"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// What tests/go-matrix/load.c reads: a word that counts the reads, a word for how many figures each
// has, their names, then a ring of reads. A read is in its slot before it is counted.
const (
	ringSlots  = 1 << 14
	ringNames  = 64
	nameBytes  = 64
	ringOffset = 64 + ringNames*nameBytes
)

func published() (v []metrics.Sample) {
	for _, d := range metrics.All() {
		if d.Kind == metrics.KindUint64 && (strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/heap/") ||
			strings.HasPrefix(d.Name, "/gc/cycles/")) && len(v) < ringNames {
			v = append(v, metrics.Sample{Name: d.Name})
		}
	}
	return v
}

func share(path string, size int) []byte {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Truncate(int64(size))
	}
	if err != nil {
		panic(err)
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return b
}

func worker(seed int64) {
	r := rand.New(rand.NewSource(seed))
	keep := make([][]byte, 2000)
	for n := 1; ; n++ {
		size := 1 << uint(r.Intn(13))
		if n%512 == 0 {
			size = 40<<10 + r.Intn(200<<10)
		}
		keep[r.Intn(len(keep))] = make([]byte, size)
		words[r.Intn(len(words))] = new(uint64)
		if n%64 == 0 {
			go deep(r.Intn(8), make(chan int, 1))
			block <- 1
		}
		if n%128 == 0 {
			time.Sleep(200 * time.Microsecond)
		}
	}
}

// load publishes what the runtime says of itself, again and again, while others change it.
func load(path string) {
	s := published()
	b := share(path, ringOffset+ringSlots*len(s)*8)
	for i := range s {
		copy(b[64+i*nameBytes:], s[i].Name)
	}
	count := (*uint64)(unsafe.Pointer(&b[0]))
	ring := (*[1 << 24]uint64)(unsafe.Pointer(&b[ringOffset]))[:ringSlots*len(s)]
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&b[8])), uint64(len(s)))
	for i := int64(0); i < 3; i++ {
		go worker(i)
	}
	go func() {
		for {
			time.Sleep(40 * time.Millisecond)
			runtime.GC()
		}
	}()
	go func() {
		os.Stdin.Read(in[:])
		os.Exit(0)
	}()
	for n := 0; ; n++ {
		metrics.Read(s)
		for i := range s {
			ring[n%ringSlots*len(s)+i] = s[i].Value.Uint64()
		}
		if atomic.StoreUint64(count, uint64(n+1)); n == 100 {
			os.Stdout.WriteString("{}\n")
		}
		time.Sleep(20 * time.Microsecond)
	}
}
