#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A day in fast motion: mapping calls, threads born and dead, probes attached and detached. We do not
# grow, and nothing is left: no descriptor, program, map, link or breakpoint. SOAK=100 is a million
# calls, 10,000 threads, 1,000 rounds, half an hour; what runs with the others is a hundredth of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq bpftool
SOAK=${SOAK:-1}
CALLS=$((10000 * SOAK)) THREADS=$((100 * SOAK)) ROUNDS=$((10 * SOAK))

# Bytes of the program's code that differ from its file: a breakpoint is one.
changed_code() {
	local range start end off
	read -r range _ off _ < <(grep -m 1 ' r-xp .*/gcloop$' "/proc/$1/maps")
	start=$((16#${range%-*})) end=$((16#${range#*-}))
	cmp -l <(dd if="/proc/$1/mem" bs=4096 skip=$((start / 4096)) count=$(((end - start) / 4096)) 2>/dev/null) \
		<(dd if="/proc/$1/exe" bs=4096 skip=$((16#$off / 4096)) count=$(((end - start) / 4096)) 2>/dev/null) | wc -l
}

# ---- one watcher, many events
STEPS=10
start soak
watch "$TPID" --json --no-report --interval 0
step() {
	ask "calls $((CALLS / STEPS))"
	ask "threads $((THREADS / STEPS))"
	drained
}
for ((i = 1; i <= STEPS; i++)); do
	step
	# The first steps fill what is kept for good: names, call stacks, the allocator's own.
	if [ $i = 3 ]; then
		first=$(anon_kib "$WPID") first_fds=$(fds "$WPID")
	fi
	echo "step $i: $(anon_kib "$WPID") KiB, $(fds "$WPID") descriptors"
done
last=$(anon_kib "$WPID")
[ "$last" -le $((first + 512)) ] || fail "the watcher grew from $first to $last KiB"
equal "descriptors of the watcher" "$(fds "$WPID")" "$first_fds"
close_stdin
watched
equal "exit of watch" $RC 0
seen=$(events end '.events | .mmap + .munmap + .mremap') born=$(events end .events.thread_start) died=$(events end .events.thread_exit)
lost=$(lost)
[ $((seen + lost)) -ge $((CALLS * 9 / 10)) ] || fail "$seen calls seen and $lost lost of $CALLS"
[ $((born + lost)) -ge "$THREADS" ] || fail "$born threads seen of $THREADS"
[ $((died + lost)) -ge "$THREADS" ] || fail "$died of $THREADS threads seen to end"
nothing_left "$CALLS calls"

# ---- many watchers in one process: the library's own rounds
"$OUTPUT/vm-events" rounds "$ROUNDS" >"$TMP/rounds" 2>&1 || fail "$(cat "$TMP/rounds")"
cat "$TMP/rounds"
nothing_left "$ROUNDS rounds"

# ---- and many of them, one after the other, on one Go process
[ -x "$T/gcloop" ] || finish "$seen calls, $born threads, $ROUNDS rounds; no Go"
start gcloop -free -cycles 1 -depth 4
rounds_fds=$(fds "$TPID")
watch "$TPID" --events gc --no-report
equal "bytes of the target's code while it is watched" "$(changed_code "$TPID")" 2
kill -INT "$WPID"
watched
for ((i = 0; i < ROUNDS; i++)); do
	"$RSSCOPE" watch "$TPID" --no-mappings --no-report --duration 0.01 >"$TMP/out" 2>"$TMP/err" || fail "round $i: $(cat "$TMP/err")"
	[ $FAILURES -gt 5 ] && die "too many failures"
done
equal "descriptors of the target" "$(fds "$TPID")" "$rounds_fds"
equal "bytes of the target's code that are not the file's" "$(changed_code "$TPID")" 0
nothing_left "$ROUNDS watchers"
finish "$seen calls, $born threads born and $died dead, $ROUNDS rounds, $ROUNDS watchers; $lost lost; $first to $last KiB"
