#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The table of the Go runtime's layouts against the Go toolchains that are here: GO, else the one in
# PATH, and Debian's /usr/lib/go-1.*; or those given: go_layouts.sh …/bin/go …
# For each, on both architectures, and for each GOEXPERIMENT that has a row of its own: what a compiled
# program's own DWARF says of every field must equal what the C table says; generating the release's rows
# again must leave layouts.inc as it is.
# A release without a row gets one from the generator for this test: then that is what is proved.
# No root: a step of `make check` on its own.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "$(dirname "$0")/lib.sh"

GO=${GO:-$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || ls /usr/lib/go-1.*/bin/go 2>/dev/null | tail -n 1)}
[ -n "$GO" ] || skip no-go "no Go toolchain in PATH or /usr/local/go/bin"
export GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS="" GOWORK=off CGO_ENABLED=0 GOEXPERIMENT=""
[ -n "${HOME:-}" ] || export GOCACHE="$TMP/cache"
DEF=$ROOT/src/goruntime/fields.def
COMPARED=()

# What prints the C table: "ID VALUE" lines for ARCH RELEASE; status 3 if it has no such row.
cat >"$TMP/table.c" <<'EOF'
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
build_table() { # INCLUDE-DIR OUTPUT: with the layouts.inc of that folder
	${CC:-cc} -std=gnu11 -I"$1" -I"$ROOT/src" -o "$2" "$TMP/table.c" "$ROOT/src/goruntime/layout.c"
}

# Keeps the structures that rsscope reads from being dropped by the linker.
cat >"$TMP/main.go" <<'EOF'
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

compare() { # GO ARCH RELEASE[+EXPERIMENT] TABLE
	local bad n x=
	[[ $3 != *+* ]] || x=${3#*+}
	(cd "$TMP" && GOEXPERIMENT=$x GOARCH=$2 "$1" build -o prog main.go) >"$TMP/log" 2>&1 ||
		{ fail "$3 building for $2: $(tail -n 1 "$TMP/log")" && return; }
	"$TMP/gen" -fields "$DEF" -dwarf "$TMP/prog" >"$TMP/dwarf" 2>"$TMP/log" ||
		{ fail "$3 $2: reading DWARF: $(tail -n 1 "$TMP/log")" && return; }
	equal "the program's version" "$(head -n 1 "$TMP/dwarf")" "version $2 $3"
	"$4" "$2" "$3" >"$TMP/mine" || { fail "$3 $2: not in the table" && return; }
	# Each of DWARF's lines must be one of the table's; a struct that the linker dropped has none.
	sed -i 1d "$TMP/dwarf"
	bad=$(grep -vxF -f "$TMP/mine" "$TMP/dwarf" | cut -c 1-200 | tr '\n' ';')
	[ -z "$bad" ] || fail "$3 $2: DWARF says otherwise: $bad"
	n=$(wc -l <"$TMP/dwarf")
	[ "$n" -ge 150 ] || fail "$3 $2: DWARF has only $n fields of the list: the test sees too little"
	COMPARED+=("$3/$2: $n")
}

check_go() { # GO
	local release table=$TMP/table arch x
	release=$("$1" version | awk '{ print $3 }')
	mkdir -p "$TMP/inc/goruntime"
	cp "$ROOT/src/goruntime/layouts.inc" "$TMP/inc/goruntime/"
	if "$TMP/gen" -fields "$DEF" -out "$TMP/inc/goruntime/layouts.inc" \
		-goroot "$release=$("$1" env GOROOT)" 2>"$TMP/log"; then
		if ! "$TMP/table" amd64 "$release" >/dev/null; then
			echo "layouts.inc has no row for $release (doc/go-releases.md adds it): a fresh one is compared"
			table=$TMP/table.new
			build_table "$TMP/inc" "$table" || die "the generated table does not compile"
		else
			cmp -s "$ROOT/src/goruntime/layouts.inc" "$TMP/inc/goruntime/layouts.inc" ||
				fail "$release: its row is not what its sources give: $(diff "$ROOT/src/goruntime/layouts.inc" "$TMP/inc/goruntime/layouts.inc" | sed -n 2,3p | tr '\n' ';')"
		fi
	elif [ "$1" = "$GO" ] || ! grep -q 'type errors' "$TMP/log"; then
		fail "$release: generating its row: $(tail -n 1 "$TMP/log")"
	fi # else a Go older than the source that it was to read
	for arch in amd64 arm64; do
		compare "$1" $arch "$release" "$table"
		# shellcheck disable=SC2013 # words
		for x in $(grep -o "\b$release+[a-z0-9]*" "$TMP/inc/goruntime/layouts.inc" | sort -u); do
			compare "$1" $arch "$x" "$table"
		done
	done
}

build_table "$ROOT/src" "$TMP/table" || die "the table does not compile"
cd "$ROOT/src/goruntime/gen" || die "no generator"
"$GO" build -buildvcs=false -o "$TMP/gen" . || die "building the generator with $("$GO" version)"
"$GO" test ./... >"$TMP/log" 2>&1 || fail "the generator's own tests: $(tail -n 20 "$TMP/log")"
# shellcheck disable=SC2046 # words
[ $# -gt 0 ] || set -- "$GO" $(ls /usr/lib/go-1.*/bin/go 2>/dev/null)
for go; do
	check_go "$go"
done
finish "values equal to DWARF's: $(printf '%s, ' "${COMPARED[@]}" | sed 's/, $//')"
