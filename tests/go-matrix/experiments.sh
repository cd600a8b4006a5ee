#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# experiments.sh OUTPUT [RELEASE…]: builds the matrix target, stripped, with the GOEXPERIMENTs of the file
# experiments, and holds the report on each against what the program itself says (cell.sh), or against
# the refusal (refused.sh). EXPERIMENTS="arenas nogreenteagc" picks. Prints a line each and
# "N passed, N failed, N skipped".
OUTPUT=${1:-build}
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/toolchain.sh"
need_root
need_tool jq
passed=0 failed=0 skipped=0

wanted() { # WORD LIST
	[ -z "$2" ] || [[ " $2 " == *" $1 "* ]]
}
cell() { # RELEASE EXPERIMENT[/cgo|/refused]
	local exe=$GO_MATRIX/$1-exp check=cell.sh cgo=0 x=${2%/*}
	case $2 in */cgo) cgo=1 ;; */refused) check=refused.sh ;; esac
	if ! EXPERIMENT=$x build_target "$TOOLCHAIN" "$exe" $cgo "-ldflags=-s -w" >"$TMP/build" 2>&1; then
		echo "FAIL $1 $2: building: $(tail -n 2 "$TMP/build" | tr '\n' ' ')"
		return 1
	fi
	# what a build says, that it was made so
	grep -aqE "$1[^[:cntrl:]]{0,3}X:[a-z0-9,]*${x%%,*}" "$exe" || {
		echo "FAIL $1 $2: the program's version does not name it"
		return 1
	}
	if ! EXPERIMENT=$x timeout -k 10 600 bash "$ROOT/tests/go-matrix/$check" "$OUTPUT" "$exe" "$1" >"$TMP/cell" 2>&1; then
		echo "FAIL $1 $2"
		head -n 12 "$TMP/cell" | sed 's/^/    /'
		return 1
	fi
	echo "ok   $1 $2: $(tail -n 1 "$TMP/cell")"
}

while read -r release list; do
	wanted "$release" "$*" || continue
	have=1
	toolchain "$release" >"$TMP/get" 2>&1 || {
		have=0
		echo "SKIP $release: $(tail -n 1 "$TMP/get")"
	}
	for x in $list; do
		wanted "${x%/*}" "${EXPERIMENTS:-}" || continue
		if [ $have = 0 ]; then
			skipped=$((skipped + 1))
		elif cell "$release" "$x"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	done
done < <(grep -v '^#' "$ROOT/tests/go-matrix/experiments")
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
