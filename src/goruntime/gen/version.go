// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"regexp"
	"strconv"
)

var versionRE = regexp.MustCompile(`^go1\.(\d+)(?:\.(\d+))?$`)

// versionNumber orders releases: 10000·minor + patch of "go1.MINOR[.PATCH]", -1 for anything else.
func versionNumber(release string) int {
	m := versionRE.FindStringSubmatch(release)
	if m == nil {
		return -1
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2])
	return 10000*minor + patch
}
