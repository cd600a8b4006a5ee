#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The runtime's books from outside against the program's own reads: equal, or between two of them.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare nsenter curl ip

metric_of() { q ".go.metrics[\"$1\"] // \"absent\""; }

for exe in "$T"/fixture-*; do
	name=$(basename "$exe")
	[ "$name" = fixture-386 ] && continue
	start "$name"
	for round in 1 2 3 4 5; do
		# It waits since its own read, so every class is equal, not only near.
		ask truth
		report "$TPID" || continue
		for m in $(truth '.metrics | keys[] | select(startswith("/memory/classes/"))'); do
			case $m in */heap/free:bytes | */heap/released:bytes) continue ;; esac
			equal "$name round $round: $m" "$(metric_of "$m")" "$(truth ".metrics[\"$m\"]")"
		done
		# The background scavenger goes on, from free to released.
		f=/memory/classes/heap/free:bytes r=/memory/classes/heap/released:bytes
		equal "$name round $round: free + released" $(($(metric_of $f) + $(metric_of $r))) "$(truth ".metrics | .[\"$f\"] + .[\"$r\"]")"
		between "$name round $round: free" 0 "$(metric_of $f)" "$(truth ".metrics[\"$f\"]")"
		equal "$name: cycles" "$(q .go.gc.cycles)" "$(truth '.metrics."/gc/cycles/total:gc-cycles"')"
		ask "garbage 2"
		ask gc
	done
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
start_prometheus
load_prometheus
real prometheus
stop "$TPID"
start_etcd
load_etcd
real etcd
finish "$said"
