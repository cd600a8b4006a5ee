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
		ask truth
		cp "$TMP/truth" "$TMP/first"
		report "$TPID" || continue
		ask truth
		for m in $(jq -r '.metrics | keys[] | select(startswith("/memory/classes/"))' "$TMP/truth"); do
			a=$(jq -r ".metrics[\"$m\"]" "$TMP/first") b=$(jq -r ".metrics[\"$m\"]" "$TMP/truth")
			between "$name round $round: $m" $((a < b ? a : b)) "$(metric_of "$m")" $((a > b ? a : b))
		done
		equal "$name: cycles" "$(q .go.gc.cycles)" "$(truth '.metrics."/gc/cycles/total:gc-cycles"')"
		ask "garbage 2"
		ask gc
	done
	equal "$name: goroutines" "$(q .go.goroutines.total)" "$(truth '.metrics."/sched/goroutines:goroutines"')"
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
