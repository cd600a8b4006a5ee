# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the tests of `watch --gctrace` share; sourced after lib.sh and watch.sh. The program is gcloop.

# What readers of gctrace lines look for, gcvis first (its parser.go).
GCTRACE_READER='^gc \d+ @[\d.]+s \d+%: [^+]+\+[^+]+\+[^+]+ ms clock, [^+]+\+[^+/]+/[^+/]+/[^+/]+\+[^+]+ ms cpu, \d+->\d+->\d+ MB, \d+ MB goal,( \d+ MB stacks, \d+ MB globals,)? \d+ P( \(forced\))?$'

# gctrace_run EXE ARG…: gcloop with its own trace on, and watch --gctrace of it from before its first
# line on stdin: all of its lines from there on, the same; their number in TRACED.
gctrace_run() {
	local before trace
	export GODEBUG=gctrace=1
	start_program "$@"
	unset GODEBUG
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	trace=$(find "$TMP" -name 'target.*.err' | sort -V | tail -n 1)
	before=$(grep -c '^gc ' "$trace")
	# shellcheck disable=SC2153 # of lib.sh
	"$RSSCOPE" watch "$TPID" --gctrace >"$TMP/gctrace" 2>"$TMP/gctrace.err" {STDIN_FD}>&- {TRUTH_FD}<&- &
	WPID=$!
	CHILDREN+=("$WPID")
	attached
	printf 'go\n' >&"$STDIN_FD"
	read -r -t 300 line <&"$TRUTH_FD" || die "$1 does not finish"
	close_stdin
	wait "$WPID"
	equal "$*: exit of --gctrace" $? 0
	grep '^gc ' "$trace" | tail -n "+$((before + 1))" >"$TMP/want"
	TRACED=$(wc -l <"$TMP/want")
	cmp -s "$TMP/want" "$TMP/gctrace" ||
		fail "$*: gctrace differs: $(diff "$TMP/want" "$TMP/gctrace" | head -n 6) $(head -n 3 "$TMP/gctrace.err")"
	equal "$*: lines that a reader takes" "$(grep -cP "$GCTRACE_READER" "$TMP/gctrace")" "$TRACED"
}
# attached: until the watch has its probe; it says nothing itself with --gctrace. With all probes in place it enters its filter.
attached() {
	local i
	for ((i = 0; i < 300; i++)); do
		grep -q '^Seccomp:[[:space:]]*2' "/proc/$WPID/status" 2>/dev/null && return
		[ -d "/proc/$WPID" ] || die "watch ended: $(cat "$TMP/gctrace.err")"
		sleep 0.1
	done
	die "watch has no filter after 30 s: $(cat "$TMP/gctrace.err")"
}

# gc_stats_run EXE ARG…: gcloop as anybody starts it, each cycle against its own debug.ReadGCStats:
# how many, the sum of all pauses, the newest 256 of them. Their number in TRACED.
gc_stats_run() {
	local had
	start_program "$@" -stats
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	watch "$TPID" --json --no-report --events gc
	printf 'go\n' >&"$STDIN_FD"
	read -r -t 300 line <&"$TRUTH_FD" || die "$1 does not finish"
	read -r -t 20 line <&"$TRUTH_FD" || die "$1 has no statistics"
	close_stdin
	watched
	equal "$*: exit" "$RC" 0
	TRACED=$(events end .events.gc)
	equal "$*: lost" "$(lost)" 0
	equal "$*: the last cycle" "$(events gc .cycle | tail -n 1)" "$(jq .cycles <<<"$line")"
	had=$(($(jq .cycles <<<"$line") - TRACED))
	equal "$*: the first cycle" "$(events gc .cycle | head -n 1)" $((had + 1))
	[ $had != 0 ] || equal "$*: all pauses" "$(events gc .pause_ns | jq -s add)" "$(jq .pause_total <<<"$line")"
	equal "$*: the newest pauses" "$(events gc .pause_ns | tail -n 256 | tac | tr '\n' ' ')" \
		"$(jq --argjson n "$TRACED" '.pauses[:$n][]' <<<"$line" | tr '\n' ' ')"
}
