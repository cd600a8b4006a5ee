#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# matrix.sh OUTPUT [RELEASE…]: builds the matrix target with every Go release (those of the file
# releases; "local": those installed), pure and cgo, plain, stripped and PIE, and holds the report on
# each against what the program itself says, at quiet moments: every integer of runtime/metrics (of
# MemStats before 1.16) and the CPU classes must be equal, and the frozen ledger balance.
# VARIANTS="pure cgo-pie" picks. Prints a table, and "N passed, N failed, N skipped" of cells.
OUTPUT=${1:-build}
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/toolchain.sh"
need_root
need_tool jq
VARIANTS=${VARIANTS:-$ALL_VARIANTS}
passed=0 failed=0 skipped=0
declare -A CELL

# Builds all, in a process of its own, while those that are there are looked at: building takes two
# thirds of the time. What became of each is in the file RELEASE-VARIANT: ok, or what went wrong.
build_all() { # RELEASE…
	local r v
	for r in "$@"; do
		toolchain "$r" >"$TMP/get" 2>&1 || TOOLCHAIN=
		for v in $VARIANTS; do
			target_flags "$v"
			if [ -z "$TOOLCHAIN" ]; then
				echo "SKIP $r $v: $(tail -n 1 "$TMP/get")"
			elif build_target "$TOOLCHAIN" "$GO_MATRIX/$r-$v" $CGO "${FLAGS[@]}" >"$TMP/build" 2>&1; then
				echo ok
			else
				echo "FAIL $r $v: building: $(tail -n 2 "$TMP/build" | tr '\n' ' ')"
			fi >"$TMP/built/part"
			mv "$TMP/built/part" "$TMP/built/$r-$v"
		done
	done
}
cell() { # RELEASE VARIANT
	local exe=$GO_MATRIX/$1-$2 built=$TMP/built/$1-$2
	until [ -e "$built" ] || [ ! -d "/proc/$BUILDER" ]; do
		sleep 0.1
	done
	if [ "$(cat "$built")" != ok ]; then
		cat "$built"
		! grep -q ^SKIP "$built" || return 77
		return 1
	fi
	timeout -k 10 600 bash "$ROOT/tests/go-matrix/cell.sh" "$OUTPUT" "$exe" "$1" >"$TMP/cell" 2>&1 && return
	echo "FAIL $1 $2"
	head -n 12 "$TMP/cell" | sed 's/^/    /'
	return 1
}

releases=$(wanted_releases "$@")
mkdir -p "$GO_MATRIX" "$TMP/built"
# shellcheck disable=SC2086 # a list of words
build_all $releases &
BUILDER=$!
CHILDREN+=("$BUILDER")
for r in $releases; do
	for v in $VARIANTS; do
		cell "$r" "$v"
		case $? in
		0) CELL[$r,$v]=ok passed=$((passed + 1)) ;;
		77) CELL[$r,$v]=- skipped=$((skipped + 1)) ;;
		*) CELL[$r,$v]=FAIL failed=$((failed + 1)) ;;
		esac
	done
done
printf '\n%-12s' ''
# shellcheck disable=SC2086 # a list of words
printf '%-15s' $VARIANTS
for r in $releases; do
	printf '\n%-12s' "$r"
	for v in $VARIANTS; do
		printf '%-15s' "${CELL[$r,$v]}"
	done
done
printf '\n\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
