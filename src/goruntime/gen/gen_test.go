// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadFields(t *testing.T) {
	good := "/* a\n comment */\nSIZE(A, \"a|b\")\nFIELD(A_X, \"a\", \"x|y.z\")\nWIDTH(W, \"a\", \"x\")\nCONST(C, \"p/q.c\")\n"
	fields, err := readFields(writeFile(t, t.TempDir(), "f.def", good))
	if err != nil {
		t.Fatal(err)
	}
	want := []field{
		{"SIZE", "SIZE_A", []string{"a", "b"}, nil},
		{"FIELD", "A_X", []string{"a"}, []string{"x", "y.z"}},
		{"WIDTH", "W", []string{"a"}, []string{"x"}},
		{"CONST", "CONST_C", []string{"p/q.c"}, nil},
	}
	if !reflect.DeepEqual(fields, want) {
		t.Errorf("got %v", fields)
	}
	for _, bad := range []string{
		"SIZE(A, \"a\")\nSIZE(A, \"b\")\n", // twice
		"FIELD(A, \"a\")\n",                // no path
		"SIZE(A, \"a\", \"x\")\n",          // a path too many
		"OFFSET(A, \"a\")\n",
	} {
		if _, err := readFields(writeFile(t, t.TempDir(), "f.def", bad)); err == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

// check type-checks one file and returns its package-level struct S.
func check(t *testing.T, src string) *types.Struct {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "s.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{Sizes: gcSizes{}}).Check("s", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg.Scope().Lookup("S").Type().Underlying().(*types.Struct)
}

// The compiler's rules: https://go.dev/ref/spec#Size_and_alignment_guarantees, and the byte that
// cmd/compile adds behind a trailing field of size zero.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		src  string
		size int64
	}{
		{"type S struct { a int64; b int8 }", 16},
		{"type S struct { a int8; b int16; c int8 }", 6},
		{"type S struct { a int32; b struct{} }", 8},
		{"type S struct { a struct{} }", 0},
		{"type S struct { a [3]struct { x uint32; y byte } }", 24},
		{"type S struct { a complex64; b bool }", 12},
		{"type S struct { a string; b []int; c any; d map[int]int; e func(); f *int }", 80},
		{"type P[T any] struct { _ [0]*T; v uintptr }; type S struct { a bool; p P[int] }", 16},
	} {
		if got := (gcSizes{}).Sizeof(check(t, "package s; "+c.src)); got != c.size {
			t.Errorf("%s: %d bytes, want %d", c.src, got, c.size)
		}
	}
}

func TestMember(t *testing.T) {
	s := check(t, "package s; type S struct { a int64; in struct { b, c int32 }; p *struct{ d int } }")
	if off, _, ok := member(s, "in.c"); !ok || off != 12 {
		t.Errorf("in.c at %d, %v", off, ok)
	}
	for _, path := range []string{"x", "in.x", "a.b", "p.d"} {
		if _, _, ok := member(s, path); ok {
			t.Errorf("%s found", path)
		}
	}
}

func TestExperimentTags(t *testing.T) {
	dir := t.TempDir()
	src := `package buildcfg
func ParseGOEXPERIMENT(goos, goarch, goexp string) (*ExperimentFlags, error) {
	var reg, other bool
	switch goarch {
	case "amd64", "arm64":
		reg = true
	case "s390x":
		other = true
	}
	dwarf := (goos != "darwin" && goos != "aix")
	only := goarch == "arm64" || !dwarf
	baseline := goexperiment.Flags{RegabiArgs: reg, Other: other, Dwarf5: dwarf, Only: only, On: true}
	return magic(baseline)
}`
	writeFile(t, dir, "src/internal/buildcfg/exp.go", src)
	for arch, want := range map[string]string{
		"amd64": "goexperiment.regabiargs goexperiment.dwarf5 goexperiment.on",
		"arm64": "goexperiment.regabiargs goexperiment.dwarf5 goexperiment.only goexperiment.on",
	} {
		tags, err := experimentTags(dir, arch)
		if err != nil || strings.Join(tags, " ") != want {
			t.Errorf("%s: %v %v", arch, tags, err)
		}
	}
	writeFile(t, dir, "src/internal/buildcfg/exp.go", strings.Replace(src, "true}", "ask()}", 1))
	if tags, err := experimentTags(dir, "amd64"); err == nil {
		t.Errorf("took a call for a constant: %v", tags)
	}
}

func TestTableRoundTrip(t *testing.T) {
	fields := []field{
		{"SIZE", "SIZE_A", []string{"a"}, nil},
		{"FIELD", "A_X", []string{"a"}, []string{"x"}},
		{"CONST", "CONST_C", []string{"c"}, nil},
	}
	old := &layout{map[string]int64{"SIZE_A": 8, "CONST_C": -1 << 47}, []int64{0, 8}, []string{"", "select (no \"cases\")"}}
	mid := &layout{map[string]int64{"SIZE_A": 16, "A_X": 0}, []int64{0, 8, 24}, []string{"", "IO wait", "sleep"}}
	tab := newTable()
	for _, r := range []string{"go1.16.1", "go1.16"} {
		tab.set("amd64", r, old)
		tab.set("arm64", r, old)
	}
	tab.set("amd64", "go1.20", mid)
	tab.set("arm64", "go1.20", mid)
	// laid out like the release before it, and yet not one of its releases
	tab.set("amd64", "go1.20+nobig", old)
	for _, x := range []string{"nobig", "arenas"} {
		tab.known[x] = true
	}
	text := tab.write(fields)
	file := writeFile(t, t.TempDir(), "t.inc", text)
	got, hash, err := readTable(file)
	if err != nil || hash != fieldsHash(fields) {
		t.Fatal(hash, err)
	}
	if !reflect.DeepEqual(got, tab) {
		t.Errorf("read back %v, want %v", got, tab)
	}
	if again := got.write(fields); again != text {
		t.Errorf("written again:\n%s\nfirst:\n%s", again, text)
	}
	if !strings.Contains(text, `"go1.16 go1.16.1"`) {
		t.Errorf("releases with one layout are not one entry, oldest first:\n%s", text)
	}
	if !strings.Contains(text, `"go1.20+nobig"`) || !strings.Contains(text, `"arenas " "nobig "`) {
		t.Errorf("experiments are not told apart:\n%s", text)
	}
	made := newTable()
	made.set("amd64", "go1.20", old)
	tab.replace("go1.20", made)
	if rows := tab.rows["amd64"]; rows["go1.20"] != old || rows["go1.20+nobig"] != nil || len(rows) != 3 {
		t.Errorf("a release made again: %v", rows)
	}
	fields[1].paths = []string{"y"}
	if hash == fieldsHash(fields) {
		t.Error("another path, the same hash")
	}
}

func TestExperimentToggles(t *testing.T) {
	dir := t.TempDir()
	for _, x := range []string{"arenas", "spin", "staticlockranking"} {
		writeFile(t, dir, "src/internal/goexperiment/exp_"+x+"_on.go", "package goexperiment\n")
	}
	tags := []string{"goexperiment.spin", "goexperiment.other"}
	toggles, err := experimentToggles(dir, tags)
	if err != nil || strings.Join(toggles, " ") != "arenas nospin" {
		t.Errorf("%v %v", toggles, err)
	}
	for toggle, want := range map[string]string{
		"arenas": "goexperiment.spin goexperiment.other goexperiment.arenas",
		"nospin": "goexperiment.other",
	} {
		if got := strings.Join(toggled(tags, toggle), " "); got != want {
			t.Errorf("%s: %s", toggle, got)
		}
	}
}
