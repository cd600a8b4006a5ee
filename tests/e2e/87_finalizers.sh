#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Finalizers and cleanups that wait behind one that blocks: how many, and behind which function, against the program's own knowledge and
# its runtime/metrics (from 1.26 on); of stripped and PIE binaries. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go
COUNTS='[.go.metrics | to_entries[] | select(.key | test("^/gc/(finalizers|cleanups)/"))] | from_entries'
said() { # WHAT WAITING [RUNNING]: of "finalizer" or "cleanup"
	echo "$(q ".go.${1}s_waiting") $(q ".go.${1}_running // \"\"")"
}
# The program's counts are as of before it answers; nothing changes them until it is asked again.
counts() { # NAME
	ask counts
	report "$TPID" || return
	equal "$1: counts" "$(q "$COUNTS" | jq -cS .)" "$(jq -cS . "$TMP/truth")"
}
begin() { # NAME PROGRAM
	local line
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
}
one() { # NAME PROGRAM RELEASE
	local minor where=finalizer function=main.stuck
	minor=$(minor_of "$3")
	begin "$1" "$2"
	report "$TPID"
	equal "$1: finalizers at first" "$(said finalizer)" "0 "
	ask "finalizers 10000"
	counts "$1: blocked"
	equal "$1: finalizers that wait" "$(said finalizer)" "10000 main.stuck"
	equal "$1: cleanups meanwhile" "$(said cleanup)" "$([ "$minor" -ge 25 ] && echo "0 " || echo "null ")"
	[ "$minor" -lt 17 ] || equal "$1: missing" "$(q '[.missing[] | select(.path | test("waiting|running|metrics")) | .reason] | join("; ")')" ""
	ask "step 150"
	report "$TPID"
	equal "$1: finalizers that wait once 150 are done" "$(said finalizer)" "9850 main.stuck"
	# a capture has them as well; which function it is, or that it does not tell
	"$RSSCOPE" capture "$TPID" -o "$TMP/capture" >"$TMP/out" 2>&1 || fail "$1: capture exits $?: $(cat "$TMP/out")"
	"$RSSCOPE" report "$TMP/capture" --json >"$TMP/report.json" 2>"$TMP/err"
	equal "$1: finalizers of a capture" "$(q .go.finalizers_waiting)" 9850
	[ "$(q '.go.finalizer_running // ([.missing[] | select(.path == "go.finalizer_running") | .needs] | join(" "))')" != "" ] ||
		fail "$1: a capture says nothing of who runs them"
	ask release
	equal "$1: that ran" "$(cat "$TMP/truth")" 10000
	counts "$1: released"
	equal "$1: finalizers in the end" "$(said finalizer)" "0 "
	stop "$TPID"
	cells=$((cells + 1))
	# 1.24 has cleanups among the finalizers, and their function behind one of its own
	[ "$minor" -ge 24 ] || return
	[ "$minor" = 24 ] || where=cleanup
	function=main.stuckCleanup
	begin "$1" "$2"
	ask "cleanups 10000"
	counts "$1: cleanups"
	equal "$1: cleanups that wait" "$(said $where)" "10000 $function"
	ask release
	equal "$1: cleanups that ran" "$(cat "$TMP/truth")" 10000
	counts "$1: cleanups released"
	equal "$1: cleanups in the end" "$(said $where)" "0 "
	stop "$TPID"
}
cells=0
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/queues" "$(go version "$T/queues" | sed 's/.*: //')"
	one pie "$T/queues-pie" "$(go version "$T/queues-pie" | sed 's/.*: //')"
	# one that runs: its name when it was off the CPU for a moment, else that it runs
	begin busy "$T/queues"
	ask "busy 100"
	report "$TPID"
	equal "busy: finalizers that wait" "$(q .go.finalizers_waiting)" 100
	line=$(q '.go.finalizer_running // ([.missing[] | select(.path == "go.finalizer_running") | .reason] | join(" "))')
	case $line in
	main.busy | *"on a CPU"*) ;;
	*) fail "busy: who runs them: $line" ;;
	esac
	stop "$TPID"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/queues build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe" "$r"
			echo "$r-$v"
		done
	done
fi
finish "$cells programs"
