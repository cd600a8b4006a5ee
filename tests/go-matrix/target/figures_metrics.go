// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.16
// +build go1.16

package main

import (
	"runtime"
	"runtime/metrics"
)

var (
	samples = integers()
	values  = make([]named, len(samples)+1)
	cycles  = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
)

// integers is every metric that is one, but for the counts that package godebug keeps.
func integers() (v []metrics.Sample) {
	for _, d := range metrics.All() {
		if d.Kind == metrics.KindUint64 && (len(d.Name) < 9 || d.Name[:9] != "/godebug/") {
			v = append(v, metrics.Sample{Name: d.Name})
		}
	}
	return v
}

func collections() uint64 {
	metrics.Read(cycles)
	return cycles[0].Value.Uint64()
}

func figures() []named {
	metrics.Read(samples)
	for i := range samples {
		values[i] = named{samples[i].Name, samples[i].Value.Uint64()}
	}
	values[len(samples)] = named{"calls", uint64(runtime.NumCgoCall())}
	return values
}
