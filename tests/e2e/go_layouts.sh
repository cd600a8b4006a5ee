#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# go_layouts.sh [GO…]: the table of the Go runtime's layouts against the Go toolchains that are here
# (GO, else the one in PATH; Debian's /usr/lib/go-1.*). For each of them and both architectures:
# - what a compiled program's own DWARF says of every field must equal what the C table says;
# - generating the release's row again from its GOROOT must leave layouts.inc as it is.
# Before that, the generator's own tests. No root. A release that the table does not have is
# skipped: doc/go-releases.md tells how to add it.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0
export GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS= GOWORK=off CGO_ENABLED=0 GOEXPERIMENT=
[ -n "${HOME:-}" ] || export GOCACHE="$dir/cache"

pass() { passed=$((passed + 1)); }
fail() {
	echo "FAIL go_layouts: $1"
	failed=$((failed + 1))
}
skip() {
	echo "SKIP $1"
	skipped=$((skipped + 1))
}
finish() {
	echo "go_layouts: $passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
	exit
}

# table ARCH RELEASE: the C table's "ID VALUE" lines; status 3 if it has no such release.
build_table() {
	cat >"$dir/table.c" <<-'EOF'
		#include "goruntime/layout.h"
		#include <inttypes.h>
		#include <stdio.h>
		static const char *const names[] = {
		#define SIZE(id, s)	[GO_SIZE_##id] = "SIZE_" #id,
		#define FIELD(id, s, f) [GO_##id] = #id,
		#define WIDTH(id, s, f) [GO_##id] = #id,
		#define CONST(id, n)	[GO_CONST_##id] = "CONST_" #id,
		#include "goruntime/fields.def"
		};
		int main(int argc, char **argv)
		{
			const struct go_layout *l = argc == 3 ? go_layout_find(argv[2], argv[1]) : NULL;

			if (!l)
				return 3;
			for (int i = 0; i < GO_FIELD_COUNT; i++) {
				if (go_has(l, i))
					printf("%s %" PRId64 "\n", names[i], go_off(l, i));
				else
					printf("%s absent\n", names[i]);
			}
			printf("classes");
			for (uint32_t i = 0; i < l->nclasses; i++)
				printf(" %" PRIu32, l->class_size[i]);
			printf("\n");
			return 0;
		}
	EOF
	${CC:-cc} -std=gnu11 -I"$top/src" -o "$dir/table" "$dir/table.c" "$top/src/goruntime/layout.c"
}

# Keeps the structures that rsscope reads from being dropped by the linker.
cat >"$dir/main.go" <<'EOF'
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
)

func main() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(50)
	pprof.Lookup("heap").WriteTo(os.Stdout, 1)
}
EOF

# Compares the C table with the DWARF of a program built by Go $1 for GOARCH $2.
check_dwarf() {
	(cd "$dir" && GOARCH=$2 "$1" build -o prog main.go) >"$dir/log" 2>&1 || {
		fail "$1 build for $2: $(tail -n 1 "$dir/log")"
		return
	}
	"$dir/gen" -fields "$top/src/goruntime/fields.def" -dwarf "$dir/prog" >"$dir/dwarf" 2>"$dir/log" || {
		fail "reading DWARF of a program by $1: $(cat "$dir/log")"
		return
	}
	version=$(awk '$1 == "version" { print $3 }' "$dir/dwarf")
	"$dir/table" "$2" "$version" >"$dir/mine" || {
		skip "no-row: layouts.inc has no row for $version $2: see doc/go-releases.md"
		return
	}
	# Every line of DWARF's must be one of the table's; a struct dropped by the linker has none.
	if ! bad=$(grep -v '^version ' "$dir/dwarf" | grep -vxF -f "$dir/mine"); then
		n=$(grep -cv '^version ' "$dir/dwarf")
		if [ "$n" -lt 100 ]; then
			fail "$version $2: DWARF has only $n fields of the list: the test sees too little"
		else
			pass
			[ -z "${V:-}" ] || echo "ok $version $2: $n values equal to DWARF's"
		fi
	else
		fail "$version $2: DWARF says otherwise: $(echo "$bad" | tr '\n' ';')"
	fi
}

check_again() {
	version=$("$1" version | awk '{ print $3 }')
	"$dir/table" amd64 "$version" >/dev/null || return
	cp "$top/src/goruntime/layouts.inc" "$dir/again.inc"
	"$dir/gen" -fields "$top/src/goruntime/fields.def" -out "$dir/again.inc" \
		-goroot "$version=$("$1" env GOROOT)" 2>"$dir/log" || {
		if [ "$1" != "$go" ] && grep -q 'type errors' "$dir/log"; then
			skip "older-go: $("$go" version) can't read the source of $version"
		else
			fail "$version: generating its row: $(tail -n 1 "$dir/log")"
		fi
		return
	}
	if cmp -s "$top/src/goruntime/layouts.inc" "$dir/again.inc"; then
		pass
	else
		fail "$version: its row is not what its sources give: $(diff "$top/src/goruntime/layouts.inc" "$dir/again.inc" | sed -n 2p)"
	fi
}

go=${GO:-$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || ls /usr/lib/go-1.*/bin/go 2>/dev/null | tail -n 1)}
[ -n "$go" ] || {
	skip "no-go: no Go toolchain in PATH or /usr/local/go/bin"
	finish
}
build_table || {
	fail "compiling the table"
	finish
}
(cd "$top/src/goruntime/gen" && "$go" build -buildvcs=false -o "$dir/gen" .) || {
	fail "building the generator with $("$go" version)"
	finish
}
if (cd "$top/src/goruntime/gen" && "$go" test ./... >"$dir/log" 2>&1); then
	pass
else
	fail "the generator's own tests: $(cat "$dir/log")"
fi
[ $# -gt 0 ] || set -- "$go" $(ls /usr/lib/go-1.*/bin/go 2>/dev/null)
for g; do
	for arch in amd64 arm64; do
		check_dwarf "$g" $arch
	done
	check_again "$g"
done
finish
