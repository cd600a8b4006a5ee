#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The life of a program under run: it execs, grows and shrinks, has children, is killed; or rsscope is.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq bpftool setpriv unshare
run() { # ARG…: stdout in $TMP/out, the report in $TMP/report.json, status in RC
	rm -f "$TMP/report.json"
	"$RSSCOPE" run --no-mappings --json -o "$TMP/report.json" "$@" >"$TMP/out" 2>"$TMP/err"
	RC=$?
}
MIN=$((19 * MIB))

# ---- a shell that becomes a Go program: its collections are counted, its ledger is Go's
run -- sh -c "exec $T/run -mib 20 -ms 1500 -gc 5 -status 4"
equal "status" $RC 4
equal "GC cycles after an exec" "$(q .run.gc_cycles)" "$(cat "$TMP/out")"
equal "execs" "$(q .run.events.exec)" 1
equal "the program of the ledger" "$(q .target.comm)" run
[ "$(resident go/heap)" -ge $MIN ] || fail "go/heap: $(resident go/heap)"
ledger_sane
between "ledgers" 2 "$(q .run.ledgers)" 30
between "the last one's age" 0 "$(q .run.ledger_age_ns)" 700000000
q '[.missing[].path] | index("run.events.mmap")' | grep -q null && fail "--no-mappings is not named in missing"
q '.cost.probes' | grep -qE '^[1-9]' || fail "no probes in cost"

# The other way round: what the first program had at most stays the highest.
run -- "$T/short" 30000 1 exit 0
run -- sh -c "$T/short 30000 1 exit 0; exec $T/short 20 50 exit 0"
between "the highest RSS of a small program" 1 "$(q .rss.high_water)" $((8 * MIB))
between "with its children" $((29 * MIB)) "$(q .run.tree_max_rss)" $((34 * MIB))
equal "forks" "$(q .run.events.fork)" 1

# ---- who asked for its memory, from the first mapping on: main.mapAnon, and the runtime itself
(echo mmap; echo goroutine; echo touch; sleep 1; echo mmap; sleep 1) |
	"$RSSCOPE" run --json -o "$TMP/report.json" -- "$T/origins" >"$TMP/out" 2>"$TMP/err"
equal "status" $? 0
asked() { q "[.origins[] | select(any(.stack[]; .func == \"$1\")) | .bytes] | add"; } # FUNCTION
equal "asked for by main.mapAnon" "$(asked main.mapAnon)" $((15 * MIB))
[ "$(asked runtime.mallocinit)" -ge $MIB ] || fail "the runtime's first mappings: $(asked runtime.mallocinit)"
resident_row=$(q '[.ledger[] | select(.category == "native/mmap") | .rows[] | select(.name | startswith("main.mapAnon")) | .resident] | add')
equal "resident of main.mapAnon" "$resident_row" $((12 * MIB))

# Events as they come: the exec first, the report last, all that the report counts in between.
"$RSSCOPE" run --events --json -o "$TMP/events" -- "$T/run" -mib 8 -ms 60 -gc 3 >"$TMP/out"
equal "the first event" "$(head -n 1 "$TMP/events" | jq -r .type)" exec
equal "the last line" "$(tail -n 1 "$TMP/events" | jq -r .type)" report
tail -n 1 "$TMP/events" >"$TMP/report.json"
for k in mmap munmap brk rss gc thread_start exit; do
	equal "events $k" "$(jq -r .type "$TMP/events" | grep -c "^$k\$")" "$(q ".run.events.$k")"
done
equal "GC cycles" "$(q .run.gc_cycles)" "$(cat "$TMP/out")"
# cycles before its runtime was found: told, and said to be without figures
bare=$(jq -r 'select(.type == "gc" and .cycle == null) | .type' "$TMP/events" | wc -l)
said=$(q '.missing[] | select(.path == "gc") | .reason | capture("^(?<n>[0-9]+) ").n')
equal "cycles that are said to have no figures" "${said:-0}" "$bare"
# As text. Some of these have ended before anybody could look at them: their file names the callers.
for i in 1 2 3 4 5 6 7 8; do
	"$RSSCOPE" run --events -- "$T/run" -mib 0 -ms 0 2>"$TMP/err" >/dev/null
	grep -q ' mmap .*runtime\.' "$TMP/err" || fail "run $i, events as text: $(head -n 3 "$TMP/err")"
done
nothing_left "runs with mapping calls"

# ---- it shrinks: the ledger of the peak is reported, too
run -i 0.2 -- "$T/run" -mib 64 -ms 300 -drop -gc 1
run -i 0.1 -- sh -c 'x=$(head -c 40000000 /dev/zero | tr "\0" x); sleep 0.3; x=; sleep 0.7'
equal "status" $RC 0
equal "ledgers reported" "$(jq -r '[.reports[].run.ledger_at] | join(" ")' "$TMP/report.json")" "last peak"
peak=$(jq '.reports[1].rss.scanned' "$TMP/report.json")
between "the ledger of the peak" $((36 * MIB)) "$peak" $((200 * MIB))
between "the last ledger" 1 "$(q .rss.scanned)" $((peak / 2))
between "last RSS" 1 "$(q .run.last_rss)" $((peak / 2))
[ "$(q .rss.high_water)" -ge $((peak - MIB)) ] || fail "the highest RSS is $(q .rss.high_water), the peak's ledger $peak"
equal "sum of the peak's" "$(jq '.reports[1] | ([.ledger[].resident] | add) == .rss.scanned' "$TMP/report.json")" true

