#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# While a program makes events faster than anybody can take them, and while nobody reads what is
# written: signals, deadlines and samples are served all the same, before the flood ends by itself (a
# file that the program leaves at its own end is not there yet).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq

SECONDS_MAX=40 # of a flood: much more than any of this takes
before_end() { # WHAT
	[ -e "$TMP/ended" ] && fail "$1 only when the flood had ended"
	rm -f "$TMP/ended"
}
flood() { start flood 2 $SECONDS_MAX "$TMP/ended"; }
# The lines that are looked at; the rest is hundreds of megabytes.
few_lines() {
	grep -E '^\{"type":"(start|sample|end|exit|report)"' "$1" >"$TMP/few"
	rm -f "$1"
	WOUT=$TMP/few
}

# Until the pipe takes no more: a page that can't be written.
full() {
	for ((i = 0; i < 100; i++)); do
		timeout 0.3 head -c 4096 /dev/zero >"$TMP/pipe" || return
		sleep 0.1
	done
	fail "the pipe is never full"
}

flood
watch "$TPID" --json --duration 1 --interval 0.1
watched
before_end "the deadline is served"
kill -0 "$TPID" || fail "the flood is over"
equal "exit at the deadline" $RC 0
few_lines "$WOUT"
equal "why" "$(events end .why)" duration
[ "$(lost)" -gt 1000 ] || fail "it is no flood: $(lost) events are lost"
[ "$(events sample .rss | wc -l)" -ge 2 ] || fail "samples are not served"
equal "the order of lines" "$(jq -r .type "$WOUT" | uniq | tr '\n' ' ')" "start sample end report "

watch "$TPID" --json --no-report
kill -INT "$WPID"
watched
before_end "the signal is served"
equal "exit after SIGINT" $RC 0
few_lines "$WOUT"
equal "why" "$(events end .why)" signal

# For people: ten lines a second or so of hundreds of thousands of events; each when they are asked for.
watch "$TPID" --no-report --duration 2
watched
before_end "text is bounded"
equal "exit of watch for people" $RC 0
seconds=$(sed -nE 's/^watched for ([0-9]+)\..*/\1/p' "$WOUT")
between "lines for people" 3 "$(wc -l <"$WOUT")" $((10 * (seconds + 2)))
grep -qE ' munmap .* [0-9,]+,[0-9]{3} calls  failed: EINVAL' "$WOUT" || fail "calls of one stack are no line: $(head -n 5 "$WOUT")"
watch "$TPID" --no-report --duration 1 --events mappings
watched
[ "$(grep -c ' munmap ' "$WOUT")" -gt 1000 ] || fail "--events does not give each"
rm -f "$WOUT"

# Nobody reads: the pipe is full at once. A deadline passes; a signal then ends it without what could
# not be written.
mkfifo "$TMP/pipe"
# shellcheck disable=SC2217 # held open, not read
sleep 1000 <"$TMP/pipe" &
CHILDREN+=($!)
"$RSSCOPE" watch "$TPID" --json --duration 5 >"$TMP/pipe" 2>"$TMP/err" {STDIN_FD}>&- {TRUTH_FD}<&- &
WPID=$!
CHILDREN+=("$WPID")
full
for ((i = 0; i < 100; i++)); do
	kill -TERM "$WPID" 2>/dev/null || break
	sleep 0.1
done
watched
before_end "a signal is served while nobody reads"
equal "exit when nobody reads" $RC 5
grep -q 'output blocked: [1-9][0-9]* bytes discarded' "$TMP/err" || fail "nobody reads: $(cat "$TMP/err")"
stop "$TPID"
rm -f "$TMP/ended"

# run passes a signal on, and ends as its child does.
"$RSSCOPE" run --events --json -o "$TMP/run" -- "$T/flood" 2 $SECONDS_MAX "$TMP/ended" >"$TMP/pid" 2>"$TMP/err" &
WPID=$!
CHILDREN+=("$WPID")
for ((i = 0; i < 100; i++)); do
	[ -s "$TMP/pid" ] && break
	sleep 0.1
done
sleep 1
kill -TERM "$WPID"
watched
before_end "run passes the signal on"
equal "exit of run" $RC 143
few_lines "$TMP/run"
equal "the signal in the report" "$(events report '.reports[0].run.signal' | tail -n 1)" 15
equal "the last line" "$(tail -n 1 "$WOUT" | jq -r .type)" report

# The same where nobody reads the report.
"$RSSCOPE" run --events --json -- "$T/flood" 2 $SECONDS_MAX "$TMP/ended" >"$TMP/pid" 2>"$TMP/pipe" &
WPID=$!
CHILDREN+=("$WPID")
for ((i = 0; i < 100; i++)); do
	[ -s "$TMP/pid" ] && break
	sleep 0.1
done
full
for ((i = 0; i < 100; i++)); do
	kill -TERM "$WPID" 2>/dev/null || break
	sleep 0.1
done
watched
before_end "run passes the signal on while nobody reads"
equal "exit of run when nobody reads" $RC 143
finish "signals, deadlines and samples are served in a flood and while nobody reads"
