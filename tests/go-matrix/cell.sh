#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cell.sh OUTPUT PROGRAM RELEASE: one program of the matrix, looked at between its own answers.
OUTPUT=$1
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/toolchain.sh"
need_root
need_tool jq
total=0

# look WHAT COMMAND: the command, then a report between two of the program's answers that agree. The
# scavenger goes on in the background, for longer on a busy machine: rest is waited for.
look() {
	local i out
	ask "$2"
	for ((i = 0; i < 100; i++)); do
		cp "$TMP/truth" "$TMP/before"
		report "$TPID" || return
		ask truth
		out=$(jq -nr --slurpfile b "$TMP/before" --slurpfile r "$TMP/report.json" --slurpfile a "$TMP/truth" \
			'{before: $b[0].metrics, report: $r[0].reports[0], after: $a[0].metrics}' |
			jq -rf "$ROOT/tests/go-matrix/compare.jq" | sort | uniq -c)
		# the counts of goroutines by state are snapshots: a worker may run at one look, not at the next
		case $out in
		*moved*) ;;
		*/sched/goroutines/*) [ $i -lt 12 ] || break ;;
		*) break ;;
		esac
		[ $i -lt 12 ] && sleep 0.05 || sleep 0.5
	done
	FIGURES=$(awk '$2 == "equal" { print $1 }' <<<"$out")
	total=$((total + ${FIGURES:-0}))
	[ "${FIGURES:-0}" -ge 20 ] || fail "$1: only ${FIGURES:-0} figures are equal"
	out=$(grep -v '^ *[0-9]* equal$' <<<"$out" | sed 's/^ *[0-9]* //' | head -n 4 | tr '\n' ';')
	[ -z "$out" ] || fail "$1: $out"
}
balance() { # WHAT
	local limit
	freeze "$TPID"
	frozen_report "$TPID" || { thaw "$TPID" && return; }
	equal "$1: scanned" "$(q .rss.scanned)" "$FROZEN_RSS"
	equal "$1: sum of the ledger" "$(ledger_sum)" "$FROZEN_RSS"
	limit=$((FROZEN_RSS / 1000 > 2 * PAGE ? FROZEN_RSS / 1000 : 2 * PAGE))
	limit=$((limit + ${UNEXPLAINED:-0})) # what this build maps for itself
	between "$1: unexplained" 0 "$(q .unexplained)" $limit
	ledger_sane
	thaw "$TPID"
}
# Every third object of each page kept: bytes are exact, page by page.
objects() { # PROGRAM
	[ -x "$OUTPUT/tests/go-matrix/objects" ] && [ -z "${NO_OBJECTS:-}" ] || return 0
	start_program "$1" -third "$TMP/pages"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	"$OUTPUT/tests/go-matrix/objects" "$TPID" "$TMP/pages" >"$TMP/objects" 2>&1 || fail "objects: $(tail -n 3 "$TMP/objects" | tr '\n' ';')"
	stop "$TPID"
}
run_cell() { # PROGRAM RELEASE
	local minor c
	minor=$(minor_of "$2")
	start_program "$1"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	equal "version" "$(jq -r '.go | sub("[ -]X:.*"; "")' <<<"$line")" "$2"
	for c in truth gc "churn 3" "grow 20" drop "churn 2" "park 30" gc; do
		look "after $c" "$c"
	done
	equal "go_version" "$(q .target.go_version)" "$(jq -r .go <<<"$line")"
	balance "frozen"
	equal "frozen: what does not add up" "$(q '[.missing[] | select(.path | startswith("ledger[go")) | .reason] | join("; ")')" ""
	if [ -x "$OUTPUT/tests/go-matrix/perturb" ] && [ -z "${NO_PERTURB:-}" ]; then
		freeze "$TPID"
		"$OUTPUT/tests/go-matrix/perturb" "$TPID" >"$TMP/perturb" 2>&1 || fail "wrong layouts: $(head -n 4 "$TMP/perturb" | tr '\n' ';')"
		thaw "$TPID"
	fi
	stop "$TPID"
	objects "$1"
	GOGC=off start_program "$1"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	look "GOGC=off" "grow 4"
	[ "$minor" -lt 17 ] || equal "GOGC=off: gogc" "$(q .go.gc.gogc)" -1
	stop "$TPID"
	[ "$minor" -ge 19 ] || return
	GOMEMLIMIT=48MiB start_program "$1"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	for c in truth "grow 12" gc "grow 20"; do
		look "GOMEMLIMIT after $c" "$c"
	done
	equal "memory limit" "$(q .go.gc.memory_limit)" $((48 * MIB))
	stop "$TPID"
}

run_cell "$2" "$3"
finish "$total figures equal"
