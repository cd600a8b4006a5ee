// SPDX-License-Identifier: BSD-2-Clause

package main

import "go/types"

// gcSizes are cmd/compile's rules on a 64-bit machine (cmd/compile/internal/types/size.go).
// go/types has them too from Go 1.21; before, its struct sizes are not rounded up.
type gcSizes struct{}

const wordSize = 8

func (s gcSizes) Alignof(t types.Type) int64 {
	switch u := t.Underlying().(type) {
	case *types.Array:
		return s.Alignof(u.Elem())
	case *types.Struct:
		max := int64(1)
		for i := 0; i < u.NumFields(); i++ {
			if a := s.Alignof(u.Field(i).Type()); a > max {
				max = a
			}
		}
		return max
	case *types.Basic:
		if u.Info()&types.IsComplex != 0 {
			return s.Sizeof(t) / 2
		}
	}
	a := s.Sizeof(t)
	if a < 1 {
		return 1
	}
	if a > wordSize {
		return wordSize
	}
	return a
}

func (s gcSizes) Offsetsof(fields []*types.Var) []int64 {
	offs := make([]int64, len(fields))
	var o int64
	for i, f := range fields {
		o = roundUp(o, s.Alignof(f.Type()))
		offs[i] = o
		o += s.Sizeof(f.Type())
	}
	return offs
}

func (s gcSizes) Sizeof(t types.Type) int64 {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return basicSize(u.Kind())
	case *types.Array:
		return u.Len() * s.Sizeof(u.Elem())
	case *types.Slice:
		return 3 * wordSize
	case *types.Interface:
		return 2 * wordSize
	case *types.Struct:
		n := u.NumFields()
		if n == 0 {
			return 0
		}
		last := s.Sizeof(u.Field(n - 1).Type())
		end := structOffsets(u)[n-1]
		// A trailing field of size zero gets a byte: its address must stay inside.
		if end > 0 && last == 0 {
			last = 1
		}
		return roundUp(end+last, s.Alignof(t))
	}
	return wordSize // pointers, maps, channels, functions
}

func basicSize(k types.BasicKind) int64 {
	switch k {
	case types.Bool, types.Int8, types.Uint8:
		return 1
	case types.Int16, types.Uint16:
		return 2
	case types.Int32, types.Uint32, types.Float32:
		return 4
	case types.Complex128, types.String:
		return 16
	}
	return 8
}

func structOffsets(u *types.Struct) []int64 {
	fields := make([]*types.Var, u.NumFields())
	for i := range fields {
		fields[i] = u.Field(i)
	}
	return gcSizes{}.Offsetsof(fields)
}

func roundUp(n, align int64) int64 {
	return (n + align - 1) / align * align
}
