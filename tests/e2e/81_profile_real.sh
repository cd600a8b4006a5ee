#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The heap profiles of real programs under load against their own endpoint, of the same GC cycle: sample by sample.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq go curl nsenter
raw() { go tool pprof -raw "$1" 2>/dev/null | awk -f "$(dirname "$0")/profile.awk" | sort; }
cycles() { "$RSSCOPE" report "$TPID" --json | jq '.reports[0].go.metrics["/gc/cycles/total:gc-cycles"]'; }
said=
one() { # NAME URL
	local equal=0 tries=0 before after samples=0
	while [ "$equal" -lt 3 ] && [ "$tries" -lt 60 ]; do
		tries=$((tries + 1))
		before=$(cycles)
		"$RSSCOPE" profile "$TPID" -o "$TMP/ours.pb.gz" || fail "$1: profile exits $?"
		nsenter --net="/proc/$TPID/ns/net" curl -s -o "$TMP/theirs.pb.gz" "$2" || fail "$1: $2 can't be had"
		after=$(cycles)
		[ "$before" = "$after" ] || continue
		raw "$TMP/ours.pb.gz" >"$TMP/ours"
		raw "$TMP/theirs.pb.gz" >"$TMP/theirs"
		if diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff"; then
			equal=$((equal + 1))
			samples=$(wc -l <"$TMP/theirs")
		else
			fail "$1: cycle $before differs (< ours): $(head -c 1500 "$TMP/diff")"
			break
		fi
		sleep 1
	done
	between "$1: profiles that were compared and equal" 3 "$equal" 3
	between "$1: samples" 5 "$samples" 100000
	said="$said$1 $samples "
	stop "$TPID"
}
start_prometheus
load_prometheus
one prometheus http://127.0.0.1:9090/debug/pprof/heap
finish "$said"
