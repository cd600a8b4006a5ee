// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.16
// +build go1.16

package main

import (
	"math"
	"runtime/metrics"
	"strings"
)

func read(kind metrics.ValueKind, prefix ...string) (v []metrics.Sample) {
	for _, d := range metrics.All() {
		for _, p := range prefix {
			if d.Kind == kind && strings.HasPrefix(d.Name, p) {
				v = append(v, metrics.Sample{Name: d.Name})
			}
		}
	}
	if len(v) > 0 { // Go 1.16 panics without any
		metrics.Read(v)
	}
	return v
}

func ns(seconds float64) interface{} {
	if math.IsInf(seconds, 0) {
		return nil
	}
	return uint64(math.Round(seconds * 1e9))
}

// Of times; those of allocations by size have no seconds.
func histograms() map[string]interface{} {
	all := map[string]interface{}{}
	for _, s := range read(metrics.KindFloat64Histogram, "/gc/pauses", "/sched/") {
		h, rows := s.Value.Float64Histogram(), [][3]interface{}{}
		for i, n := range h.Counts {
			if n > 0 {
				rows = append(rows, [3]interface{}{ns(h.Buckets[i]), ns(h.Buckets[i+1]), n})
			}
		}
		all[s.Name] = rows
	}
	return all
}

func counts() map[string]interface{} {
	all := map[string]interface{}{}
	for _, s := range read(metrics.KindUint64, "/gc/finalizers/", "/gc/cleanups/") {
		all[s.Name] = s.Value.Uint64()
	}
	return all
}
