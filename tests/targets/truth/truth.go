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
	"strings"
)

// Metrics returns the integers of runtime/metrics about memory under their own names.
func Metrics() map[string]uint64 {
	all := metrics.All()
	samples := make([]metrics.Sample, 0, len(all))
	for _, d := range all {
		if d.Kind == metrics.KindUint64 && (strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/") || strings.HasPrefix(d.Name, "/sched/gor")) {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	m := make(map[string]uint64, len(samples))
	for _, s := range samples {
		m[s.Name] = s.Value.Uint64()
	}
	return m
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

// Print writes v as one line of JSON on stdout.
func Print(v interface{}) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(b, '\n'))
}
