// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"debug/buildinfo"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// dwarfTypes is what a compiled Go program says of itself: the second opinion on the table.
type dwarfTypes struct {
	structs map[string]*dwarf.StructType // types, and variables, of struct type
	consts  map[string]int64
}

// printDwarf writes "version ARCH RELEASE[+EXPERIMENT]", then "ID VALUE" for every field of the list; VALUE is
// "absent" when the struct or package is there without it, and a line is left out when the program
// has no such struct, since the linker drops unused types.
func printDwarf(w io.Writer, file string, fields []field) error {
	bin, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer bin.Close()
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	arch := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[bin.Machine]
	data, err := bin.DWARF()
	if err != nil {
		return err
	}
	types, err := readDwarf(data)
	if err != nil {
		return err
	}
	release, _, _ := strings.Cut(info.GoVersion, " ")
	if _, x, ok := strings.Cut(info.GoVersion, "X:"); ok {
		release = strings.TrimSuffix(release, "-X:"+x) + "+" + x
	}
	fmt.Fprintf(w, "version %s %s\n", arch, release)
	for _, f := range fields {
		if text := types.value(f); text != "" {
			fmt.Fprintf(w, "%s %s\n", f.id, text)
		}
	}
	fmt.Fprintln(w, "classes", strings.Trim(fmt.Sprint(binaryClasses(bin)), "[]"))
	return nil
}

// binaryClasses reads the size classes where the program keeps them.
func binaryClasses(bin *elf.File) []uint16 {
	syms, _ := bin.Symbols()
	for _, s := range syms {
		if s.Name != "runtime.class_to_size" && s.Name != "internal/runtime/gc.SizeClassToSize" {
			continue
		}
		list := make([]uint16, s.Size/2)
		sec := bin.Sections[s.Section]
		r := io.NewSectionReader(sec, int64(s.Value-sec.Addr), int64(s.Size))
		if binary.Read(r, bin.ByteOrder, list) == nil {
			return list
		}
	}
	return nil
}

func readDwarf(data *dwarf.Data) (*dwarfTypes, error) {
	types := &dwarfTypes{structs: map[string]*dwarf.StructType{}, consts: map[string]int64{}}
	for r := data.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return types, nil
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		switch {
		case e.Tag == dwarf.TagConstant:
			if v, ok := e.Val(dwarf.AttrConstValue).(int64); ok {
				types.consts[name] = v
			}
		case e.Tag == dwarf.TagStructType && name != "":
			err = types.addStruct(data, name, e.Offset)
		case e.Tag == dwarf.TagVariable && strings.HasPrefix(name, "runtime."):
			if at, ok := e.Val(dwarf.AttrType).(dwarf.Offset); ok {
				err = types.addStruct(data, name, at)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %v", name, err)
		}
		if e.Tag == dwarf.TagSubprogram || e.Tag == dwarf.TagStructType {
			r.SkipChildren()
		}
	}
}

func (d *dwarfTypes) addStruct(data *dwarf.Data, name string, at dwarf.Offset) error {
	if !strings.HasPrefix(name, "runtime.") && !strings.HasPrefix(name, "internal/") {
		return nil
	}
	t, err := data.Type(at)
	if err != nil {
		return err
	}
	if s := asStruct(t); s != nil && d.structs[name] == nil {
		d.structs[name] = s
	}
	return nil
}

func asStruct(t dwarf.Type) *dwarf.StructType {
	for {
		switch u := t.(type) {
		case *dwarf.TypedefType:
			t = u.Type
		case *dwarf.StructType:
			return u
		default:
			return nil
		}
	}
}

func (d *dwarfTypes) value(f field) string {
	for _, name := range f.names {
		pkg, id := splitName(name)
		if f.kind == "CONST" {
			if v, ok := d.consts[pkg+"."+id]; ok {
				return fmt.Sprint(v)
			}
			continue
		}
		s := d.structs[pkg+"."+id]
		if s == nil {
			continue
		}
		if f.kind == "SIZE" {
			return fmt.Sprint(s.ByteSize)
		}
		for _, path := range f.paths {
			if off, size, ok := dwarfMember(s, path); ok {
				if f.kind == "WIDTH" {
					off = size
				}
				return fmt.Sprint(off)
			}
		}
		return "absent"
	}
	return ""
}

func dwarfMember(s *dwarf.StructType, path string) (off, size int64, ok bool) {
	first, rest, more := strings.Cut(path, ".")
	for _, f := range s.Field {
		if f.Name != first {
			continue
		}
		if !more {
			return f.ByteOffset, f.Type.Size(), true
		}
		if inner := asStruct(f.Type); inner != nil {
			off, size, ok = dwarfMember(inner, rest)
			return f.ByteOffset + off, size, ok
		}
	}
	return 0, 0, false
}
