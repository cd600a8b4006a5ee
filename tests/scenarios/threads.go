// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

var pipe [2]int

const blockedThreads = 150

var blockedDone sync.WaitGroup

//go:noinline
func readBlocking() {
	var b [1]byte
	syscall.Read(pipe[0], b[:])
	blockedDone.Done()
}

func blocked() error {
	if err := syscall.Pipe(pipe[:]); err != nil {
		return err
	}
	blockedDone.Add(blockedThreads)
	for i := 0; i < blockedThreads; i++ {
		go readBlocking()
	}
	time.Sleep(500 * time.Millisecond)
	return nil
}

func unblock() error {
	if _, err := syscall.Write(pipe[1], make([]byte, blockedThreads)); err != nil {
		return err
	}
	blockedDone.Wait()
	time.Sleep(100 * time.Millisecond)
	return nil
}

type resource struct{ data [64]byte }

//go:noinline
func stuck(r *resource) { never <- 1 }

func finalizers(block bool) func() error {
	return func() error {
		done := make(chan int, 2000)
		for i := 0; i < 2000; i++ {
			r := &resource{}
			if block {
				runtime.SetFinalizer(r, stuck)
			} else {
				runtime.SetFinalizer(r, func(*resource) { done <- 1 })
			}
		}
		for i := 0; i < 3; i++ {
			runtime.GC()
			time.Sleep(50 * time.Millisecond)
		}
		if !block {
			for i := 0; i < 1990; i++ {
				<-done
			}
		}
		return nil
	}
}
