#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# At the end of a watch its report has the findings that need two looks: what piles up meanwhile, and
# what only nearly does. A cache that has filled is told from a leak by the cycles in between.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/scenarios.sh"
need_probes
need_tool jq

passed=0
watched_step() { # NAME WANT…: one step while it is watched
	scenario "$1"
	watch "$TPID" --json --no-mappings --interval 0
	ask step
	sleep 0.3
	kill -INT "$WPID"
	watched
	[ $RC = 0 ] || [ $RC = 5 ] || fail "watch of $1 exits $RC: $(head -n 3 "$WOUT.err")"
	equal "findings of a watched $1" "$(events report '[.reports[0].findings[].id] | join(" ")')" "${*:2}"
	passed=$((passed + 1))
	stop "$TPID"
}
watched_step cache go-heap-leak
watched_step leak go-heap-leak
equal "its verdict" "$(events report '.reports[0].verdict | test("^The live heap grew by 4[0-9]\\.[0-9] MiB to 7[0-9]\\.[0-9] MiB, over 1[2-9] GC cycles")')" true
watched_step filled
watched_step churn
watched_step goroutines goroutine-leak
watched_step burst

# Text: the verdict opens the report.
scenario goroutines
watch "$TPID" --no-mappings --interval 0
ask step
kill -INT "$WPID"
watched
grep -q '^Goroutines grew from .* and the new ones are waiting' "$WOUT" || fail "no verdict in text"
finish "$passed scenarios"
