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

echo "one report against reading /proc/PID/smaps of the same process, and in a session that is kept open: CPU of a later"
echo "snapshot (its ratio is to the report's) and of the counters alone; medians of $runs; ms, counters µs"
printf '%8s %7s %8s %8s  %-16s %-16s %10s %9s %12s  %9s %10s %8s\n' 'Go heap' objects RSS spans 'smaps wall/cpu' 'report wall/cpu' 'wall ratio' 'cpu ratio' 'our peak RSS' \
	'warm cpu' 'warm ratio' counters
one() { # MiB OBJECTS
	local rss sw sc rw rc rr spans warm tick
	if [ "$(available)" -lt $(($1 * 3 / 2 + 300)) ]; then
		echo "SKIP $1 MiB: only $(available) MiB of memory are free"
		return
	fi
	start fixture-cgo-stripped -heap "$1" -objects "$2"
	rss=$(rollup "$TPID" Rss)
	spans=$("$RSSCOPE" report --pid "$TPID" --json | jq .reports[0].go.spans)
	read -r sw sc _ < <("$bench" read "$runs" "/proc/$TPID/smaps")
	read -r rw rc rr < <("$bench" run "$runs" "$RSSCOPE" report --pid "$TPID" --json)
	read -r warm tick < <("$OUTPUT/tests/warm" "$TPID" "$runs" 2>/dev/null | jq -r '"\(.warm_ns / 1000) \(.tick_ns / 1000)"')
	printf '%4d MiB %7s %4d MiB %8s  %-16s %-16s %10s %9s %8d KiB  %9s %10s %8.0f\n' "$1" "$2" $((rss / MIB)) "$spans" "$(ms "$sw")/$(ms "$sc")" \
		"$(ms "$rw")/$(ms "$rc")" "$(ratio "$rw" "$sw")" "$(ratio "$rc" "$sc")" "$rr" "$(ms "$warm")" "$(ratio "$warm" "$rc")" "$tick"
	stop "$TPID"
}
for heap in ${HEAPS:-100 1024 4096}; do
	for objects in ${OBJECTS:-mixed large small}; do
		one "$heap" "$objects"
	done
done

echo
echo "programs of large numbers: one report, CPU time in all, for each of them, and against reading smaps; where another"
echo "process has a userfaultfd a report has to read smaps itself"
many() { # SHAPE N MiB
	local sc rc rr
	if [ "$(available)" -lt "$3" ]; then
		echo "SKIP $2 $1: only $(available) MiB of memory are free, want $3"
		return
	fi
	start shapes "$1" "$2"
	read -r _ sc _ < <("$bench" read "$runs" "/proc/$TPID/smaps")
	read -r _ rc rr < <("$bench" run "$runs" "$RSSCOPE" report --pid "$TPID" --json)
	printf '%8d %-10s  report %8s ms  each %6d ns  smaps %8s ms  ratio %6s  our peak RSS %6d KiB\n' "$2" "$1" "$(ms "$rc")" $((rc * 1000 / $2)) \
		"$(ms "$sc")" "$(ratio "$rc" "$sc")" "$rr"
	stop "$TPID"
}
many maps 52000 500
many buckets 131072 500
many goroutines 100000 1000
many goroutines 1000000 6000

echo
echo "attaching: until a Go program can be looked at and probed; CPU time, medians of $runs, µs. Cold: its runtime is"
echo "searched for. Warm: the binary is known from a run before"
attach() { # NAME BINARY: of TPID
	local size v=() i mode cold warm
	size=$(stat -L -c %s "/proc/$TPID/exe")
	"$OUTPUT/bench/attach" warm "$TPID" >/dev/null || return
	for mode in cold warm; do
		v=()
		for ((i = 0; i < runs; i++)); do
			v+=("$("$OUTPUT/bench/attach" $mode "$TPID" | cut -d ' ' -f 1)")
		done
		printf -v $mode %s "$(printf '%s\n' "${v[@]}" | sort -n | sed -n "$(((runs + 1) / 2))p")"
	done
	printf '%-28s %4d MiB  cold %6d  warm %5d  ratio %s\n' "$1" $((size / MIB)) "$cold" "$warm" "$(ratio "$warm" "$cold")"
}
for name in fixture-pure-stripped fixture-cgo-stripped fixture-pie; do
	start $name -heap 100
	attach $name
	stop "$TPID"
done
if [ -e "$OUTPUT/packages/prometheus/.done" ]; then # as tests have fetched it
	start_prometheus
	attach prometheus
	stop "$TPID"
fi

