#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CPU ticks a second, by which block and mutex profiles are scaled, against what the program's own block profile says: before it has
# computed them (near: it measures as well), and after (equal). GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool go
TICKS=$OUTPUT/tests/go-matrix/ticks
[ -x "$TICKS" ] || die "$TICKS is not built: make targets"
one() { # NAME PROGRAM RELEASE
	local line before truth after
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	sleep 0.1
	before=$("$TICKS" "$TPID") || fail "$1: ticks exits $?: $before"
	ask ticks
	truth=$(cat "$TMP/truth")
	after=$("$TICKS" "$TPID")
	between "$1: what the program says" 1000000 "$truth" 100000000000
	equal "$1: ticks a second once it has computed them" "$after" "$truth runtime"
	# from 1.22 on by its own start of both clocks, to some in a million; before it measures for 100 ms, badly on a busy machine
	if [ "$(minor_of "$3")" -ge 22 ]; then
		equal "$1: before that, from" "${before#* }" started
		between "$1: before that" $((truth - truth / 10000)) "${before% *}" $((truth + truth / 10000))
	else
		equal "$1: before that, from" "${before#* }" measured
		between "$1: before that" $((truth - truth / 10)) "${before% *}" $((truth + truth / 10))
	fi
	n=$((n + 1))
	stop "$TPID"
}
n=0
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/queues" "$(go version "$T/queues" | sed 's/.*: //')"
	one pie "$T/queues-pie" "$(go version "$T/queues-pie" | sed 's/.*: //')"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/queues build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe" "$r"
		done
	done
fi
finish "$n programs"
