#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The memory of goroutines' stacks by creator and call stack: adds up to the ledger of a report and to the program's own MemStats; few
# goroutines with large stacks (golang/go#20010) are named with what they use of them; stacks of ended ones are told, and are gone after a
# GC. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go
P=$TMP/profile.json
# Sum of a column (0 reserved, 1 used, 2 resident, 3 goroutines) over samples that have a function whose name begins so; "": all.
sum() { jq --arg f "$2" ".locations as \$l | [.samples[] | select(\$f == \"\" or any(.stack[]; \$l[.].frames[].function | startswith(\$f))) | .values[$1]] | add // 0" "$P"; }
take() { "$RSSCOPE" profile "$TPID" --type stacks --json >"$P" || fail "$1: profile exits $?"; }
balance() { # NAME
	local i=0
	ask stacks # which empties the caches of stacks
	# a GC's workers and the scavenger come to rest
	while :; do
		report "$TPID"
		take "$1"
		[ "$(sum 0 '') $(sum 2 '')" = "$(q '.ledger[] | select(.category == "go/stacks") | "\(.virtual) \(.resident)"')" ] && break
		[ $((i += 1)) -lt 5 ] || break
		sleep 0.2
	done
	equal "$1: reserved and resident bytes" "$(sum 0 '') $(sum 2 '')" \
		"$(q '.ledger[] | select(.category == "go/stacks") | "\(.virtual) \(.resident)"')"
	equal "$1: reserved bytes against the program's own" "$(sum 0 '')" "$(jq .stack_inuse "$TMP/truth")"
	equal "$1: stacks that use more than there is" \
		"$(jq '[.samples[] | select(.values[1] > .values[0] or .values[2] > .values[0])] | length' "$P")" 0
	equal "$1: samples whose bytes are not those of their stacks" \
		"$(jq '[.samples[] | select(.object_bytes and .values[3] > 0 and .object_bytes * .values[3] != .values[0])] | length' "$P")" 0
	equal "$1: notes on what was left out" "$(jq '[.notes[] | select(contains("left out"))] | length' "$P")" 0
}
one() { # NAME PROGRAM
	local line n
	start_program "$2" -n 2000 -large 500
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	balance "$1"
	# 500 wait below 56 frames of 1000 bytes, and use most of their stacks; as many have come back, and use next to nothing
	equal "$1: goroutines in main.deep" "$(sum 3 main.deep)" 500
	between "$1: reserved in main.deep" $((500 * 65536)) "$(sum 0 main.deep)" $((500 * 131072))
	between "$1: used in main.deep" $((500 * 56000)) "$(sum 1 main.deep)" $((500 * 65536))
	between "$1: resident in main.deep" $((500 * 56000)) "$(sum 2 main.deep)" "$(sum 0 main.deep)"
	equal "$1: goroutines that have come back" "$(sum 3 main.main.func2)" 500
	between "$1: reserved by these" $((500 * 16384)) "$(sum 0 main.main.func2)" $((500 * 131072))
	between "$1: used by these" $((500 * 100)) "$(sum 1 main.main.func2)" $((500 * 2048))
	equal "$1: goroutines by creator" "$(sum 3 'created by main.main') $(sum 3 'created by main.parkThem')" '1000 2000'
	between "$1: threads' stacks" 1 "$(sum 0 "threads'")" $((64 * 65536))
	between "$1: the runtime's goroutines" 2 "$(sum 3 "the runtime's own")" 40
	# those that end leave their stacks until a GC
	n=$(sum 3 "dead goroutines'")
	ask 'end 3000' # the first ones begin with 2 KiB, and keep them only if that is what stacks begin with now
	ask 'end 3000'
	balance "$1"
	between "$1: ended goroutines" 2900 "$(sum 3 "dead goroutines'")" $((n + 3300)) # the second ones don't find all of the first
	between "$1: their stacks" $((2900 * 2048)) "$(sum 0 "dead goroutines'")" $((3300 * 65536))
	equal "$1: used by them" "$(sum 1 "dead goroutines'")" 0
	ask gc
	take "$1"
	# each P keeps up to 64 (runtime/proc.go, gfput)
	between "$1: stacks of ended goroutines after a GC" 0 "$(sum 3 "dead goroutines'")" $(($(nproc) * 64))
	"$RSSCOPE" profile "$TPID" --type stacks >"$TMP/top" || fail "$1: profile exits $?"
	grep -q ' main\.deep$' "$TMP/top" || fail "$1: main.deep is not in the table: $(head -c 1500 "$TMP/top")"
	stop "$TPID"
	said="$said$1 "
}
said=
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/goroutines"
	one pie "$T/goroutines-pie"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/goroutines build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe"
		done
	done
fi
finish "$said"