echo
echo "the profile of the executable against a report, which it holds: CPU time; medians of 5"
binary() { # NAME
	local rc rr pc pr
	read -r _ rc rr < <("$bench" run 5 "$RSSCOPE" report --pid "$TPID" --json)
	read -r _ pc pr < <("$bench" run 5 "$RSSCOPE" profile "$TPID" --type binary -o /dev/null)
	printf '%-28s %4d MiB  profile %8s ms  ratio %6s  our peak RSS %6d KiB (report %6d KiB)\n' "$1" $(($(stat -L -c %s "/proc/$TPID/exe") / MIB)) \
		"$(ms "$pc")" "$(ratio "$pc" "$rc")" "$pr" "$rr"
	stop "$TPID"
}
start fixture-cgo-stripped -heap 100
binary fixture-cgo-stripped
if [ -e "$OUTPUT/packages/prometheus/.done" ]; then
	start_prometheus
	binary prometheus
fi
echo
echo "profiles: CPU time of ours (medians of 5), and what the program spends on its own endpoint (mean of 20)"
profile_many() { # SHAPE N MiB TYPE
	local rc rr
	if [ "$(available)" -lt "$3" ]; then
		echo "SKIP $2 $1: only $(available) MiB of memory are free, want $3"
		return
	fi
	if [ "$1" = goroutines ]; then start goroutines -n "$2"; else start shapes "$1" "$2"; fi
	read -r _ rc rr < <("$bench" run 5 "$RSSCOPE" profile "$TPID" --type "$4" -o /dev/null)
	printf '%8d %-10s  %-10s %8s ms  each %6d ns  our peak RSS %6d KiB\n' "$2" "$1" "$4" "$(ms "$rc")" $((rc * 1000 / $2)) "$rr"
	stop "$TPID"
}
cpu_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$TPID/stat"; }
profile_endpoint() { # TYPE URL
	local rc rr before i
	read -r _ rc rr < <("$bench" run 5 "$RSSCOPE" profile "$TPID" --type "$1" -o /dev/null)
	before=$(cpu_ticks)
	for i in {1..20}; do inside "$TPID" curl -s -o /dev/null "$2"; done
	printf '%-19s  %-10s %8s ms  its own %6d ms  our peak RSS %6d KiB\n' prometheus "$1" "$(ms "$rc")" \
		$((($(cpu_ticks) - before) * 1000 / $(getconf CLK_TCK) / 20)) "$rr"
}
profile_many buckets 200000 800 heap
profile_many goroutines 100000 1000 goroutine
profile_many goroutines 1000000 6000 goroutine
if [ -e "$OUTPUT/packages/prometheus/.done" ]; then
	start_prometheus
	profile_endpoint heap http://127.0.0.1:9090/debug/pprof/heap
	profile_endpoint goroutine http://127.0.0.1:9090/debug/pprof/goroutine
	stop "$TPID"
fi
if [ "$(available)" -ge 6500 ]; then
	start fixture-pure-stripped -heap 4096
	read -r _ rc rr < <("$bench" run 3 "$RSSCOPE" profile "$TPID" --type types -o /dev/null)
	printf '%-19s  %-10s %8s ms  our peak RSS %6d KiB\n' "heap of 4 GiB" types "$(ms "$rc")" "$rr"
	stop "$TPID"
fi

echo
echo "a function table of 144 MB"
"$OUTPUT/bench/pclntab"

echo
echo "one capture of a Go heap of 1 GiB"
if [ "$(available)" -ge 1800 ]; then
	start fixture-cgo-stripped -heap 1024
	read -r rw rc rr < <("$bench" run 5 "$RSSCOPE" capture --pid "$TPID" -o "$TMP/cap")
	echo "wall $(ms "$rw") ms, cpu $(ms "$rc") ms, our peak RSS $rr KiB, file $(($(stat -c %s "$TMP/cap") / 1024)) KiB"
	stop "$TPID"
else
	echo "SKIP only $(available) MiB of memory are free"
fi

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
stop "$TPID"

echo
echo "how long the kernel takes for a page of the target (fault) and for a mapping (mmap), ns: alone, and while"
echo "it is reported on without a pause; Go heap of 1 GiB; on $(nproc) CPUs"
if [ "$(available)" -ge 1800 ]; then
	start fixture-cgo-stripped -heap 1024
	latency() {
		[ $# = 1 ] || background loop "$2"
		ask "faults 400000"
		[ $# = 1 ] || stop "$BPID"
		echo "$1: fault p50 $(truth .fault_ns.p50) p99 $(truth .fault_ns.p99) p99.9 $(truth .fault_ns.p999)," \
			"mmap p50 $(truth .map_ns.p50) p99 $(truth .map_ns.p99) p99.9 $(truth .map_ns.p999)"
	}
	latency alone
	latency "without a pause" 0
else
	echo "SKIP only $(available) MiB of memory are free"
fi
