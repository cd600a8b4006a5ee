#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Goroutines and profile buckets by the hundred thousand are read together: a report makes few system
# calls for each, however many there are, and its figures are the program's own.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq strace

calls() { # PID: a report of it; its system calls in $TMP/calls
	strace -f -c -o "$TMP/calls" "$RSSCOPE" report --pid "$1" --json >"$TMP/report.json" || fail "report of $1 under strace exits $?"
}
total() { # all system calls in $TMP/calls: the fourth column of each line
	awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { n += $4 } END { print n + 0 }' "$TMP/calls"
}
look() { # SHAPE N BUDGET
	start shapes "$1" "$2"
	freeze "$TPID"
	calls "$TPID"
	n=$(total)
	[ "$n" -gt 50 ] || fail "$1 $2: strace counts $n system calls"
	[ "$n" -le "$3" ] || fail "$1 $2: $n system calls, want at most $3"
	equal "$1 $2: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
	said="$said $2 $1: $n system calls;"
}
said=
# Five megabytes of descriptors to 10,000 goroutines: a look at the page map for each 256 KiB, a copy for
# each 64.
look goroutines 100000 4500
equal "goroutines: with those of the runtime" "$(q '.go.metrics["/sched/goroutines:goroutines"]')" "$(q .go.goroutines.total)"
stop "$TPID"
look buckets 65536 3000 # twice: once for their memory, once for who made them
equal "buckets: missing" "$(q '[.missing[] | select(.reason | contains("profile"))] | length')" 0
# what is charged: the table (here whole pages of it), the buckets, and bitmaps of the variables
between "buckets" $(($(truth .buckhash_sys) - 65536)) "$(q '[.ledger[] | select(.category == "go/profiler") | .virtual] | add')" $(($(truth .buckhash_sys) + 2 * PAGE))
stop "$TPID"

# Buckets that are made between two snapshots of one session, which keeps those that it has read.
start shapes buckets 16384
coproc SESSION { "$OUTPUT/tests/warm" "$TPID" reports 2>"$TMP/err"; }
CHILDREN+=("$SESSION_PID")
charged=() rows=()
snapshot() { # WHEN: the next one of the session, against what the program said last
	echo >&"${SESSION[1]}"
	read -r -t 120 line <&"${SESSION[0]}" || die "no snapshot $1: $(head -c 300 "$TMP/err")"
	printf '%s\n' "$line" >"$TMP/report.json"
	charged+=("$(truth .buckhash_sys)")
	rows+=("$(q '[.ledger[] | select(.category == "go/profiler") | .rows[] | select(.name == "profile buckets") | .virtual] | add')")
	equal "buckets that are charged $1" "$(q '.go.metrics["/memory/classes/profiling/buckets:bytes"]')" "${charged[-1]}"
	equal "reasons that buckets are missing $1" "$(q '[.missing[] | select(.reason | contains("profile"))] | length')" 0
}
snapshot first
snapshot "with nothing new"
ask 65536
snapshot "with four times as many new"
[ "${charged[2]}" -gt $((3 * charged[0])) ] || fail "the program has made no buckets: ${charged[*]}"
equal "the buckets of the second snapshot" "${rows[1]}" "${rows[0]}"
equal "growth of the buckets" $((rows[2] - rows[0])) $((charged[2] - charged[0]))
said="$said $((rows[2] - rows[0])) bytes of buckets made between two snapshots;"
stop "$TPID"

# Of mappings the texts cost most: maps before, with and after the page map, smaps at most once, where
# a userfaultfd is about. Before 6.11 the reader of memory needs maps, too; before 6.7 the page map.
start shapes maps 44000
freeze "$TPID"
strace -f -y -o "$TMP/trace" "$RSSCOPE" report --pid "$TPID" --json >"$TMP/report.json" || fail "report of mappings under strace exits $?"
n=$(grep -cE "pread64\\([0-9]+</proc/$TPID/maps>.*, 0\\) = " "$TMP/trace")
most=5
! grep -qE "ioctl\\([0-9]+</proc/$TPID/maps>.*\\) = 0" "$TMP/trace" || most=3
between "44000 mappings: readings of maps" 3 "$n" "$most"
between "44000 mappings: readings of smaps" 0 "$(grep -c '"smaps"' "$TMP/trace")" 1
equal "44000 mappings: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
said="$said 44000 mappings: $n readings of maps"
stop "$TPID"
finish "$said"
