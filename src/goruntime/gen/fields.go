// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// field is one line of fields.def: something of the runtime that rsscope uses.
type field struct {
	kind  string   // SIZE, FIELD, WIDTH or CONST
	id    string   // its enum go_field without the GO_: SIZE_MHEAP, MHEAP_ALLSPANS, CONST_X
	names []string // the struct, or the constant: alternatives, the first that exists counts
	paths []string // of FIELD and WIDTH: alternatives, dots descend into struct fields
}

var fieldRE = regexp.MustCompile(`^(SIZE|FIELD|WIDTH|CONST)\((\w+), "([^"]+)"(?:, "([^"]+)")?\)$`)

// readFields parses fields.def. Every line outside comments must be understood: an entry that the
// C compiler sees and this program does not would silently be absent everywhere.
func readFields(file string) ([]field, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	src := regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllStringFunc(string(text), func(c string) string {
		return strings.Repeat("\n", strings.Count(c, "\n"))
	})
	var fields []field
	seen := map[string]bool{}
	for i, line := range strings.Split(src, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		m := fieldRE.FindStringSubmatch(line)
		if m == nil || (m[4] != "") != (m[1] == "FIELD" || m[1] == "WIDTH") {
			return nil, fmt.Errorf("%s:%d: not SIZE, FIELD, WIDTH or CONST(ID, \"name\"…): %s", file, i+1, line)
		}
		f := field{kind: m[1], id: m[2], names: strings.Split(m[3], "|")}
		switch f.kind {
		case "SIZE", "CONST":
			f.id = f.kind + "_" + f.id
		default:
			f.paths = strings.Split(m[4], "|")
		}
		if seen[f.id] {
			return nil, fmt.Errorf("%s:%d: %s is there twice", file, i+1, f.id)
		}
		seen[f.id] = true
		fields = append(fields, f)
	}
	return fields, nil
}

// String is the entry's meaning in one line: the table keeps it, so that rows made from another
// meaning are not mixed with new ones.
func (f field) String() string {
	return f.kind + " " + f.id + " " + strings.Join(f.names, "|") + " " + strings.Join(f.paths, "|")
}

// splitName gives the package and the name of "mheap" or "internal/runtime/gc.PageShift".
func splitName(s string) (pkg, name string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "runtime", s
}
