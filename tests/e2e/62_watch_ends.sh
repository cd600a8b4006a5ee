#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How watch ends and what it leaves: nothing in the kernel after any exit, kill -9 included; exit
# codes and messages when it can't begin; losses are counted and told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq bpftool setpriv unshare

start gcloop -cycles 100000 -depth 10
ask go
for how in INT TERM HUP KILL; do
	watch "$TPID" --json
	[ -n "$(comm -12 <(our_programs) <(held_by /proc/$WPID/fdinfo/*))" ] || fail "the test does not see the programs"
	[ -n "$(comm -12 <(our_maps) <(maps_held))" ] || fail "the test does not see the maps"
	ask go
	kill -$how "$WPID"
	watched
	nothing_left "SIG$how"
	[ $how = KILL ] && continue
	equal "exit after SIG$how" $RC 0
	equal "why" "$(events end .why)" signal
	equal "the last line after SIG$how" "$(tail -n 1 "$WOUT" | jq -r .type)" report
	equal "its sum" "$(jq -c 'select(.type == "report") | .reports[0] | ([.ledger[].resident] | add) == .rss.scanned' "$WOUT")" true
done
watch "$TPID" --duration 0.5 --interval 0.2
watched
equal "exit after --duration" $RC 0
grep -q '^watched for 0\.[5-9] s (duration): .*lost: 0$' "$WOUT" || fail "no last line: $(cat "$WOUT")"
[ "$(grep -c ' sample ' "$WOUT")" -ge 2 ] || fail "no samples"
grep -q '^RSS ' "$WOUT" || fail "no report at the end"
nothing_left "--duration"

# A reader that goes away.
("$RSSCOPE" watch "$TPID" --interval 0.1 --duration 30; echo $? >"$TMP/rc") 2>"$TMP/err" | head -n 2 >/dev/null
equal "exit when nobody reads" "$(cat "$TMP/rc")" 0
[ -s "$TMP/err" ] && fail "nobody reads: $(cat "$TMP/err")"
nothing_left "a closed pipe"
"$RSSCOPE" watch "$TPID" --duration 0.2 >/dev/full 2>"$TMP/err"
equal "exit on a full disk" $? 1
[ -s "$TMP/err" ] || fail "a full disk goes unmentioned"

# What can't be.
expect() { # CODE PATTERN ARG…
	rs watch "${@:3}"
	equal "exit of watch ${*:3}" $RC "$1"
	grep -qE "$2" "$TMP/err" || fail "watch ${*:3} says: $(cat "$TMP/err")"
	[ -s "$TMP/out" ] && fail "watch ${*:3} prints to stdout"
}
expect 2 'needs a target: a PID' 
expect 2 "unknown events 'bogus'" "$TPID" --events gc,bogus
expect 2 'seconds' "$TPID" --duration soon
expect 2 'one process' "$TPID" $$
expect 2 'is not a process id' /no/such/file
expect 3 '.' 4194303
expect 3 'kernel thread' 2
background sleep 1000
expect 1 'not a Go program' "$BPID" --events gc
"$RSSCOPE" watch "$BPID" --duration 0.2 >"$TMP/out" 2>&1
equal "exit for a program that is not Go" $? 0
grep -q 'not watched: gc: ' "$TMP/out" || fail "GC is not named as not watched: $(cat "$TMP/out")"
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
chmod 755 "$TMP"
cp "$RSSCOPE" "$TMP/rsscope"
nobody "$TMP/rsscope" watch "$TPID" >"$TMP/out" 2>"$TMP/err"
equal "exit without privilege" $? 4
grep -q CAP_ "$TMP/err" || fail "without privilege: $(cat "$TMP/err")"
# Its own process it may read, but not load programs.
nobody sh -c 'sleep 60 & until grep -q sleep /proc/$!/comm; do :; done; exec "$0" watch $!' "$TMP/rsscope" >"$TMP/out" 2>"$TMP/err"
equal "exit without CAP_BPF" $? 4
grep -q CAP_BPF "$TMP/err" || fail "without CAP_BPF: $(cat "$TMP/err")"
with_caps() { # CAPS ARG...
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps "$1" --ambient-caps "$1" --bounding-set "-all,$1" \
		"$TMP/rsscope" watch "$TPID" --duration 0.2 --json "${@:2}" >"$TMP/out" 2>"$TMP/err"
	RC=$?
}
missing() { jq -r 'select(.type == "start") | .missing[]' "$TMP/out"; }
caps=+bpf,+perfmon,+sys_ptrace,+dac_read_search
with_caps $caps --events mappings,rss,threads
equal "exit with four capabilities" "$RC $(cat "$TMP/err")" "0 "
equal "missing with four capabilities" "$(missing)" ""
with_caps $caps
equal "exit with four capabilities, GC too" $RC 5
[[ "$(missing)" == gc:*CAP_SYS_ADMIN* ]] || fail "missing with four capabilities: $(missing)"
with_caps $caps,+sys_admin
equal "exit with five capabilities" "$RC $(cat "$TMP/err")" "0 "

