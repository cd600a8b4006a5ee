#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Unusual builds: -race, without optimisation, GOEXPERIMENTs; those that move the runtime's fields are refused. The
# books equal the program's own, or the refusal says why and the kernel's ledger is printed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq gcc
B=$OUTPUT/builds
mkdir -p "$B"
tree=$(local_toolchains | head -n 1)
release=$(release_of "$tree")
toolchain "$release"
cells=0

build() { # NAME CGO FLAG…: stripped, in EXE
	EXE=$B/$1
	build_target "$TOOLCHAIN" "$EXE" "$2" "-ldflags=-s -w" "${@:3}" >"$TMP/build" 2>&1 || die "$1: building: $(tail -n 3 "$TMP/build")"
}
cell() { # NAME
	bash "$ROOT/tests/go-matrix/cell.sh" "$OUTPUT" "$EXE" "$release" >"$TMP/cell" 2>&1 || fail "$1: $(head -n 6 "$TMP/cell")"
	echo "$1: $(tail -n 1 "$TMP/cell")"
	cells=$((cells + 1))
}

# The race detector's traces and allocator have no owner; its shadow does.
build race 1 -race
UNEXPLAINED=$((16 * MIB)) cell "$release -race"
build plain-code 0 "-gcflags=all=-N -l"
cell "$release -N -l"
EXPERIMENT=arenas build arenas 0
cell "$release arenas"
EXPERIMENT=boringcrypto build boringcrypto 1
cell "$release boringcrypto"

# Experiments that move what the layouts say: no silent wrong figure.
MOVING=(staticlockranking)
case $(minor_of "$release") in
22 | 23) MOVING+=(noallocheaders) ;;
24) MOVING+=(nospinbitmutex) ;;
25) MOVING+=(greenteagc) ;;
26 | 27) MOVING+=(nogreenteagc) ;;
esac
for x in "${MOVING[@]}"; do
	EXPERIMENT=$x build "$x" 0
	start_program "$EXE"
	read -r -t 120 line <&"$TRUTH_FD" || die "$EXE says nothing"
	freeze "$TPID"
	frozen_report "$TPID"
	equal "$x: exit" $RC 5
	equal "$x: sum" "$(ledger_sum)" "$FROZEN_RSS"
	equal "$x: books" "$(q .go)" null
	q '[.missing[] | select(.path == "go") | .reason] | join(" ")' | grep -qF "GOEXPERIMENT=$x" || fail "$x: not said: $(q -c .missing)"
	thaw "$TPID"
	stop "$TPID"
done
finish "$cells builds equal what they say; ${MOVING[*]} are refused"
