// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"regexp"
	"strconv"
	"strings"
)

var versionRE = regexp.MustCompile(`^go1\.(\d+)(?:\.(\d+))?$`)

// plain is a row's release without the experiment that it was built with: "go1.26.8" of
// "go1.26.8+nogreenteagc".
func plain(row string) string {
	release, _, _ := strings.Cut(row, "+")
	return release
}

// versionNumber orders releases: 10000·minor + patch of "go1.MINOR[.PATCH]", -1 for anything else.
func versionNumber(release string) int {
	m := versionRE.FindStringSubmatch(plain(release))
	if m == nil {
		return -1
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2])
	return 10000*minor + patch
}
