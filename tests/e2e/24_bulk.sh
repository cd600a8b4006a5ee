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
look buckets 65536 2200
equal "buckets: missing" "$(q '[.missing[] | select(.reason | contains("profile"))] | length')" 0
# what is charged: the table (here whole pages of it), the buckets, and bitmaps of the variables
between "buckets" $(($(truth .buckhash_sys) - 65536)) "$(q '[.ledger[] | select(.category == "go/profiler") | .virtual] | add')" $(($(truth .buckhash_sys) + 2 * PAGE))
stop "$TPID"
finish "$said"
