// SPDX-License-Identifier: BSD-2-Clause

package truth

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"unsafe"
)

var sink byte

// Touch makes every page of [start, end) resident. Writing adds 0 atomically, so that it does not
// disturb what others write there.
func Touch(start, end uintptr, write bool) {
	page := uintptr(os.Getpagesize())
	for a := start; a < end; a += page {
		if write {
			atomic.AddUint32((*uint32)(at(a)), 0)
		} else {
			sink += *(*byte)(at(a))
		}
	}
}

// An address that does not come from a Go pointer; only for memory that is mapped.
func at(a uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

// Heap is the runtime's heap address space: where it lies, how much of it is mapped, and how much in
// front was not touched.
type Heap struct {
	Start   string `json:"start"`
	End     string `json:"end"`
	Mapped  uint64 `json:"mapped"`
	Skipped uint64 `json:"skipped"`
}

// TouchHeap makes all of the heap around an object resident, from its first resident page on. (Go
// 1.26 begins its heap with a random number of pages that it never uses.)
func TouchHeap(object uintptr) (h Heap, err error) {
	maps, err := Maps()
	if err != nil {
		return h, err
	}
	// The heap is the run of adjacent mappings around the object, PROT_NONE ones included.
	at := -1
	for i, m := range maps {
		if m.Start <= object && object < m.End {
			at = i
		}
	}
	first, last := at, at
	for first > 0 && maps[first-1].End == maps[first].Start && maps[first-1].Path == "" {
		first--
	}
	for last+1 < len(maps) && maps[last+1].Start == maps[last].End && maps[last+1].Path == "" {
		last++
	}
	started := false
	for _, m := range maps[first : last+1] {
		if !strings.HasPrefix(m.Perms, "rw") {
			continue
		}
		start := m.Start
		if !started {
			if start, err = firstResident(m); err != nil {
				return h, err
			}
			h.Skipped += uint64(start - m.Start)
			started = start < m.End
		}
		Touch(start, m.End, true)
		h.Mapped += uint64(m.End - m.Start)
	}
	h.Start, h.End = fmt.Sprintf("%x", maps[first].Start), fmt.Sprintf("%x", maps[last].End)
	return h, nil
}

func firstResident(m VMA) (uintptr, error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := uintptr(os.Getpagesize())
	var entry [8]byte
	for a := m.Start; a < m.End; a += page {
		if _, err := f.ReadAt(entry[:], int64(a/page*8)); err != nil {
			return 0, err
		}
		if binary.LittleEndian.Uint64(entry[:])>>62 != 0 {
			return a, nil
		}
	}
	return m.End, nil
}

// TouchBinary makes the executable's mappings resident, with the bss that follows them.
func TouchBinary() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := Maps()
	if err != nil {
		return err
	}
	for i, m := range maps {
		bss := i > 0 && m.Path == "" && maps[i-1].Path == exe && m.Start == maps[i-1].End
		if (m.Path == exe || bss) && m.Perms[0] == 'r' {
			Touch(m.Start, m.End, m.Perms[1] == 'w')
		}
	}
	return nil
}
