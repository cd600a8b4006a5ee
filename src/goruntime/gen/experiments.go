// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// experimentTags returns the goexperiment.* build tags that the release sets by default on
// linux/arch: they choose among the runtime's files (exp_spinbitmutex_on.go, …). The defaults are
// code, the `baseline` literal in internal/buildcfg's ParseGOEXPERIMENT, so that much of it is
// evaluated here; what is not understood is an error. No such file up to Go 1.16, no defaults then.
func experimentTags(root, arch string) ([]string, error) {
	file := filepath.Join(root, "src/internal/buildcfg/exp.go")
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return nil, nil
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range parsed.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "ParseGOEXPERIMENT" {
			continue
		}
		ev := evaluator{
			strs:  map[string]string{"goos": "linux", "goarch": arch},
			bools: map[string]bool{"true": true, "false": false},
		}
		for _, s := range fn.Body.List {
			if done, err := ev.stmt(s); err != nil {
				return nil, fmt.Errorf("%s: %v", file, err)
			} else if done {
				return ev.tags, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: no baseline in ParseGOEXPERIMENT", file)
}

// experimentToggles returns what GOEXPERIMENT can change in that release, one at a time: "arenas",
// "nogreenteagc". staticlockranking is left out: it moves nearly everything, for debugging only.
func experimentToggles(root string, tags []string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "src/internal/goexperiment/exp_*_on.go"))
	if err != nil {
		return nil, err
	}
	var toggles []string
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "exp_"), "_on.go")
		switch {
		case name == "staticlockranking":
		case contains(tags, "goexperiment."+name):
			toggles = append(toggles, "no"+name)
		default:
			toggles = append(toggles, name)
		}
	}
	return toggles, nil
}

// sourceText is all that those packages consist of, for any platform, in small letters: an experiment
// that it does not name ("goexperiment.x", as a build tag or as a constant) moves nothing.
func sourceText(root string, packages []string) (string, error) {
	var b strings.Builder
	for _, p := range packages {
		files, err := filepath.Glob(filepath.Join(root, "src", p, "*.go"))
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") || p == "internal/goexperiment" {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				return "", err
			}
			b.Write(text)
		}
	}
	return strings.ToLower(b.String()), nil
}

// toggled returns the tags with one experiment changed.
func toggled(tags []string, toggle string) []string {
	var v []string
	for _, t := range tags {
		if t != "goexperiment."+strings.TrimPrefix(toggle, "no") {
			v = append(v, t)
		}
	}
	if len(v) == len(tags) {
		v = append(v, "goexperiment."+toggle)
	}
	return v
}

type evaluator struct {
	strs  map[string]string
	bools map[string]bool
	tags  []string
}

// stmt runs one statement; done when it was the one that sets baseline.
func (ev *evaluator) stmt(s ast.Stmt) (done bool, err error) {
	switch s := s.(type) {
	case *ast.DeclStmt:
		for _, spec := range s.Decl.(*ast.GenDecl).Specs {
			for _, n := range spec.(*ast.ValueSpec).Names {
				ev.bools[n.Name] = false
			}
		}
		return false, nil
	case *ast.SwitchStmt:
		return false, ev.switchStmt(s)
	case *ast.AssignStmt:
		if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
			break
		}
		name, ok := s.Lhs[0].(*ast.Ident)
		if !ok {
			break
		}
		if name.Name == "baseline" {
			return true, ev.baseline(s.Rhs[0])
		}
		ev.bools[name.Name], err = ev.expr(s.Rhs[0])
		return false, err
	}
	return false, fmt.Errorf("a %T before baseline is beyond this program", s)
}

func (ev *evaluator) switchStmt(s *ast.SwitchStmt) error {
	tag, ok := s.Tag.(*ast.Ident)
	if !ok || ev.strs[tag.Name] == "" {
		return fmt.Errorf("a switch on %v is beyond this program", s.Tag)
	}
	for _, c := range s.Body.List {
		clause := c.(*ast.CaseClause)
		for _, e := range clause.List {
			if str(e) != ev.strs[tag.Name] {
				continue
			}
			for _, inner := range clause.Body {
				if _, err := ev.stmt(inner); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return nil
}

func (ev *evaluator) baseline(e ast.Expr) error {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return fmt.Errorf("baseline is a %T, not a literal", e)
	}
	for _, el := range lit.Elts {
		kv, ok := el.(*ast.KeyValueExpr)
		if !ok {
			return fmt.Errorf("baseline has an element without a name")
		}
		on, err := ev.expr(kv.Value)
		if err != nil {
			return err
		}
		if on {
			name := strings.ToLower(kv.Key.(*ast.Ident).Name)
			ev.tags = append(ev.tags, "goexperiment."+name)
		}
	}
	return nil
}

func (ev *evaluator) expr(e ast.Expr) (bool, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return ev.expr(e.X)
	case *ast.Ident:
		if v, ok := ev.bools[e.Name]; ok {
			return v, nil
		}
		return false, fmt.Errorf("%s is not known", e.Name)
	case *ast.UnaryExpr:
		v, err := ev.expr(e.X)
		if err == nil && e.Op != token.NOT {
			err = fmt.Errorf("operator %v is beyond this program", e.Op)
		}
		return !v, err
	case *ast.BinaryExpr:
		return ev.binary(e)
	}
	return false, fmt.Errorf("a %T is beyond this program", e)
}

func (ev *evaluator) binary(e *ast.BinaryExpr) (bool, error) {
	if e.Op == token.EQL || e.Op == token.NEQ {
		x, ok := e.X.(*ast.Ident)
		if !ok || ev.strs[x.Name] == "" {
			return false, fmt.Errorf("comparing %v is beyond this program", e.X)
		}
		return (ev.strs[x.Name] == str(e.Y)) == (e.Op == token.EQL), nil
	}
	x, err := ev.expr(e.X)
	if err != nil {
		return false, err
	}
	y, err := ev.expr(e.Y)
	if err != nil {
		return false, err
	}
	switch e.Op {
	case token.LAND:
		return x && y, nil
	case token.LOR:
		return x || y, nil
	}
	return false, fmt.Errorf("operator %v is beyond this program", e.Op)
}

// str is the value of a string literal, "" of anything else.
func str(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}
