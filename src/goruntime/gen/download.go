// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// download fetches a release's toolchain module (checked by the go command as any module is) into a
// private module cache, so that only one is on disk at a time. remove deletes it.
func download(release string) (root string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "go-layouts-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	cmd := exec.Command("go", "mod", "download", "-modcacherw", "-json",
		"golang.org/toolchain@v0.0.1-"+release+".linux-amd64")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMODCACHE="+filepath.Join(dir, "mod"),
		"GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on", "GOFLAGS=")
	out, runErr := cmd.Output()
	var got struct{ Dir, Error string }
	if err := json.Unmarshal(out, &got); err != nil || got.Error != "" || got.Dir == "" {
		remove()
		if got.Error == "" {
			got.Error = fmt.Sprintf("go mod download: %v", runErr)
		}
		return "", nil, fmt.Errorf("%s", got.Error)
	}
	return got.Dir, remove, nil
}

// keep copies the part of a source tree that layouts come from, some 6 MB of 250: the packages that
// were read, and all of internal/, where other fields may need more.
func keep(root, to string, packages []string) error {
	part := to + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	subs := []string{"src/runtime", "src/internal"}
	for _, path := range packages {
		subs = append(subs, "src/"+path)
	}
	for _, sub := range subs {
		if err := keepGo(filepath.Join(root, sub), filepath.Join(part, sub)); err != nil {
			return err
		}
	}
	return os.Rename(part, to)
}

func keepGo(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir() && name != "testdata":
			err = keepGo(filepath.Join(from, name), filepath.Join(to, name))
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			err = copyFile(filepath.Join(from, name), filepath.Join(to, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o666)
}