# ---- ended by somebody
"$RSSCOPE" run --no-mappings --json -o "$TMP/report.json" -- sh -c 'echo $$ >"$0"; exec "$1" 20000 60000 exit 0' "$TMP/pid" "$T/short" &
RPID=$!
CHILDREN+=("$RPID")
sleep 1
PID=$(cat "$TMP/pid")
rss=$(status_bytes "$PID" VmRSS)
kill -KILL "$PID"
wait $RPID
equal "status after a kill" $? 137
equal "the signal" "$(q .run.signal)" 9
between "the RSS it was killed with" $((rss - MIB)) "$(q .run.last_rss)" $((rss + MIB))
[ "$(q .rss.scanned)" -ge $MIN ] || fail "its ledger: $(q .rss.scanned)"

# rsscope is killed: the program lives, and nothing is left in the kernel.
"$RSSCOPE" run --no-mappings -o "$TMP/x" -- sh -c 'echo $$ >"$0"; exec sleep 60' "$TMP/pid2" &
RPID=$!
CHILDREN+=("$RPID")
sleep 1
PID=$(cat "$TMP/pid2")
CHILDREN+=("$PID")
[ -n "$(comm -12 <(our_programs) <(held_by /proc/$RPID/fdinfo/*))" ] || fail "the test does not see the programs"
kill -KILL $RPID
wait $RPID
sleep 0.2
grep -q '^State:.S' "/proc/$PID/status" || fail "the program ended with rsscope"
kill -KILL "$PID"
nothing_left "SIGKILL"

# Killed before the program starts: it never starts. (Probes take longer to attach than this.)
"$RSSCOPE" run -- touch "$TMP/never" 2>/dev/null &
RPID=$!
sleep 0.01
kill -KILL $RPID
wait $RPID
sleep 0.5
[ -e "$TMP/never" ] && fail "the program starts without rsscope"

# ---- fallbacks of the probes, a ring of a page: losses are counted
run --fallbacks -- "$T/run" -mib 20 -ms 100 -gc 3
equal "status with fallbacks" $RC 0
equal "GC cycles with fallbacks" "$(q .run.gc_cycles)" "$(cat "$TMP/out")"
between "the highest RSS with fallbacks" $(($(q .run.tree_max_rss) * 98 / 100)) "$(q .rss.high_water)" $(($(q .run.tree_max_rss) * 102 / 100))

# ---- as the first process of a container: orphans are reaped
unshare -pf --mount-proc "$RSSCOPE" run --no-mappings --json -o "$TMP/report.json" -- \
	sh -c '(sleep 0.1 & exec sleep 0.05); sleep 0.6; ps -e -o stat=,ppid=; exit 5' >"$TMP/out"
equal "status in a pid namespace" $? 5
equal "zombies in it" "$(grep -c Z "$TMP/out")" 0
equal "the program's id in it" "$(q .target.pid)" 2
equal "observed there by" "$(q .rss.observed_by)" first-instruction
equal "exit there" "$(q .run.events.exit)" 1

# Few capabilities: all but GC cycles, whose probe needs more, and says so.
caps=+bpf,+perfmon,+sys_ptrace,+dac_read_search
chmod 755 "$TMP"
cp "$RSSCOPE" "$T/run" "$TMP/"
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps $caps --ambient-caps $caps --bounding-set "-all,$caps" \
	"$TMP/rsscope" run --json -- "$TMP/run" -ms 100 -gc 2 -status 6 >"$TMP/out" 2>"$TMP/report.json"
equal "status with four capabilities" $? 6
q '.missing[] | select(.path == "run.gc_cycles") | .reason' | grep -q CAP_SYS_ADMIN || fail "GC cycles with four capabilities: $(q .missing)"
[ "$(q .run.events.mmap)" -gt 0 ] || fail "no mmap with four capabilities"

# ---- the OOM killer: the last RSS is what it had, not what the reaper left of it
memory=$(mounted cgroup memory) limit=memory.limit_in_bytes
[ -n "$memory" ] || { memory=$(mounted cgroup2) limit=memory.max; }
if [ -n "$memory" ] && mkdir "$memory/rsscope-test-$$" 2>/dev/null; then
	CGROUPS+=("$memory/rsscope-test-$$")
	if echo $((64 * MIB)) >"$memory/rsscope-test-$$/$limit" 2>/dev/null; then
		run -- sh -c 'echo $$ >"$0/cgroup.procs"; exec "$1" 400000 1000 exit 0' "$memory/rsscope-test-$$" "$T/short"
		equal "status after the OOM killer" $RC 137
		between "the RSS it was killed with" $((60 * MIB)) "$(q .run.last_rss)" $((70 * MIB))
		equal "the highest RSS" "$(q .rss.high_water)" "$(q .run.tree_max_rss)"
	fi
fi

# As text: a screen, with its age, and what is missing.
"$RSSCOPE" run --no-mappings -- "$T/run" -mib 4 -ms 100 2>"$TMP/err" >/dev/null
grep -qE '^snapshot +taken .* before exit, the last of [1-9]' "$TMP/err" || fail "no age: $(head -n 5 "$TMP/err")"
between "lines" 10 "$(wc -l <"$TMP/err")" 50
"$RSSCOPE" run --no-mappings -- true 2>"$TMP/err"
grep -q '^No snapshot' "$TMP/err" || fail "a short program's report: $(cat "$TMP/err")"
grep -q 'RSS peak' "$TMP/err" || fail "a short program's counters: $(cat "$TMP/err")"
finish "execs, peaks, children and kills are told"
