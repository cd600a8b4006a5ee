#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh OUTPUT: runs tests/targets/demo, a stripped Go program with memory of every kind that it
# counts itself, shows rsscope's report of it, and says where each piece is. Exit 0: all were found.
OUTPUT=${1:-build}
. "$(dirname "$0")/e2e/lib.sh"

[ -x "$T/demo" ] || die "no Go toolchain here, so the demo program is not built (sh tests/deps.sh demo)"
[ "$(id -u)" = 0 ] || echo "Without root this sees only your own processes; the demo is one."

mib() { awk -v b="$1" 'BEGIN { printf (b < 1048576 ? "%.0f KiB" : "%.1f MiB"), (b < 1048576 ? b / 1024 : b / 1048576) }'; }

start demo "$OUTPUT/demo.dat"
UNDO+=("rm -f '$OUTPUT/demo.dat'")
echo "The demo runs as process $TPID: a stripped $(truth .go) program with C in it. This is what"
echo "\`rsscope report --pid $TPID\` says about it:"
echo
if [ -t 1 ]; then
	"$RSSCOPE" report --pid "$TPID"
else
	"$RSSCOPE" report --pid "$TPID" --no-color
fi
rc=$?
[ $rc = 0 ] || die "the report exits $rc"
ask again
cp "$TMP/truth" "$TMP/first"
report "$TPID" || exit 1
ask again

echo
echo "And this is what the demo itself knows, piece by piece:"
piece() { # WHAT LOW GOT HIGH WHERE
	if [ "$2" -le "$3" ] && [ "$3" -le "$4" ]; then
		printf '  found    %-46s %10s   in %-22s %10s\n' "$1" "$(mib "$2")" "$5" "$(mib "$3")"
	else
		printf '  NOT HERE %-46s %10s   in %-22s %10s\n' "$1" "$(mib "$2")" "$5" "$(mib "$3")"
		FAILURES=$((FAILURES + 1))
	fi
}
n() { truth "$1"; }
live=$(n .live) garbage=$(n .garbage) stacks=$(n .stacks) anon=$(n .anon) file=$(n .file)
malloc=$(n '.native.small + .native.large') glibc=$(n '.native.arena + .native.hblkhd')
threads=$(n '.native | .threads * (.thread_stack + .thread_local)')
piece "objects that it still holds" "$live" "$(resident go/heap/live)" $((live * 12 / 10)) go/heap/live
piece "requests that it dropped (garbage)" "$garbage" "$(resident go/heap/new-or-dead)" $((garbage * 12 / 10 + 2 * MIB)) go/heap/new-or-dead
piece "stacks of $(n .goroutines) goroutines" "$stacks" "$(resident go/stacks)" $((stacks * 5 / 2)) go/stacks
piece "C memory in malloc (glibc says $(mib "$glibc"))" "$malloc" "$(resident native/malloc)" "$glibc" native/malloc
piece "memory that Go code took with mmap" "$anon" "$(resident native/mmap)" $((anon + MIB / 4)) native/mmap
piece "a file that it mapped" "$file" "$(q "[.ledger[] | select(.category == \"files\" or .category == \"shm\") | .rows[]? | select(.name | contains(\"demo.dat\")) | .resident] | add // 0")" "$file" "files, by its name"
piece "stacks and thread-local data of $(n .native.threads) C threads" "$threads" "$(resident native/stacks)" $((threads + MIB)) native/stacks
sum=$(ledger_sum)
piece "all pages that are resident" "$(q .rss.scanned)" "$sum" "$(q .rss.scanned)" "the sum of all rows"
m='.metrics."/memory/classes/total:bytes"'
a=$(jq -r "$m" "$TMP/first") b=$(truth "$m")
piece "Go's own total (mapped, not resident)" "$a" "$(q '.go.metrics["/memory/classes/total:bytes"] // 0')" "$b" "what the runtime says"
echo
if [ $FAILURES = 0 ]; then
	echo "Every piece is where it should be; $(mib "$(q .unexplained)") of $(mib "$sum") have no known owner, the mmap above among"
	echo "them (its caller is not known from one look; \`rsscope watch\` sees such calls)."
else
	echo "$FAILURES pieces are not where they should be: please report this with the output of \`$RSSCOPE doctor\`."
	exit 1
fi
