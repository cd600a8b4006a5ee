#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two Go runtimes in one process, in libraries of a C program: each has its metrics and its rows of
# the ledger, which name its library, and they equal what it says itself. One that is loaded while the
# process is watched is in the report at the end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq gcc
D=$OUTPUT/two
mkdir -p "$D"
for l in a b; do
	(cd "$ROOT/tests/targets/two" && CGO_ENABLED=1 GOFLAGS=-mod=mod GO111MODULE=off go build -buildmode=c-shared -o "$D/lib$l.so" lib.go) ||
		die "cannot build the library"
done
gcc -O1 -o "$D/host" "$ROOT/tests/targets/two/host.c" -ldl

runtime_of() { # LIBRARY JQ: of the runtime in it
	q ".runtimes[] | select(.image == \"$D/$1.so\") | $2"
}
rows_of() { # LIBRARY CATEGORY: resident bytes of its rows there
	q "[.ledger[] | select(.category | startswith(\"$2\")) | .rows[] | select(.image == \"$D/$1.so\") | .resident] | add // 0"
}
check_two() { # HEAP-A HEAP-B
	equal "runtimes" "$(q '[.runtimes[].image] | sort | join(" ")')" "$D/liba.so $D/libb.so"
	equal "the first is the main one" "$(q '.runtimes[0].image == .target.go_file')" true
	equal "its books are those of go" "$(q '.runtimes[0].gc == .go.gc and .runtimes[0].metrics == .go.metrics')" true
	local l i=0 truth
	for l in liba libb; do
		i=$((i + 1))
		truth=${!i}
		equal "$l, its heap by its metrics" "$(runtime_of $l '.metrics."/memory/classes/heap/objects:bytes"')" "$truth"
		between "$l, live and new objects" $((truth - 65536)) $(($(rows_of $l go/heap/live) + $(rows_of $l go/heap/new-or-dead))) "$truth"
		equal "$l, goroutines" "$(runtime_of $l '.goroutines.total > 0')" true
	done
	equal "rows of Go without a library" "$(q '[.ledger[] | select(.category | startswith("go/heap")) | .rows[] | select(.image == null)] | length')" 0
	equal "unknown" "$(q .unknown)" 0
	between "unexplained" 0 "$(q .unexplained)" 262144
}

start_program "$D/host" "$D/liba.so" 120 "$D/libb.so" 60
read -r -t 60 line <&"$TRUTH_FD" || die "the host says nothing"
report "$TPID"
equal "with one" "$(q '[.target.go_file, (.runtimes == null), ([.ledger[].rows[] | select(.image)] | length)] | join(" ")')" "$D/liba.so true 0"

# The second one comes while it is watched.
watch "$TPID" --json --no-mappings --duration 60
echo >&"$STDIN_FD"
read -r -t 60 line <&"$TRUTH_FD" || die "the host says nothing"
a=$(jq '.heap[0]' <<<"$line") b=$(jq '.heap[1]' <<<"$line")
freeze "$TPID"
report "$TPID"
equal "exit" $RC 0
check_two "$a" "$b"
equal "sum of the leaves" "$(ledger_sum)" "$(q .rss.scanned)"
equal "the same as smaps_rollup" "$(q .rss.scanned)" "$(rollup "$TPID" Rss)"
rs capture "$TPID" -o "$TMP/two.rsscap"
equal "capture exits" $RC 0
rs report "$TMP/two.rsscap" --json
cp "$TMP/out" "$TMP/report.json"
check_two "$a" "$b"
rs report "$TMP/two.rsscap"
grep -q "^also .* in lib[ab].so" "$TMP/out" || fail "the text does not name the other runtime"
kill -INT "$WPID"
watched
equal "exit of watch" $RC 0
jq -c 'select(.reports)' "$WOUT" >"$TMP/report.json"
check_two "$a" "$b"
thaw "$TPID"
finish "each runtime has its books"
