#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --follow while nobody takes what is recorded: of programs whose start and end are lost nothing may
# stay in the BPF maps, where it would take the room of those to come.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq bpftool gcc
N=3000
gcc -std=gnu11 -D_GNU_SOURCE -O1 -o "$TMP/execs" "$ROOT/tests/harm/execs.c" -lpthread || die "execs does not build"

# Entries of a map of the watcher.
entries() { # NAME
	local id
	cat "/proc/$WPID/fdinfo/"* 2>/dev/null | awk '$1 == "map_id:" { print $2 }' | sort -u | while read -r id; do
		[ "$(bpftool -j map show id "$id" | jq -r .name)" != "$1" ] || bpftool -j map dump id "$id" | jq length
	done
}

start_program "$TMP/execs" $N /bin/true
read -r line <&"$TRUTH_FD"
TARGET=$TPID
watch "$TARGET" --json --follow --no-report --interval 0 --ring 65536
for part in 1 2 3 4 5 6 7 8 9 10; do
	kill -STOP "$WPID"
	echo go >&"$STDIN_FD"
	read -r -t 120 line <&"$TRUTH_FD" || die "no answer in part $part"
	kill -CONT "$WPID"
	drained 90
done
for map in targets tally rss_state; do
	equal "entries of the map $map" "$(entries $map)" 1
done
# Those of the target may be lost as well.
between "entries of the map lost_regions" 1 "$(entries lost_regions)" 40
close_stdin
watched
equal "exit of watch" $RC 0
[ "$(events end .losses.ring_full_threads)" -gt $N ] || fail "only $(events end .losses.ring_full_threads) starts and ends were lost"
finish "$(events end .losses.ring_full_threads) starts and ends lost of $N programs"
