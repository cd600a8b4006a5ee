#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many short programs (RUNS=60; the long form: OUTPUT=build RUNS=1000 bash tests/e2e/71_run_many.sh,
# twenty minutes), C and Go, 1 to 100 ms: each with its exit status, its highest RSS as getrusage has
# it, a report that adds up; and nothing is left: no process, no BPF program, map or link.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq bpftool
RUNS=${RUNS:-60}
SEED=${SEED:-$RANDOM}
RANDOM=$SEED
echo "SEED=$SEED RUNS=$RUNS"

ledgers=0 go_ledgers=0 counted=0 worst=0 CYCLES=0 MMAPS=0
check() { # WANTED-STATUS KIB ENDED: the report in $TMP/r of a run whose status was RC
	local end high tree by lost ledger sum scanned age wall go missing diff
	equal "run $i: status of $CMD" $RC "$1"
	# all at once: jq takes longer than what is looked at
	jq -er '.reports[0] | [(.run | if .signal then 128 + .signal else .exit_status end),
		.rss.high_water, .run.tree_max_rss, .rss.observed_by, ([.losses[]] | add), has("ledger"),
		([.ledger[]?.resident] | add // 0), .rss.scanned, .run.ledger_age_ns, .run.wall_ns, has("go"),
		([.missing[]?.path] | index("ledger") != null), .run.gc_cycles, .run.events.mmap]
		| map(. // 0 | tostring) | join(" ")' "$TMP/r" >"$TMP/fields" 2>/dev/null || {
		fail "run $i: $CMD: no report: $(cat "$TMP/err")"
		return
	}
	read -r end high tree by lost ledger sum scanned age wall go missing CYCLES MMAPS <"$TMP/fields"
	[ -s "$TMP/err" ] && fail "run $i: $CMD: stderr has $(cat "$TMP/err")"
	equal "run $i: reported end of $CMD" "$end" "$1"
	between "run $i: the highest RSS of $CMD" $((tree - tree / 50)) "$high" $((tree + tree / 50))
	[ "$high" -ge $(($2 * 1024)) ] || fail "run $i: $CMD: a highest RSS of $high"
	diff=$((high > tree ? high - tree : tree - high))
	[ $((diff * 10000 / tree)) -gt $worst ] && worst=$((diff * 10000 / tree))
	equal "run $i: observed by" "$by" first-instruction
	equal "run $i: losses" "$lost" 0
	if [ "$ledger" = true ]; then
		ledgers=$((ledgers + 1))
		equal "run $i: sum of $CMD's ledger" "$sum" "$scanned"
		between "run $i: age of the ledger" 0 "$age" "$wall"
		[ "$go" = true ] && go_ledgers=$((go_ledgers + 1))
	else
		counted=$((counted + 1))
		equal "run $i: what is missing" "$missing" true
	fi
}

for ((i = 1; i <= RUNS; i++)); do
	ms=$((1 + RANDOM % 100)) kib=$((RANDOM % 4096)) status=$((RANDOM % 256)) opt=--no-mappings
	((i % 3 == 0)) && kib=$((kib * 8))
	((RUNS >= 1000 || i % 10 == 1)) && opt=--json # mappings, too: half a second each to detach
	case $((i % 4)) in
	0) CMD="$T/short $kib $ms signal $((i % 8 ? 9 : 15))" want=$((i % 8 ? 137 : 143)) ;;
	1 | 2) CMD="$T/short $kib $ms exit $status" want=$status ;;
	3) CMD="$T/run -mib $((kib / 1024 + 1)) -ms $ms -gc $((i % 7)) -status $status" want=$status ;;
	esac
	# shellcheck disable=SC2086
	"$RSSCOPE" run --json $opt -o "$TMP/r" -- $CMD >"$TMP/out" 2>"$TMP/err"
	RC=$?
	check "$want" "$kib"
	if ((i % 4 == 3)); then
		equal "run $i: GC cycles of $CMD" "$CYCLES" "$(cat "$TMP/out")"
	fi
	[ $opt = --json ] && { [ "$MMAPS" -gt 0 ] || fail "run $i: no mmap in $CMD"; }
	((i % 100)) || echo "$i runs"
	[ $FAILURES -gt 20 ] && die "too many failures"
done
[ "$ledgers" -gt $((RUNS / 4)) ] || fail "only $ledgers of $RUNS have a ledger"
[ "$go_ledgers" -gt 0 ] || fail "no ledger with the books of Go"

# Nothing is left: no child of ours, nothing in the kernel.
# shellcheck disable=SC2009 # states, not names
zombies=$(ps -o stat= --ppid $$ | grep -c Z)
equal "zombies" "$zombies" 0
pgrep -f "^$T/(short|run) " >"$TMP/alive" && fail "still there: $(cat "$TMP/alive")"
nothing_left "$RUNS runs"
finish "$RUNS programs, $ledgers ledgers ($go_ledgers Go), $counted with counters only; RSS off by $((worst / 100)).$(printf %02d $((worst % 100))) % at most"
