#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Unusual builds: -race, without optimisation, GOEXPERIMENTs. The books equal the program's own, or a refusal
# says why and the kernel's ledger is printed.
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
# GOEXPERIMENTs: those that the tables need not know, one that moves fields, one that no table is for;
# of what the release has.
same='' moving=''
case $(minor_of "$release") in
1[5-8]) ;;
19) same=boringcrypto ;;
20 | 21) same='arenas boringcrypto' moving=pagetrace ;;
22 | 23) same='arenas boringcrypto' moving=noallocheaders ;;
24) same='arenas boringcrypto' moving=nospinbitmutex ;;
25) same='arenas boringcrypto' moving=greenteagc ;;
*) same='arenas boringcrypto' moving=nogreenteagc ;;
esac
for x in $same $moving; do
	cgo=0
	[ "$x" != boringcrypto ] || cgo=1
	EXPERIMENT=$x build "$x" $cgo
	cell "$release $x"
done
EXPERIMENT=staticlockranking build staticlockranking 0
EXPERIMENT=staticlockranking bash "$ROOT/tests/go-matrix/refused.sh" "$OUTPUT" "$EXE" "$release" >"$TMP/cell" 2>&1 ||
	fail "staticlockranking: $(head -n 6 "$TMP/cell")"
finish "$cells builds equal what they say, with ${same:-no} ${moving:-} among them; staticlockranking is refused"