# No tracefs: says how to get it; without mappings all the rest works.
umount_all='umount /sys/kernel/tracing 2>/dev/null; umount /sys/kernel/debug/tracing 2>/dev/null; umount /sys/kernel/debug 2>/dev/null'
unshare -m sh -c "$umount_all; exec \"\$@\"" sh "$RSSCOPE" watch "$TPID" --events mappings >"$TMP/out" 2>"$TMP/err"
equal "exit without tracefs" $? 4
grep -q 'mount -t tracefs' "$TMP/err" || fail "without tracefs: $(cat "$TMP/err")"
unshare -m sh -c "$umount_all; exec \"\$@\"" sh "$RSSCOPE" watch "$TPID" --duration 0.2 --json >"$TMP/out" 2>"$TMP/err"
equal "exit when only mappings are missing" $? 5
equal "what is missing" "$(missing | cut -d: -f1)" mappings
unshare -m sh -c "$umount_all; exec \"\$@\"" sh "$RSSCOPE" watch "$TPID" --duration 0.2 --no-mappings >"$TMP/out" 2>"$TMP/err"
equal "exit of --no-mappings without tracefs" "$? $(cat "$TMP/err")" "0 "

unshare -m sh -c "mount -t tmpfs nodev /sys/kernel/btf; exec \"\$@\"" sh "$RSSCOPE" watch "$TPID" >"$TMP/out" 2>"$TMP/err"
equal "exit without BTF" $? 1
grep -q CONFIG_DEBUG_INFO_BTF "$TMP/err" || fail "without BTF: $(cat "$TMP/err")"

# A ring of one page loses; what is lost is counted, and told where it is missing.
start calls -storm 2 1
watch "$TPID" --json --no-report --events mappings --ring 4096
ask go
made=$(cat "$TMP/truth")
kill -INT "$WPID"
watched
total=$(events end '.lost + ([.events[]] | add)')
[ "$(lost)" -gt 0 ] || fail "a ring of a page loses nothing of $made calls"
equal "delivered and lost" "$(events end '.events.mmap + .events.munmap + .losses.ring_full_calls')" "$(events end '.lost + .events.mmap + .events.munmap')"
between "delivered and lost" "$made" "$total" $((made + 100))
told=$(events lost .events | awk '{ n += $1 } END { print n + 0 }')
between "told in between" 1 "$told" "$(lost)"
stop "$TPID"

# The target ends: status, signal, no report.
start calls 1 10
watch "$TPID" --json
ask go
close_stdin
watched
equal "exit when the process has ended" $RC 0
grep -q 'no report: the process has exited' "$WOUT.err" || fail "why there is no report is not told: $(cat "$WOUT.err")"
equal "its status" "$(events exit .status)" 0
equal "why" "$(events end .why)" exit
start calls 1 10
watch "$TPID" --json
stop "$TPID"
watched
equal "the signal it died of" "$(events exit .signal)" 9
# Its last threads end together on two CPUs, and the process once.
start gcloop -cycles 100000 -depth 10
ask go
watch "$TPID" --json --events threads
stop "$TPID"
watched
equal "the signal it died of, with many threads" "$(events exit .signal)" 9
nothing_left "the end"
finish "watch ends cleanly"
