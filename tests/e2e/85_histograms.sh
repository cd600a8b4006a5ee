#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Distributions of pauses and of scheduling latencies against the program's own runtime/metrics, bucket by bucket: of stripped and PIE
# binaries, live and from a capture. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go
OURS='.reports[0].go.histograms // [] | map({key: .name, value: (.buckets | map([.lower_ns, .upper_ns, .count]))}) | from_entries'
# What the program says is as of before it answers: nothing runs in it until it is asked again, but for what the runtime does by itself.
same() { # NAME
	local i
	for i in {1..20}; do
		ask histograms
		sleep 0.05
		report "$TPID" || return
		jq -S "$OURS" "$TMP/report.json" >"$TMP/ours"
		jq -S . "$TMP/truth" >"$TMP/theirs"
		cmp -s "$TMP/ours" "$TMP/theirs" && return
	done
	fail "$1: histograms differ (< ours): $(diff <(jq -c . "$TMP/ours") <(jq -c . "$TMP/theirs") | head -c 1500)"
}
one() { # NAME PROGRAM RELEASE
	local line minor names
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	minor=$(minor_of "$3")
	ask work
	same "$1"
	# every one that the release has, and something in it
	names=$([ "$minor" -lt 16 ] || echo /gc/pauses:seconds && [ "$minor" -lt 17 ] || echo /sched/latencies:seconds &&
		[ "$minor" -lt 22 ] || printf '%s\n' /sched/pauses/{stopping,total}/{gc,other}:seconds)
	equal "$1: histograms" "$(q '[.go.histograms[]?.name] | join("\n")')" "$names"
	equal "$1: counts beside the sums of buckets" "$(q '[.go.histograms[]? | select(.count != ([.buckets[].count] | add) or .count == 0) | .name] | join(" ")')" ""
	equal "$1: histograms named as missing" "$(q '[.missing[] | select(.path | test("histograms")) | .reason] | join("; ")')" ""
	[ "$minor" -ge 16 ] || equal "$1: pauses" "$(q '.go.histograms')" null
	"$RSSCOPE" capture "$TPID" -o "$TMP/capture" >"$TMP/out" 2>&1 || fail "$1: capture exits $?: $(cat "$TMP/out")"
	"$RSSCOPE" report "$TMP/capture" --json >"$TMP/replay.json" 2>"$TMP/err"
	jq -S "$OURS" "$TMP/replay.json" >"$TMP/ours"
	diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: a capture's histograms differ (< ours): $(head -c 800 "$TMP/diff")"
	total=$((total + $(jq '[.[][]] | length' "$TMP/ours")))
	stop "$TPID"
}
total=0
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/queues" "$(go version "$T/queues" | sed 's/.*: //')"
	one pie "$T/queues-pie" "$(go version "$T/queues-pie" | sed 's/.*: //')"
	# a GC that ran is in the text, too
	start_program "$T/queues"
	read -r -t 120 line <&"$TRUTH_FD" || die "queues says nothing"
	ask work
	"$RSSCOPE" report "$TPID" >"$TMP/text" 2>&1
	grep -qE 'p50 < [0-9.]+ ms, p99 < [0-9.]+ ms, max < [0-9.]+ ms' <(tr -s ' \n' ' ' <"$TMP/text") || fail "no pauses in: $(grep -A2 GC "$TMP/text")"
	# read back and compared: nothing is said of them, and nothing fails
	report "$TPID"
	cp "$TMP/report.json" "$TMP/a.json"
	"$RSSCOPE" diff "$TMP/a.json" "$TMP/a.json" >"$TMP/out" 2>"$TMP/err" || fail "diff of a report with histograms exits $?: $(cat "$TMP/err")"
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
			echo "$r-$v: $total"
		done
	done
fi
finish "$total buckets equal"
