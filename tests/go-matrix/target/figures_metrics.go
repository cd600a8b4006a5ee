// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.16
// +build go1.16

package main

import (
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

var (
	samples = wanted()
	values  = make([]named, len(samples)+1)
	pauses  = debug.GCStats{Pause: make([]time.Duration, 0, 1024)}
	cycles  = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
)

// wanted is every metric that is an integer, but for the counts that package godebug keeps; and the
// CPU classes, which are whole nanoseconds within.
func wanted() (v []metrics.Sample) {
	for _, d := range metrics.All() {
		if (d.Kind == metrics.KindUint64 && !strings.HasPrefix(d.Name, "/godebug/")) || strings.HasPrefix(d.Name, "/cpu/classes/") {
			v = append(v, metrics.Sample{Name: d.Name})
		}
	}
	return v
}

func init() {
	for i := range samples {
		values[i].name = strings.Replace(samples[i].Name, ":cpu-seconds", ":cpu-nanoseconds", 1)
	}
	values[len(samples)].name = "/gc/pauses:nanoseconds"
}

func collections() uint64 {
	metrics.Read(cycles)
	return cycles[0].Value.Uint64()
}

func figures() []named {
	metrics.Read(samples)
	for i := range samples {
		if v := samples[i].Value; v.Kind() == metrics.KindFloat64 {
			values[i].value = uint64(v.Float64()*1e9 + 0.5)
		} else {
			values[i].value = v.Uint64()
		}
	}
	debug.ReadGCStats(&pauses)
	values[len(samples)].value = uint64(pauses.PauseTotal)
	return values
}
