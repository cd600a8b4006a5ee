// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tree type-checks packages of one Go source tree, as that release builds them for linux/arch.
// Nothing is compiled, and function bodies are skipped: declarations alone fix every layout.
type tree struct {
	root  string
	ctx   build.Context
	fset  *token.FileSet
	pkgs  map[string]*types.Package
	files map[string][]*ast.File
	errs  []error
}

func openTree(root, release, arch string, tags []string) (*tree, error) {
	var releaseTags []string
	for i := 1; i <= versionNumber(release)/10000; i++ {
		releaseTags = append(releaseTags, fmt.Sprintf("go1.%d", i))
	}
	return &tree{
		root: root,
		ctx: build.Context{GOOS: "linux", GOARCH: arch, GOROOT: root, Compiler: "gc",
			ToolTags: tags, ReleaseTags: releaseTags},
		fset:  token.NewFileSet(),
		pkgs:  map[string]*types.Package{"unsafe": types.Unsafe},
		files: map[string][]*ast.File{},
	}, nil
}

// zversion stands in for the file that building Go writes: a tree that was never built lacks it.
const zversion = "package sys\n" +
	"const TheVersion = ``\nconst Goexperiment = ``\nconst StackGuardMultiplierDefault = 1\n"

// Import implements types.Importer.
func (t *tree) Import(path string) (*types.Package, error) {
	if pkg := t.pkgs[path]; pkg != nil {
		return pkg, nil
	}
	dir := filepath.Join(t.root, "src", path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	built := false
	for _, e := range entries {
		name := e.Name()
		built = built || name == "zversion.go"
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if ok, err := t.ctx.MatchFile(dir, name); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		f, err := parser.ParseFile(t.fset, filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		t.files[path] = append(t.files[path], f)
	}
	if (path == "runtime/internal/sys" || path == "internal/runtime/sys") && !built {
		f, err := parser.ParseFile(t.fset, "zversion.go", zversion, 0)
		if err != nil {
			return nil, err
		}
		t.files[path] = append(t.files[path], f)
	}
	conf := types.Config{Importer: t, Sizes: gcSizes{}, IgnoreFuncBodies: true,
		Error: func(err error) { t.errs = append(t.errs, err) }}
	pkg, _ := conf.Check(path, t.fset, t.files[path], nil)
	t.pkgs[path] = pkg
	return pkg, nil
}

// lookup finds a name in package runtime or, when it has a path, in that package; nil when the
// release has no such package or name.
func (t *tree) lookup(name string) types.Object {
	path, name := splitName(name)
	if _, err := os.Stat(filepath.Join(t.root, "src", path)); err != nil {
		return nil
	}
	pkg, err := t.Import(path)
	if err != nil {
		t.errs = append(t.errs, err)
		return nil
	}
	return pkg.Scope().Lookup(name)
}

// structOf returns the type of that name, or of the variable of that name, if it is a struct.
func (t *tree) structOf(names []string) *types.Struct {
	for _, name := range names {
		if obj := t.lookup(name); obj != nil {
			if s, ok := obj.Type().Underlying().(*types.Struct); ok {
				return s
			}
		}
	}
	return nil
}

// member follows a dotted path: the offset in s, and the type, of its last field.
func member(s *types.Struct, path string) (off int64, typ types.Type, ok bool) {
	first, rest, more := strings.Cut(path, ".")
	for i := 0; i < s.NumFields(); i++ {
		if s.Field(i).Name() != first {
			continue
		}
		off, typ = structOffsets(s)[i], s.Field(i).Type()
		if !more {
			return off, typ, true
		}
		inner, isStruct := typ.Underlying().(*types.Struct)
		if !isStruct {
			return 0, nil, false
		}
		o, typ, ok := member(inner, rest)
		return off + o, typ, ok
	}
	return 0, nil, false
}

// value is what the release has for a field of the list.
func (t *tree) value(f field) (v int64, ok bool) {
	if f.kind == "CONST" {
		for _, name := range f.names {
			if c, isConst := t.lookup(name).(*types.Const); isConst {
				return constValue(c.Val())
			}
		}
		return 0, false
	}
	s := t.structOf(f.names)
	if s == nil {
		return 0, false
	}
	if f.kind == "SIZE" {
		return gcSizes{}.Sizeof(s), true
	}
	for _, path := range f.paths {
		if off, typ, ok := member(s, path); ok {
			if f.kind == "WIDTH" {
				return gcSizes{}.Sizeof(typ), true
			}
			return off, true
		}
	}
	return 0, false
}

func constValue(v constant.Value) (int64, bool) {
	v = constant.ToInt(v)
	if n, exact := constant.Int64Val(v); exact {
		return n, true
	}
	n, exact := constant.Uint64Val(v) // an address: its bits
	return int64(n), exact
}

// sizeClasses reads the table of size classes: a variable's initialiser.
func (t *tree) sizeClasses() ([]int64, error) {
	for _, name := range []string{"class_to_size", "internal/runtime/gc.SizeClassToSize"} {
		obj, ok := t.lookup(name).(*types.Var)
		if !ok {
			continue
		}
		pkg, id := splitName(name)
		for _, f := range t.files[pkg] {
			if spec := valueSpec(f, id); spec != nil && len(spec.Values) == 1 {
				return intList(spec.Values[0])
			}
		}
		return nil, fmt.Errorf("%v: no initialiser found", obj)
	}
	return nil, errors.New("no table of size classes")
}

// waitReasons reads the texts of why goroutines wait, by number: a variable's initialiser, whose keys
// are constants.
func (t *tree) waitReasons() ([]string, error) {
	for _, f := range t.files["runtime"] {
		spec := valueSpec(f, "waitReasonStrings")
		if spec == nil || len(spec.Values) != 1 {
			continue
		}
		lit, ok := spec.Values[0].(*ast.CompositeLit)
		if !ok {
			return nil, fmt.Errorf("a %T instead of a list of texts", spec.Values[0])
		}
		texts := map[int64]string{}
		for _, el := range lit.Elts {
			n, text, err := t.waitReason(el)
			if err != nil {
				return nil, err
			}
			texts[n] = text
		}
		list := make([]string, len(texts))
		for n, text := range texts {
			if n < 0 || n >= int64(len(list)) {
				return nil, fmt.Errorf("wait reason %d, of %d", n, len(list))
			}
			list[n] = text
		}
		return list, nil
	}
	return nil, errors.New("no list of wait reasons")
}

// waitReason reads one of them: waitReasonSleep: "sleep".
func (t *tree) waitReason(e ast.Expr) (n int64, text string, err error) {
	kv, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return 0, "", fmt.Errorf("a %T in a list of wait reasons", e)
	}
	key, isName := kv.Key.(*ast.Ident)
	lit, isText := kv.Value.(*ast.BasicLit)
	if !isName || !isText {
		return 0, "", fmt.Errorf("a %T: %T in a list of wait reasons", kv.Key, kv.Value)
	}
	c, ok := t.lookup(key.Name).(*types.Const)
	if !ok {
		return 0, "", fmt.Errorf("%s is no constant", key.Name)
	}
	if n, ok = constValue(c.Val()); !ok {
		return 0, "", fmt.Errorf("%s is no integer", key.Name)
	}
	text, err = strconv.Unquote(lit.Value)
	return n, text, err
}

func valueSpec(f *ast.File, name string) *ast.ValueSpec {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if v, ok := s.(*ast.ValueSpec); ok && len(v.Names) == 1 && v.Names[0].Name == name {
				return v
			}
		}
	}
	return nil
}

