// SPDX-License-Identifier: BSD-2-Clause

// churn allocates, frees, maps and unmaps without a pause until stdin ends: a target whose memory
// changes while it is looked at. Prints one line when it is under way.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

func mapper(seed int64, pause time.Duration) {
	r := rand.New(rand.NewSource(seed))
	var held [][]byte
	for {
		b, err := syscall.Mmap(-1, 0, (1+r.Intn(64))*4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		if len(held) > 32 {
			i := r.Intn(len(held))
			syscall.Munmap(held[i])
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
		time.Sleep(pause)
	}
}

func allocator(seed int64, kept int, pause time.Duration) {
	r := rand.New(rand.NewSource(seed))
	keep := make([][]byte, kept)
	for n := 0; ; n++ {
		b := make([]byte, 1<<uint(4+r.Intn(14)))
		for i := 0; i < len(b); i += 512 {
			b[i] = 1
		}
		keep[r.Intn(len(keep))] = b
		if n%256 == 0 {
			time.Sleep(pause)
		}
	}
}

func spawner(pause time.Duration) {
	var deep func(int) int
	deep = func(n int) int {
		var f [512]byte
		f[n%512] = 1
		if n == 0 {
			return 0
		}
		return deep(n-1) + int(f[3])
	}
	for {
		done := make(chan int)
		for i := 0; i < 16; i++ {
			go func() { done <- deep(100) }()
		}
		for i := 0; i < 16; i++ {
			<-done
		}
		time.Sleep(pause)
	}
}

func main() {
	workers := flag.Int("workers", 2, "goroutines that allocate")
	kept := flag.Int("kept", 2000, "objects that each of them keeps")
	pause := flag.Duration("pause", time.Millisecond, "between bursts")
	release := flag.Duration("release", 0, "how often to give memory back by force; 0: never")
	flag.Parse()
	for i := 0; i < *workers; i++ {
		go allocator(int64(i), *kept, *pause)
	}
	go mapper(100, *pause)
	go spawner(*pause)
	if *release > 0 {
		go func() {
			for range time.Tick(*release) {
				debug.FreeOSMemory()
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println(`{"ready":true}`)
	io.Copy(io.Discard, os.Stdin)
}
