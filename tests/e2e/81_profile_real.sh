#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The profiles of real programs under load against their own endpoint, of the same GC cycle: sample by sample; live, and from a capture
# after their end.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq go curl nsenter
raw() { go tool pprof -raw "$1" 2>/dev/null | awk -f "$(dirname "$0")/profile.awk" | sort; }
cycles() { "$RSSCOPE" report "$TPID" --json | jq '.reports[0].go.metrics["/gc/cycles/total:gc-cycles"]'; }
theirs() { inside "$TPID" curl -s --max-time 20 -o "$TMP/theirs.pb.gz" "$1" || fail "$NAME: $1 can't be had"; } # URL
said=
# Ours and theirs of one cycle, so often.
heap() { # URL TIMES
	local equal=0 tries=0 before after
	while [ "$equal" -lt "$2" ] && [ "$tries" -lt 90 ]; do
		tries=$((tries + 1))
		before=$(cycles)
		"$RSSCOPE" profile "$TPID" -o "$TMP/ours.pb.gz" || fail "$NAME: profile exits $?"
		"$RSSCOPE" capture "$TPID" -o "$TMP/taken" 2>"$TMP/err" || fail "$NAME: capture exits $?: $(head -c 300 "$TMP/err")"
		theirs "$1"
		after=$(cycles)
		[ "$before" = "$after" ] || continue
		raw "$TMP/ours.pb.gz" >"$TMP/ours"
		raw "$TMP/theirs.pb.gz" >"$TMP/theirs"
		if ! diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff"; then
			fail "$NAME: cycle $before differs (< ours): $(head -c 1500 "$TMP/diff")"
			return
		fi
		equal=$((equal + 1))
		cp "$TMP/taken" "$TMP/capture"
		cp "$TMP/theirs" "$TMP/then"
		sleep 1
	done
	between "$NAME: profiles that were compared and equal" "$2" "$equal" "$2"
	between "$NAME: samples" 5 "$(wc -l <"$TMP/then")" 100000
}
# Threads come and go seldom.
threads() { # URL
	local i
	for i in {1..10}; do
		"$RSSCOPE" profile "$TPID" --type threadcreate -o "$TMP/ours.pb.gz" || fail "$NAME: profile threadcreate exits $?"
		theirs "$1"
		raw "$TMP/ours.pb.gz" | sed 's/\[not recorded\]:0$//' >"$TMP/ours"
		raw "$TMP/theirs.pb.gz" | sed 's/:0\(;:0\)*$//' >"$TMP/theirs"
		diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" && return
	done
	fail "$NAME: threadcreate differs (< ours): $(head -c 500 "$TMP/diff")"
}
one() { # NAME URL TIMES
	NAME=$1
	heap "$2/debug/pprof/heap" "$3"
	threads "$2/debug/pprof/threadcreate"
	stop "$TPID"
	"$RSSCOPE" profile "$TMP/capture" -o "$TMP/ours.pb.gz" || fail "$1: profile of a capture exits $?"
	raw "$TMP/ours.pb.gz" >"$TMP/ours"
	diff "$TMP/ours" "$TMP/then" >"$TMP/diff" || fail "$1: from a capture it differs (< ours): $(head -c 1500 "$TMP/diff")"
	said="$said$1 $(wc -l <"$TMP/then") "
}
start_prometheus
load_prometheus
one prometheus http://127.0.0.1:9090 3
start_etcd --enable-pprof
load_etcd
one etcd http://127.0.0.1:2379 3
package prometheus-node-exporter
start_alone "$PACKAGE_DIR/usr/bin/prometheus-node-exporter" --web.listen-address=127.0.0.1:9100
wait_http "$TPID" http://127.0.0.1:9100/metrics
background nsenter --net="/proc/$TPID/ns/net" sh -c 'while :; do curl -s -o /dev/null --max-time 5 http://127.0.0.1:9100/metrics; sleep 2; done'
# Its heap is so small that its answer ends a cycle, most often.
one node-exporter http://127.0.0.1:9100 1
finish "$said"
