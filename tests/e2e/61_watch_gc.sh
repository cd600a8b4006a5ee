#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# GC cycles of a stripped Go program: one event for each line of its own gctrace, same numbers, same
# heap figures; none lost in 1,000. Two garbage-making threads' worth of cycles as they come.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/gctrace.sh"
need_probes
need_go
need_tool jq strip

check_gc() { # NAME: the last target's gctrace against the last watch
	# The goal that gctrace prints and the event's are both this cycle's. MB there are MiB, cut.
	sed -nE 's/^gc ([0-9]+) @.* ([0-9]+)->([0-9]+)->([0-9]+) MB, ([0-9]+) MB goal.*/\1 \2 \3 \4 \5/p' "$TRACE" |
		awk -v from="$FIRST" '$1 > from' >"$TMP/want"
	jq -r 'select(.type == "gc") | def mib: if . == null then "?" else . / 1048576 | floor end;
		"\(.cycle) \(.heap_start | mib) \(.heap_end | mib) \(.heap_marked | mib) \(.goal | mib)"' "$WOUT" >"$TMP/got"
	cmp -s <(cut -d' ' -f1 "$TMP/want") <(cut -d' ' -f1 "$TMP/got") ||
		fail "$1: cycles differ: $(diff <(cut -d' ' -f1 "$TMP/want") <(cut -d' ' -f1 "$TMP/got") | head -n 5)"
	cmp -s "$TMP/want" "$TMP/got" || fail "$1: figures differ: $(diff "$TMP/want" "$TMP/got" | head -n 8)"
	equal "$1: lost" "$(lost)" 0
	equal "$1: events at the end" "$(events end .events.gc)" "$(wc -l <"$TMP/want")"
}

# gctrace goes to stderr: lib.sh keeps it.
strip -s -o "$TMP/gcloop" "$T/gcloop"
export GODEBUG=gctrace=1
start_program "$TMP/gcloop" -free -cycles 1000 -depth 17
unset GODEBUG
read -r -t 60 line <&"$TRUTH_FD" || die "gcloop says nothing"
sleep 0.5
TRACE=$(ls "$TMP"/target.*.err | tail -n 1)
FIRST=$(grep -c '^gc ' "$TRACE")
watch "$TPID" --json --no-report --no-mappings
equal "probes on system calls" "$(events start '[.programs[] | select(.attached and (.target | contains("syscalls")))] | length')" 0
equal "tax" "$(events start .syscall_tax_ns)" null
printf 'go\n' >&"$STDIN_FD"
read -r -t 120 line <&"$TRUTH_FD" || die "gcloop does not finish"
close_stdin
watched
equal "exit of watch" $RC 0
check_gc "1,000 forced cycles"
n=$(wc -l <"$TMP/want")
between "cycles" 1000 "$n" 1100

# Text: a line each. The first cycle that a process ends says where its figures are, so it is not
# among those watched.
start gcloop -cycles 4 -depth 17
ask go
watch "$TPID" --no-report --events gc
ask go && ask go && ask go
close_stdin
watched
equal "lines of text" "$(grep -cE '^[0-9:.]+ +gc +[0-9]+  forced  [0-9.]+ -> .* of [0-9.]+ MiB  paused .* ms' "$WOUT")" 3
# --gctrace: the target's own lines, digit for digit, from its first cycle on.
gctrace_run "$TMP/gcloop" -free -cycles 1000 -depth 12
equal "forced cycles traced" "$TRACED" 1000
gctrace_run "$TMP/gcloop" -auto -cycles 300 -depth 15
between "automatic cycles traced" 300 "$TRACED" 310
gc_stats_run "$TMP/gcloop" -free -cycles 1000 -depth 12
equal "cycles against ReadGCStats" "$TRACED" 1000
finish "$n cycles, all told, with gctrace's figures"