func intList(e ast.Expr) ([]int64, error) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil, fmt.Errorf("a %T instead of a list of numbers", e)
	}
	var list []int64
	for _, el := range lit.Elts {
		b, ok := el.(*ast.BasicLit)
		if !ok {
			return nil, fmt.Errorf("a %T in a list of numbers", el)
		}
		n, err := strconv.ParseInt(b.Value, 0, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// readTree makes the layout of one release on one architecture; packages are those it read.
func readTree(root, release, arch string, tags []string, fields []field) (l *layout, packages []string, err error) {
	t, err := openTree(root, release, arch, tags)
	if err != nil {
		return nil, nil, err
	}
	if _, err := t.Import("runtime"); err != nil {
		return nil, nil, err
	}
	l = &layout{values: map[string]int64{}}
	for _, f := range fields {
		if v, ok := t.value(f); ok {
			l.values[f.id] = v
		}
	}
	if l.classes, err = t.sizeClasses(); err != nil {
		return nil, nil, err
	}
	if l.reasons, err = t.waitReasons(); err != nil {
		return nil, nil, err
	}
	// A declaration that this program's go/types does not understand may hide a field.
	if len(t.errs) > 0 {
		return nil, nil, fmt.Errorf("%d type errors (is this Go older than %s?), the first: %v",
			len(t.errs), release, t.errs[0])
	}
	for path := range t.files {
		packages = append(packages, path)
	}
	return l, packages, nil
}
