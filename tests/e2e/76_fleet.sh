#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many processes kept open: counters of each twice a second, ledgers in turn, while one of them calls
# exec and another one ends. `make check-fleet` has the long form: 100 processes of ten binaries for
# ten minutes, where memory stays what it was after the first round of ledgers.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq
N=${FLEET_N:-12} SECONDS_=${FLEET_SECONDS:-12} TICK=${FLEET_TICK_MS:-500} LEDGER=${FLEET_LEDGER_MS:-4000}
fleet=$OUTPUT/tests/tools/fleet
[ -x "$fleet" ] || die "no $fleet: make targets"
small="-heap 2 -mmap 1 -file 0 -stacks 4 -malloc 1 -threads 1"
# the first four binaries in the short form
programs=("fixture-pure $small" "gcloop" "fixture-cgo $small" "churn -workers 1 -kept 200 -pause 200ms"
	"fixture-pie $small" "fixture-pure-stripped $small" "work" "origins" "fixture-cgo-stripped $small" "mappings")
kinds=${FLEET_BINARIES:-4}

# They end with their standard input, which this pipe is.
mkfifo "$TMP/hold"
exec {HOLD}<>"$TMP/hold"
run_target() {
	"$@" <&"$HOLD" >/dev/null 2>&1 &
	CHILDREN+=("$!")
}
for ((i = 0; i < N; i++)); do
	# shellcheck disable=SC2086 # words
	run_target $T/${programs[i % kinds]}
done
# One more calls exec when it is told, from a shell to a Go program; another ends.
mkfifo "$TMP/now"
# shellcheck disable=SC2086 # words
run_target bash -c 'read -r <"$0"; exec "$@"' "$TMP/now" "$T/fixture-pure" $small
execs=$!
run_target "$T/gcloop"
ends=$!
sleep 1 # the runtimes are up

timeout $((SECONDS_ + 120)) "$fleet" "$SECONDS_" "$TICK" "$LEDGER" "${CHILDREN[@]}" >"$TMP/said" 2>"$TMP/err" &
tool=$!
sleep $((SECONDS_ / 3))
echo >"$TMP/now"
kill -KILL "$ends"
wait "$tool"
equal "fleet: exit" $? 0
cat "$TMP/said"
f() { jq "$1" "$TMP/said"; }

equal "members at the end" "$(f .members)" $((N + 1))
equal "processes that ended" "$(f .ended)" 1
equal "processes that called exec" "$(f .execed)" 1
equal "processes that were lost" "$(f .lost)" 0
grep -q "^$execs runs another program" "$TMP/err" || fail "not told of the exec of $execs: $(cat "$TMP/err")"
grep -q "^$ends has ended" "$TMP/err" || fail "not told of the end of $ends: $(cat "$TMP/err")"
equal "errors" "$(f '[.errors[]] | add')" 0
equal "of these ledgers whose rows are not what was scanned" "$(f .errors.unbalanced)" 0
# Each has its readings, but for those that a busy machine was late for, which are counted.
rounds=$((SECONDS_ * 1000 / TICK)) ledgers=$((SECONDS_ * 1000 / LEDGER))
between "ticks, and those left out" $((N * (rounds - 1))) "$(f '.ticks + .skipped.ticks')" $(((N + 2) * (rounds + 1)))
between "ledgers, and those left out" $((N * (ledgers - 1))) "$(f '.ledgers + .skipped.ledgers')" $(((N + 2) * (ledgers + 1)))
[ "$(f .ledgers)" -ge "$N" ] || fail "$(f .ledgers) ledgers of $N processes"
# all but the shell's are of Go programs
between "ticks with Go's metrics" $((N * (rounds - 1) - $(f .skipped.ticks))) "$(f .go_ticks)" "$(f .ticks)"
between "descriptors of a process" 4 "$(f .fds.member)" 10
equal "descriptors left when all are let go" "$(f .fds.left)" 0
[ "$(f .shared)" -ge $((N - kinds)) ] || fail "binaries are shared $(f .shared) times"
# small programs hold less than a quarter of a MiB; binaries, and what one ledger needs
between "anonymous memory of ours" 1 "$(f .anon.max)" $(((N + 2) * MIB / 4 + 12 * MIB))
if [ "$ledgers" -ge 3 ]; then
	grown=$(($(f .anon.end) - $(f .anon.first)))
	between "KiB that memory grew by after the first round of ledgers" -65536 $((grown / 1024)) $((1024 + 16 * N))
fi
finish "$(jq -r '"\(.cpu_percent) % of a core, RSS \(.rss.end / 1048576 * 10 | round / 10) MiB, \(.fds.member) descriptors a process, \(.ticks) ticks, \(.ledgers) ledgers"' "$TMP/said")"
