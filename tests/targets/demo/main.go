// SPDX-License-Identifier: BSD-2-Clause

// demo is what `make demo` looks at: a Go program with memory of every kind. It prints one line of
// JSON that says what it holds, another for each line on stdin, and ends with stdin.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"rsscope.test/targets/native"
	"rsscope.test/targets/truth"
)

const mib = 1 << 20

const (
	liveBytes    = 40 * mib
	garbageBytes = 20 * mib
	anonBytes    = 12 * mib
	fileBytes    = 8 * mib
	mallocBytes  = 16 * mib
	threads      = 4
	goroutines   = 50
	stackKiB     = 60
)

// Session is what the program "serves": live heap.
type Session struct {
	Next *Session
	ID   uint64
	Body [1000]byte
}

var (
	sessions *Session
	anon     []byte
	file     []byte
	request  []byte
)

//go:noinline
func fillCache() {
	for n := 0; n < liveBytes; n += int(unsafe.Sizeof(Session{})) {
		sessions = &Session{Next: sessions, ID: uint64(n)}
		sessions.Body[n%1000] = 1
	}
}

//go:noinline
func dropRequests() (sum int) {
	for n := 0; n < garbageBytes; n += 4096 {
		request = make([]byte, 4096)
		request[n%4096] = 1
		sum += len(request)
	}
	request = nil
	return sum
}

//go:noinline
func worker(depth int, ready, stay chan int) int {
	var frame [1024]byte
	frame[depth%1024] = 1
	if depth > 0 {
		return worker(depth-1, ready, stay) + int(frame[5])
	}
	ready <- 1
	return <-stay
}

func startWorkers() {
	ready, stay := make(chan int), make(chan int)
	for i := 0; i < goroutines; i++ {
		go worker(stackKiB, ready, stay)
	}
	for i := 0; i < goroutines; i++ {
		<-ready
	}
}

func mapAnonymous() (err error) {
	anon, err = syscall.Mmap(-1, 0, anonBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	for i := 0; i < len(anon); i += 512 {
		anon[i] = 1
	}
	return err
}

func mapFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := 0; i < fileBytes; i += 4096 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return err
		}
	}
	file, err = syscall.Mmap(int(f.Fd()), 0, fileBytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	start := uintptr(unsafe.Pointer(&file[0]))
	truth.Touch(start, start+fileBytes, false)
	return nil
}

func say() {
	truth.Print(map[string]interface{}{
		"pid": os.Getpid(), "go": runtime.Version(),
		"live": liveBytes, "garbage": garbageBytes, "anon": anonBytes, "file": fileBytes,
		"stacks": goroutines * stackKiB << 10, "goroutines": goroutines,
		"path": os.Args[1], "native": native.Truth(), "status": truth.Status(),
	})
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo FILE    (writes FILE and maps it)")
		os.Exit(2)
	}
	debug.SetGCPercent(400)
	startWorkers()
	fillCache()
	if err := mapAnonymous(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	if err := mapFile(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	native.Malloc(mallocBytes)
	native.Threads(threads)
	runtime.GC()
	dropRequests()
	time.Sleep(50 * time.Millisecond) // lets a cycle that may be running end
	say()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		say()
	}
	runtime.KeepAlive(sessions)
}
