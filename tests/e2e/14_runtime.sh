#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The runtime's books from outside against the program's own reads: equal, or between two of them.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare nsenter curl ip

metric_of() { q ".go.metrics[\"$1\"] // \"absent\""; }

# Reports between two reads of the program that are the same in every class: then nothing moved, and
# the report's must be that too. The runtime does things in the background, so not every round is one.
quiet_rounds() { # NAME
	local i good=0 diff
	for ((i = 0; i < 40 && good < 5; i++)); do
		ask peek
		cp "$TMP/truth" "$TMP/first"
		report "$TPID" || continue
		ask peek
		cmp -s "$TMP/first" "$TMP/truth" || continue
		good=$((good + 1))
		diff=$(jq -rn --slurpfile t "$TMP/truth" --slurpfile r "$TMP/report.json" '
			$t[0].metrics | to_entries[] | select(.key | startswith("/memory/classes/"))
			| select($r[0].reports[0].go.metrics[.key] != .value)
			| "\(.key) is \($r[0].reports[0].go.metrics[.key]), want \(.value)"')
		[ -z "$diff" ] || fail "$1 round $i: $diff"
		equal "$1: cycles" "$(q .go.gc.cycles)" "$(truth '.metrics."/gc/cycles/total:gc-cycles"')"
		# Another state for the next one.
		ask "garbage 2"
		[ $((good % 2)) = 0 ] && ask gc
	done
	between "$1: quiet rounds" 3 $good 5
}

for exe in "$T"/fixture-*; do
	name=$(basename "$exe")
	[ "$name" = fixture-386 ] && continue
	start "$name"
	quiet_rounds "$name"
	ask truth
	report "$TPID"
	# Releases differ in which of the runtime's own goroutines their count has; there are fewer than 10.
	n=$(truth '.metrics."/sched/goroutines:goroutines"')
	between "$name: goroutines" $((n - 1)) "$(q .go.goroutines.total)" $((n + 9))
	equal "$name: goroutines by state" "$(q '.go.goroutines.by_state | add')" "$(q .go.goroutines.total)"
	[[ "$(q .target.go_version)" == "$(truth .go)"* ]] || fail "$name: go_version is $(q .target.go_version), want $(truth .go)"
	stop "$TPID"
done

rounds=${ROUNDS:-50}
real() { # NAME
	local i a b v good=0 exact=0
	for ((i = 0; i < rounds; i++)); do
		a=$(metric go_memstats_sys_bytes)
		report "$TPID" || continue
		b=$(metric go_memstats_sys_bytes)
		v=$(metric_of /memory/classes/total:bytes)
		between "$1 round $i: total" $((a < b ? a : b)) "$v" $((a > b ? a : b))
		[ "$v" = "$b" ] && exact=$((exact + 1))
	done
	said="$said $1: $exact of $rounds equal, the others between two reads."
}
said=
each_package real
finish "$said"
