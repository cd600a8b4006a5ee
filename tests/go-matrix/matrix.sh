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

cell() { # RELEASE VARIANT
	local exe=$GO_MATRIX/$1-$2
	target_flags "$2"
	if ! build_target "$TOOLCHAIN" "$exe" $CGO "${FLAGS[@]}" >"$TMP/build" 2>&1; then
		echo "FAIL $1 $2: building: $(tail -n 2 "$TMP/build" | tr '\n' ' ')"
		return 1
	fi
	timeout -k 10 600 bash "$ROOT/tests/go-matrix/cell.sh" "$OUTPUT" "$exe" "$1" >"$TMP/cell" 2>&1 && return
	echo "FAIL $1 $2"
	head -n 12 "$TMP/cell" | sed 's/^/    /'
	return 1
}

releases=$(wanted_releases "$@")
mkdir -p "$GO_MATRIX"
for r in $releases; do
	have=1
	toolchain "$r" >"$TMP/get" 2>&1 || {
		have=0
		echo "SKIP $r: $(tail -n 1 "$TMP/get")"
	}
	for v in $VARIANTS; do
		if [ $have = 0 ]; then
			CELL[$r,$v]=- skipped=$((skipped + 1))
		elif cell "$r" "$v"; then
			CELL[$r,$v]=ok passed=$((passed + 1))
		else
			CELL[$r,$v]=FAIL failed=$((failed + 1))
		fi
	done
done
printf '\n%-12s' ''
printf '%-15s' $VARIANTS
for r in $releases; do
	printf '\n%-12s' "$r"
	for v in $VARIANTS; do
		printf '%-15s' "${CELL[$r,$v]}"
	done
done
printf '\n\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
