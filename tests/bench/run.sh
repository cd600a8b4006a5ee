#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh OUTPUT: what a report costs, as ratios. Nothing here passes or fails: machines differ.
# HEAPS="100 1024" chooses the Go heaps (MiB), RUNS how often each is measured (the median counts).
. "$(dirname "$0")/../e2e/lib.sh"
OUTPUT=$(realpath -m "${1:-build}")
RSSCOPE=$OUTPUT/rsscope T=$OUTPUT/targets bench=$OUTPUT/bench/bench
need_root
need_go
need_tool jq
runs=${RUNS:-15}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b) printf "%.2f", a / b; else printf "-" }'; }
ms() { awk -v a="$1" 'BEGIN { printf "%.1f", a / 1000 }'; }
available() { awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo; }

echo "one report against reading /proc/PID/smaps of the same process; medians of $runs; ms"
printf '%10s %10s %18s %18s %12s %12s %14s\n' 'Go heap' RSS 'smaps wall/cpu' 'report wall/cpu' 'wall ratio' 'cpu ratio' 'our peak RSS'
for heap in ${HEAPS:-100 1024 4096}; do
	if [ "$(available)" -lt $((heap * 3 / 2 + 300)) ]; then
		echo "SKIP ${heap} MiB: only $(available) MiB of memory are free"
		continue
	fi
	start fixture-cgo-stripped -heap "$heap"
	rss=$(rollup "$TPID" Rss)
	read -r sw sc _ < <("$bench" read "$runs" "/proc/$TPID/smaps")
	read -r rw rc rr < <("$bench" run "$runs" "$RSSCOPE" report --pid "$TPID" --json)
	printf '%6d MiB %6d MiB %9s /%7s %9s /%7s %12s %12s %10d KiB\n' "$heap" $((rss / MIB)) "$(ms "$sw")" "$(ms "$sc")" \
		"$(ms "$rw")" "$(ms "$rc")" "$(ratio "$rw" "$sw")" "$(ratio "$rc" "$sc")" "$rr"
	stop "$TPID"
done

echo
echo "the time that a target needs for the same work (allocation, page faults, mmap): alone, while it is"
echo "reported on once a second, and without a pause; medians of 5; on $(nproc) CPUs"
start fixture-cgo-stripped -heap 200 -gogc 100
middle() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
loop() { # PAUSE: reports until it is killed
	while :; do
		"$RSSCOPE" report --pid "$TPID" --json >/dev/null 2>&1
		sleep "$1"
	done
}
work() { # NAME [PAUSE]: the median in WORK
	local v=() i
	[ $# = 1 ] || background loop "$2"
	for ((i = 0; i < 5; i++)); do
		ask "work 60"
		v+=("$(truth .work_ns)")
	done
	[ $# = 1 ] || stop "$BPID"
	WORK=$(middle "${v[@]}")
	: "${ALONE:=$WORK}"
	printf '%-18s %8s ms  ratio %s\n' "$1" "$(ms $((WORK / 1000)))" "$(ratio "$WORK" "$ALONE")"
}
ask "work 60"
work alone
work "once a second" 1
work "without a pause" 0
