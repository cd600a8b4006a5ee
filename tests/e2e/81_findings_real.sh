#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Real programs at work: nothing is found where nothing is wrong, and who stands behind the heap and the
# stacks agrees with the program's own profiles.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq go curl nsenter
passed=0 said=
fetch() { nsenter --net="/proc/$TPID/ns/net" curl -s -o "$2" "$1"; } # URL FILE
quiet() { # NAME: ten looks over ten seconds
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		report "$TPID"
		equal "findings of $1" "$(q '[.findings[].id] | join(" ")')" ""
		sleep 1
	done
	passed=$((passed + 1))
}
# The report's heap sites and the program's own profile, of one GC cycle.
heap_agrees() { # NAME URL
	local tries=0 before after ours theirs
	while [ $tries -lt 40 ]; do
		tries=$((tries + 1))
		report "$TPID"
		before=$(q '.go.metrics["/gc/cycles/total:gc-cycles"]')
		rs report "$TPID" --top 1000 --json
		fetch "$2" "$TMP/heap.pb.gz" || fail "$1: $2 can't be had"
		ours=$(jq '.reports[0].ledger[] | select(.category == "go/heap/live") | .profiles[0]' "$TMP/out")
		report "$TPID"
		after=$(q '.go.metrics["/gc/cycles/total:gc-cycles"]')
		[ "$before" = "$after" ] && break
	done
	[ "$before" = "$after" ] || fail "$1: no look within one GC cycle"
	theirs=$(go tool pprof -raw -sample_index=inuse_space "$TMP/heap.pb.gz" 2>/dev/null | awk '
		/^Samples:/ { on = 1; getline; for (i = 1; i <= NF; i++) if ($i ~ /^inuse_space/) col = i; next }
		/^Locations/ { on = 0 }
		on && $1 ~ /^[0-9]+$/ { v = $0; sub(/:.*/, "", v); split(v, x, " "); sum += x[col] }
		END { printf "%d", sum }')
	equal "$1: bytes of all heap sites, against its own profile" "$(jq .bytes <<<"$ours")" "$theirs"
	equal "$1: the sites add up to them" "$(jq '[.sites[].bytes] | add' <<<"$ours")" "$(jq .bytes <<<"$ours")"
	[ "$(jq '.sites | length' <<<"$ours")" -ge 5 ] || fail "$1: only $(jq '.sites | length' <<<"$ours") sites"
	said="$said$1: $(jq -r '.sites[0] | .stack[.caller].func' <<<"$ours") first of $(jq '.sites | length' <<<"$ours"); "
	passed=$((passed + 1))
}
start_prometheus
load_prometheus
quiet prometheus
heap_agrees prometheus http://127.0.0.1:9090/debug/pprof/heap
stop "$TPID"
start_etcd
load_etcd
quiet etcd
stop "$TPID"
finish "$said"
