// SPDX-License-Identifier: BSD-2-Clause

// Package truth reads what a program knows about its own memory: the witness that tests compare
// rsscope's figures with.
package truth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
)

var (
	samples = wanted()
	line    = make([]byte, 0, 1<<16)
)

// The integers of runtime/metrics about memory.
func wanted() (v []metrics.Sample) {
	for _, d := range metrics.All() {
		if d.Kind == metrics.KindUint64 && (strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/") || strings.HasPrefix(d.Name, "/sched/gor")) {
			v = append(v, metrics.Sample{Name: d.Name})
		}
	}
	return v
}

// MemStats returns the parts of runtime.MemStats that client_golang publishes. It stops the world.
func MemStats() map[string]uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return map[string]uint64{
		"Sys": s.Sys, "HeapSys": s.HeapSys, "HeapInuse": s.HeapInuse, "HeapAlloc": s.HeapAlloc,
		"HeapIdle": s.HeapIdle, "HeapReleased": s.HeapReleased, "StackInuse": s.StackInuse,
		"StackSys": s.StackSys, "MSpanInuse": s.MSpanInuse, "MSpanSys": s.MSpanSys,
		"MCacheInuse": s.MCacheInuse, "MCacheSys": s.MCacheSys, "BuckHashSys": s.BuckHashSys,
		"GCSys": s.GCSys, "OtherSys": s.OtherSys, "NextGC": s.NextGC, "NumGC": uint64(s.NumGC),
	}
}

// VMA is one line of /proc/self/maps.
type VMA struct {
	Start, End uintptr
	Perms      string
	Path       string
}

// Maps reads /proc/self/maps.
func Maps() ([]VMA, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var v []VMA
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var a, b uintptr
		var perms string
		fields := strings.Fields(sc.Text())
		if len(fields) < 5 {
			continue
		}
		if _, err := fmt.Sscanf(fields[0]+" "+fields[1], "%x-%x %s", &a, &b, &perms); err != nil {
			return nil, err
		}
		v = append(v, VMA{a, b, perms, strings.Join(fields[5:], " ")})
	}
	return v, nil
}

// Status returns the kB figures of /proc/self/status in bytes.
func Status() map[string]uint64 {
	m := map[string]uint64{}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m
	}
	for _, line := range strings.Split(string(b), "\n") {
		var name string
		var kb uint64
		if n, _ := fmt.Sscanf(strings.Replace(line, ":", " ", 1), "%s %d kB", &name, &kb); n == 2 && strings.HasSuffix(line, " kB") {
			m[name] = kb << 10
		}
	}
	return m
}

// Print writes v, a struct, as one line of JSON on stdout, with one more key "metrics": what the
// runtime says after everything else. From that read on nothing is allocated, so that a program that
// waits then is just as it says.
func Print(v interface{}) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	line = append(append(line[:0], b[:len(b)-1]...), `,"metrics":{`...)
	finish()
}

// Peek prints the metrics alone, and allocates nothing at all.
func Peek() {
	line = append(line[:0], `{"metrics":{`...)
	finish()
}

func finish() {
	metrics.Read(samples)
	for i := range samples {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(append(line, '"'), samples[i].Name...), `":`...)
		line = strconv.AppendUint(line, samples[i].Value.Uint64(), 10)
	}
	line = append(line, "}}\n"...)
	for b := line; len(b) > 0; {
		n, err := syscall.Write(1, b)
		if err != nil {
			os.Exit(1)
		}
		b = b[n:]
	}
}
