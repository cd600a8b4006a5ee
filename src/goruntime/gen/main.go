// SPDX-License-Identifier: BSD-2-Clause

// Writes ../layouts.inc, the table of the Go runtime's structure layouts, from Go source trees: see
// doc/go-releases.md. Standard library only, Go 1.19 or newer; a tree newer than the Go that runs
// this may need that newer Go.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go-layouts:", err)
		os.Exit(1)
	}
}

// roots collects -goroot flags: release → source tree.
type roots map[string]string

func (r roots) String() string { return "" }

func (r roots) Set(s string) error {
	release, dir, ok := strings.Cut(s, "=")
	if !ok || versionNumber(release) < 0 {
		return fmt.Errorf("want go1.X.Y=DIR")
	}
	r[release] = dir
	return nil
}

func run() error {
	trees := roots{}
	flag.Var(trees, "goroot", "`RELEASE=DIR`: read this source tree, e.g. go1.19.8=/usr/lib/go-1.19 (repeatable)")
	releases := flag.String("releases", "", "download these, comma-separated: go1.27.1,go1.27.2; \"table\": all in the table")
	cache := flag.String("cache", "", "keep what is read of downloaded releases in this `directory`, and use it")
	fieldsFile := flag.String("fields", "../fields.def", "the list of used fields")
	out := flag.String("out", "../layouts.inc", "the table: rows of releases not named are kept")
	dwarfOf := flag.String("dwarf", "", "print what this `binary`'s DWARF says of each field, and write nothing")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is not an option; see -help", flag.Arg(0))
	}
	fields, err := readFields(*fieldsFile)
	if err != nil {
		return err
	}
	if *dwarfOf != "" {
		return printDwarf(os.Stdout, *dwarfOf, fields)
	}
	tab, hash, err := readTable(*out)
	if err != nil {
		return err
	}
	wanted, err := wantedReleases(*releases, tab)
	if err != nil {
		return err
	}
	if hash != fieldsHash(fields) {
		for _, r := range tab.releases() {
			if trees[r] == "" && !contains(wanted, r) {
				return fmt.Errorf("%s changed, and the table's row for %s was made from the older list: "+
					"regenerate all rows, GO_LAYOUT_ARGS='-releases table -cache DIR'", *fieldsFile, r)
			}
		}
	}
	failed := 0
	for release, dir := range trees {
		if _, err := add(tab, release, dir, fields); err != nil {
			return err
		}
	}
	for _, release := range wanted {
		if err := addDownloaded(tab, release, *cache, fields); err != nil {
			fmt.Fprintf(os.Stderr, "go-layouts: %s: %v\n", release, err)
			failed++
		}
	}
	if hash != fieldsHash(fields) && failed > 0 {
		return fmt.Errorf("%d releases failed, and the list of fields changed: nothing written", failed)
	}
	if err := os.WriteFile(*out, []byte(tab.write(fields)), 0o666); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d releases failed; the rest is written", failed)
	}
	return nil
}

func wantedReleases(list string, tab *table) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	if list == "table" {
		return tab.releases(), nil
	}
	wanted := strings.Split(list, ",")
	for _, r := range wanted {
		if versionNumber(r) < 0 {
			return nil, fmt.Errorf("-releases: %q is not a release such as go1.19 or go1.27.1", r)
		}
	}
	return wanted, nil
}

// add puts the layouts of one source tree into the table; packages are those it read.
func add(tab *table, release, root string, fields []field) (packages []string, err error) {
	made := newTable()
	for _, arch := range arches {
		read, err := readArch(made, release, root, arch, fields)
		if err != nil {
			return nil, fmt.Errorf("%s %s%v", release, arch, err)
		}
		packages = append(packages, read...)
		fmt.Fprintf(os.Stderr, "%s %s: %d of %d fields, %d size classes\n", release, arch,
			len(made.rows[arch][release].values), len(fields), len(made.rows[arch][release].classes))
	}
	tab.replace(release, made)
	return packages, nil
}

// readArch makes the layout of one architecture, and those of the experiments that move a field of it.
func readArch(made *table, release, root, arch string, fields []field) (packages []string, err error) {
	tags, err := experimentTags(root, arch)
	if err != nil {
		return nil, fmt.Errorf(": %v", err)
	}
	base, packages, err := readTree(root, release, arch, tags, fields)
	if err != nil {
		return nil, fmt.Errorf(": %v", err)
	}
	made.set(arch, release, base)
	toggles, err := experimentToggles(root, tags)
	if err != nil {
		return nil, fmt.Errorf(": %v", err)
	}
	text, err := sourceText(root, packages)
	if err != nil {
		return nil, fmt.Errorf(": %v", err)
	}
	for _, x := range toggles {
		made.known[x] = true
		if !strings.Contains(text, "goexperiment."+strings.TrimPrefix(x, "no")) {
			continue
		}
		l, read, err := readTree(root, release, arch, toggled(tags, x), fields)
		if err != nil && strings.HasPrefix(x, "regabi") {
			continue // parts of a calling convention that the architecture does not have yet
		} else if err != nil {
			return nil, fmt.Errorf(" with %s: %v", x, err)
		}
		if l.key(fields) != base.key(fields) {
			made.set(arch, release+"+"+x, l)
		}
		packages = append(packages, read...)
	}
	return packages, nil
}

func addDownloaded(tab *table, release, cache string, fields []field) error {
	kept := filepath.Join(cache, release)
	if cache != "" {
		if _, err := os.Stat(kept); err == nil {
			_, err := add(tab, release, kept, fields)
			return err
		}
	}
	root, remove, err := download(release)
	if err != nil {
		return err
	}
	defer remove()
	packages, err := add(tab, release, root, fields)
	if err != nil || cache == "" {
		return err
	}
	return keep(root, kept, packages)
}
