#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# gctrace.sh OUTPUT [RELEASE…]: builds gcloop with every Go release (those of the file releases), plain,
# stripped and PIE, and holds `watch --gctrace` on each against the lines that the program prints itself:
# forced cycles, and those that come by allocating. Then without GODEBUG against debug.ReadGCStats. And
# what the code says of the collector's variables against the symbols, for arm64 too, and for -N -l.
# CYCLES=1000. Prints a line each and "N passed, N failed, N skipped".
OUTPUT=${1:-build}
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/watch.sh"
. "$(dirname "$0")/../e2e/gctrace.sh"
. "$(dirname "$0")/toolchain.sh"
need_probes
need_tool jq
CYCLES=${CYCLES:-1000}
passed=0 failed=0 skipped=0

gcloop() { # OUT ARCH FLAG…: with $TOOLCHAIN
	local src out=$1 arch=$2
	src=$GO_MATRIX/gcloop-$(release_of "$TOOLCHAIN")
	shift 2
	mkdir -p "$src"
	cp "$ROOT"/tests/targets/gcloop/main.go "$src/"
	printf 'module rsscope.test/gcloop\n\ngo 1.%s\n' "$(minor_of "$(release_of "$TOOLCHAIN")")" >"$src/go.mod"
	(cd "$src" && GOROOT=$TOOLCHAIN GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS='' GOWORK=off \
		GOCACHE=$GO_MATRIX_BUILD CGO_ENABLED=0 GOARCH=$arch "$TOOLCHAIN/bin/go" build "$@" -o "$out" .) >"$TMP/build" 2>&1 ||
		fail "building $out: $(tail -n 2 "$TMP/build" | tr '\n' ' ')"
}
code() { # RELEASE
	local exe=$GO_MATRIX/$1-gcloop a
	for a in amd64 arm64; do
		gcloop "$exe-$a" $a
		gcloop "$exe-$a-pie" $a -buildmode=pie
		gcloop "$exe-$a-plain" $a '-gcflags=all=-N -l'
	done
	"$TMP/gccode" "$exe"-{amd64,arm64}{,-pie,-plain} >"$TMP/code" || fail "the code: $(grep -v ^ok "$TMP/code")"
}
release() { # RELEASE
	local exe=$GO_MATRIX/$1-gcloop
	code "$1"
	gcloop "$exe-stripped" "$(go_arch)" '-ldflags=-s -w'
	gcloop "$exe-stripped-pie" "$(go_arch)" -buildmode=pie '-ldflags=-s -w'
	gctrace_run "$exe-stripped" -free -cycles "$CYCLES" -depth 12
	equal "$1: forced" "$TRACED" "$CYCLES"
	gctrace_run "$exe-stripped" -auto -cycles "$CYCLES" -depth 14
	between "$1: automatic" "$CYCLES" "$TRACED" $((CYCLES + 10))
	gctrace_run "$exe-stripped-pie" -free -cycles 100 -depth 12
	equal "$1: PIE" "$TRACED" 100
	gc_stats_run "$exe-stripped" -free -cycles "$CYCLES" -depth 12
	equal "$1: against ReadGCStats" "$TRACED" "$CYCLES"
}

cc -std=gnu11 -D_GNU_SOURCE -O1 -I"$ROOT/src" -I"$ROOT/include" -o "$TMP/gccode" "$ROOT/tests/go-matrix/gccode.c" \
	"$OUTPUT/librsscope.a" -lelf -lz -ljansson || die "gccode does not build"
releases=$(wanted_releases "$@")
mkdir -p "$GO_MATRIX"
for r in $releases; do
	FAILURES=0
	if ! toolchain "$r" >"$TMP/get" 2>&1; then
		echo "SKIP $r: $(tail -n 1 "$TMP/get")"
		skipped=$((skipped + 1))
		continue
	fi
	release "$r"
	if [ $FAILURES = 0 ]; then
		echo "ok   $r"
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
