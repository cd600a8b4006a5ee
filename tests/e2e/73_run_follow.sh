#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run --follow: a shell that starts two Go programs, one of which outlives it: their events from
# their fork on, their ends with their status, a report of the one that is still there. The shell's
# status is run's. Without --follow children are told, and no more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

cat >"$TMP/shell" <<'END'
$T/run -mib 8 -ms 300 -gc 3 -status 9 >/dev/null
$T/run -mib 30 -ms 60000 -gc 2 >/dev/null 2>&1 &
echo $! >$TMP/pid
{ sleep 0.5; echo; sleep 0.3; echo; } | $T/gcloop -cycles 2 >/dev/null
exit 5
END
export T TMP
once() { # ARG…
	rm -f "$TMP/pid"
	rs run --json --events -o "$TMP/r" "$@" -- sh "$TMP/shell"
	CHILDREN+=("$(cat "$TMP/pid")")
	LEFT=$(cat "$TMP/pid")
	equal "status with $*" $RC 5
	kill -0 "$LEFT" || fail "the child has ended with run $*"
	WOUT=$TMP/r
}
once --follow
equal "messages" "$(cat "$TMP/err")" ""
forks=$(events fork .pid | wc -l)
between "forks" 4 "$forks" 8
equal "forks followed" "$(events fork 'select(.followed) | .pid' | wc -l)" "$forks"
first=$(jq -r "select(.type == \"program\" and .comm == \"run\" and .pid != $LEFT) | .pid" "$WOUT")
equal "its end" "$(events exit "select(.pid == $first) | .status")" 9
equal "its Go" "$(events program "select(.pid == $first) | .go_version" | cut -c1-2)" go
[ "$(jq -r "select(.pid == $first and .type == \"mmap\") | .type" "$WOUT" | wc -l)" -gt 20 ] || fail "few calls of the first child"
# it waits before each, in which time the probe gets there
paced=$(jq -r 'select(.type == "program" and .comm == "gcloop") | .pid' "$WOUT")
equal "GC cycles of a child" "$(events gc "select(.pid == $paced) | .pid" | wc -l)" 2
# the report is of the shell, then of what it has left
equal "reports" "$(events report '.reports[0].target | "\(.comm) \(.pid)"' | tail -n 1)" "run $LEFT"
between "resident of what is left" $((30 * MIB)) "$(events report "select(.reports[0].target.pid == $LEFT) | .reports[0].rss.scanned")" $((60 * MIB))
equal "its sum" "$(events report "select(.reports[0].target.pid == $LEFT) | .reports[0] | ([.ledger[].resident] | add) == .rss.scanned")" true
[ "$(events report "select(.reports[0].target.pid == $LEFT) | .reports[0].origins | length")" -gt 3 ] || fail "no origins of what is left"
equal "losses" "$(events report 'select(.reports[0].run) | [.reports[0].losses[]] | add' | tail -n 1)" 0
equal "children in the report" "$(events report 'select(.reports[0].run) | .reports[0].run | "\(.children_followed) \(.children_ended)"' | tail -n 1)" "$forks $((forks - 1))"
# cycles of the children are told by their own events: the shell has none
equal "cycles without figures" "$(events report 'select(.reports[0].run) | [.reports[0].missing[] | select(.path == "gc")] | length' | tail -n 1)" 0
stop "$LEFT"
rs run --follow -- sh "$TMP/shell"
LEFT=$(cat "$TMP/pid")
CHILDREN+=("$LEFT")
grep -q 'followed [4-8] children, [3-7] of which exited' <(tr -s ' \n' ' ' <"$TMP/err") || fail "children as text: $(head -n 8 "$TMP/err")"
stop "$LEFT"
once
equal "children without --follow" "$(events report '.reports[0].run | has("children_followed")' | tail -n 1)" false
equal "forks told without --follow" "$(events fork .followed | sort -u)" false
equal "events of others" "$(jq -r "select(.tid and .type != \"fork\") | .pid" "$WOUT" | sort -u | wc -l)" 1
equal "reports without --follow" "$(events report '.reports[0].target.comm' | sort -u)" sh
# Asked twice: each report of a child is one of its own.
cat >"$TMP/keeper" <<'END'
$T/run -mib 8 -ms 60000 >/dev/null 2>&1 &
echo $! >$TMP/pid
wait
END
rm -f "$TMP/pid"
"$RSSCOPE" run --follow --json -o "$TMP/asked" -- sh "$TMP/keeper" 2>"$TMP/err" &
RUN=$!
CHILDREN+=("$RUN")
asked() { # FILTER: of each report of the child
	jq -r "select(.reports) | .reports[] | select(.target.pid == $LEFT) | $1" "$TMP/asked"
}
for ((i = 0; i < 100; i++)); do
	[ -s "$TMP/pid" ] && [ "$(cat "/proc/$(cat "$TMP/pid")/comm")" = run ] && break
	sleep 0.1
done
LEFT=$(cat "$TMP/pid")
CHILDREN+=("$LEFT")
for n in 1 2; do
	kill -USR1 "$RUN"
	for ((i = 0; i < 100; i++)); do
		[ "$(asked .time | wc -l)" -ge $n ] && break
		sleep 0.1
	done
done
equal "reports of the child" "$(asked .time | wc -l)" 2
equal "their times" "$(asked .time | sort -u | wc -l)" 2
equal "their costs" "$(asked .cost.wall_ns | sort -u | wc -l)" 2
stop "$LEFT"
wait "$RUN"
finish "children of a shell under run"
